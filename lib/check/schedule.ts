/** Will crond start what is meant to be started? */

import type { Settings } from "../config/settings.ts";
import { nextTimes } from "../cron/next.ts";
import { ConfigError } from "../errors.ts";
import { placesOf, type Scheduled, scheduleOf } from "../schedule.ts";
import { localZone, stamp } from "../time/format.ts";
import { type Check, fail, ok, warn } from "./check.ts";

export function checkSchedule(settings: Settings): Check[] {
  const schedule = scheduleOf(settings);
  return [
    ...schedule.map(checkJob),
    ...checkPolicy(settings),
    ...checkPlaces(settings),
    ...checkZone(settings),
  ];
}

function checkJob({ job, variable, expression, cron, problem }: Scheduled): Check {
  if (problem !== undefined) return fail(variable, problem);
  if (cron === undefined) return ok(variable, `not set: ${job} is not scheduled`);
  if (cron.notes.length > 0) return warn(variable, `${expression}: ${cron.notes.join("; ")}.`);
  const [next] = nextTimes(cron, Math.floor(Date.now() / 1000), localZone(), 1);
  return next === undefined
    ? warn(variable, `${expression} never comes: there is no such day.`)
    : ok(variable, `${cron.text}, next at ${stamp(next * 1000, localZone())}`);
}

function checkPolicy(settings: Settings): Check[] {
  if (settings.text("FORGET_CRON") === "" || settings.env.RESTIC_FORGET_ARGS) return [];
  return [
    fail(
      "RESTIC_FORGET_ARGS",
      "FORGET_CRON is set, but there is no policy: forget would end with 2 each time.",
    ),
  ];
}

function checkPlaces(settings: Settings): Check[] {
  try {
    placesOf(settings);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [fail(error.message.startsWith("LOG_DIR") ? "LOG_DIR" : "LOCK_DIR", error.message)];
  }
}

function checkZone({ env }: Settings): Check[] {
  const zone = localZone();
  if (zone.known) return [ok("TZ", zone.name)];
  return [warn("TZ", `${env.TZ} is no time zone of this image; schedules and logs are in UTC.`)];
}
