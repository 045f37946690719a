/**
 * Everything that can be said of the environment without starting a program or asking the network.
 *
 * Will crond start what is meant to be started?
 */

import type { Settings } from "../config/settings.ts";
import { ConfigError } from "../errors.ts";
import { nextTimes } from "../schedule/cron.ts";
import { placesOf, type Scheduled, scheduleOf } from "../schedule/schedule.ts";
import { localZone, stamp } from "../time/format.ts";
import { type EnvironmentCheck, fail, ok, warn } from "./checks.ts";
import {
  checkCacert,
  checkJobFiles,
  checkPassword,
  checkPaths,
  checkRclone,
  checkReplicate,
  checkRepository,
  checkTag,
} from "./inputs.ts";
import { checkValues } from "./values.ts";

export { type EnvironmentCheck, sentence } from "./checks.ts";
export { checkRclone } from "./inputs.ts";
export { checkValues } from "./values.ts";

/** `workers` are the names of the runs: they make <WORKER>_TIMEOUT and HOOK_TIMEOUT_<PHASE>. */
export async function checkAll(settings: Settings, workers: readonly string[]): Promise<EnvironmentCheck[]> {
  return [...(await checkThings(settings)), ...checkValues(settings, workers)];
}

/** What the workers need is there, and can be read. */
export async function checkThings(settings: Settings): Promise<EnvironmentCheck[]> {
  return [
    checkRepository(settings),
    await checkPassword(settings),
    checkTag(settings),
    ...(await checkPaths(settings)),
    ...(await checkJobFiles(settings)),
    await checkRclone(settings),
    await checkReplicate(settings),
    await checkCacert(settings),
    ...checkSchedule(settings),
  ];
}

export function checkSchedule(settings: Settings): EnvironmentCheck[] {
  const schedule = scheduleOf(settings);
  return [
    ...schedule.map(checkJob),
    ...checkPolicy(settings),
    ...checkPlaces(settings),
    ...checkZone(settings),
  ];
}

function checkJob({ job, variable, expression, cron, problem }: Scheduled): EnvironmentCheck {
  if (problem !== undefined) return fail(variable, problem);
  if (cron === undefined) return ok(variable, `not set: ${job} is not scheduled`);
  if (cron.notes.length > 0) return warn(variable, `${expression}: ${cron.notes.join("; ")}.`);
  const [next] = nextTimes(cron, Math.floor(Date.now() / 1000), localZone(), 1);
  return next === undefined
    ? warn(variable, `${expression} never comes: there is no such day.`)
    : ok(variable, `${cron.text}, next at ${stamp(next * 1000, localZone())}`);
}

function checkPolicy(settings: Settings): EnvironmentCheck[] {
  if (settings.text("FORGET_CRON") === "" || settings.env.RESTIC_FORGET_ARGS) return [];
  return [
    fail(
      "RESTIC_FORGET_ARGS",
      "FORGET_CRON is set, but there is no policy: forget would end with 2 each time.",
    ),
  ];
}

function checkPlaces(settings: Settings): EnvironmentCheck[] {
  try {
    placesOf(settings);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [fail(error.message.startsWith("LOG_DIR") ? "LOG_DIR" : "LOCK_DIR", error.message)];
  }
}

function checkZone({ env }: Settings): EnvironmentCheck[] {
  const zone = localZone();
  if (zone.known) return [ok("TZ", zone.name)];
  return [warn("TZ", `${env.TZ} is no time zone of this image; schedules and logs are in UTC.`)];
}
