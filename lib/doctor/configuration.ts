/**
 * The checks of the environment, none of which starts a program or asks a network: config-check prints all of them;
 * in doctor they make the section Configuration checks, but for those that its sections Runtime and Replicate show.
 */

import { oddities } from "../config/odd.ts";
import type { Settings } from "../config/settings.ts";
import { declarations, type VariableName } from "../config/variables.ts";
import type { Context } from "../context.ts";
import { ConfigError } from "../errors.ts";
import { isPingUrl } from "../mask.ts";
import { forgetScope } from "../restic/forget-scope.ts";
import { askVersion } from "../restic/open.ts";
import { type Policy, readPolicy, tooNewText } from "../restic/policy.ts";
import { type Cron, firstCoincidence, nextTimes } from "../schedule/cron.ts";
import { type Planned, plannedJobs, readPlaces, variableOf } from "../schedule/schedule.ts";
import { type Scheduled, scheduleFor, scheduleReason } from "../state/schedules.ts";
import { formatDuration } from "../text.ts";
import { localZone, stamp } from "../time/zone.ts";
import { checkChannels, checkSendmail } from "./channels.ts";
import { type Check, Checks, type DoctorContext, type Findings, fail, ok, sentence, warn } from "./checks.ts";
import { signOfUpstream, UPSTREAM_ZONE } from "./former-image.ts";
import { isAboutHooks } from "./hooks.ts";
import { checkRepositoryWritable, checkScratch } from "./own-folders.ts";
import { checkProtection } from "./protection.ts";
import { isProblem } from "./rendering.ts";
import { checkJobFile, checkRclone } from "./replication.ts";
import { checkFolders, checkResources } from "./resources.ts";
import { checkSecretFiles } from "./secret-files.ts";
import { checkValues, withOddities } from "./values.ts";

/** For config-check. `workers` are the names of the runs: they make <WORKER>_TIMEOUT and HOOK_TIMEOUT_<PHASE>. */
export async function checkEnvironment(
  context: Scheduled,
  workers: readonly string[],
): Promise<readonly Check[]> {
  const jobs = await checkJobFile(context, true);
  const checks = [
    ...(await checkResources(context)),
    await checkRclone(context),
    ...jobs.checks,
    ...(await checkSchedule(context)),
    ...checkZone(context),
    ...(await checkProtection(context)),
    ...(await checkSecretFiles(context)),
    ...checkScratch(context),
  ];
  const failed = new Set(checks.flatMap(({ key, status }) => (key && status === "FAIL" ? [key] : [])));
  // A value of a good form that is refused for what it says has one verdict, not two.
  const values = checkValues(context.settings, workers).filter(
    ({ key = "", status }) => status === "WARN" || !failed.has(key),
  );
  return withOddities(context.settings.env, [...checks, ...values, ...checkChannels(context.settings)]);
}

/** What is wrong where a container starts. */
export interface StartFinding {
  readonly key: string;
  readonly status: Check["status"];
  /** A complete sentence, with the variable. */
  readonly text: string;
  /** Is it the name of the repository, or its password? */
  readonly isAccess: boolean;
}

/** Which repository, and its password. */
const ACCESS = /^RESTIC_(REPOSITORY|PASSWORD)(_FILE|_COMMAND)?$/;
/** What names restic's cache: a restic that cannot make it fails at once, or goes on without (a warning then). */
const CACHE = /^(RESTIC_CACHE_DIR|XDG_CACHE_HOME|HOME)$/;

/**
 * For entry. `fatal` is what every run of every job would fail with; housekeeping counts for nothing there. `planned` is
 * what entry is about to write.
 */
export async function checkStart(
  planned: Scheduled,
  workers: readonly string[],
): Promise<{ readonly fatal: readonly StartFinding[]; readonly others: readonly StartFinding[] }> {
  const wrong = (await checkEnvironment(planned, workers)).filter(isProblem);
  const jobs = planned.schedules.schedules.map(({ job }) => job).filter((job) => job !== "rotate_log");
  const allNeedRestic = jobs.length > 0 && !jobs.includes("replicate");
  const found = wrong.map((check) => {
    const { key = "", status } = check;
    const isAccess = ACCESS.test(key) || CACHE.test(key);
    const isFatal =
      isDoubled(planned.settings, key) || (allNeedRestic && (isAccess || key === "RESTIC_OPTIONS"));
    return { key, status, text: sentence(check), isAccess, isFatal: isFatal && status === "FAIL" };
  });
  return { fatal: found.filter(({ isFatal }) => isFatal), others: found.filter(({ isFatal }) => !isFatal) };
}

/** Given by itself and by a file: no run begins with that. */
const isDoubled = ({ env }: Settings, key: string): boolean =>
  Boolean(env[key] && env[`${key}_FILE`]) && (declarations[key as VariableName]?.file ?? isPingUrl(key));

/** The section of doctor, which adds what needs the container itself: its folders and its sendmail. */
export async function configuration(patient: DoctorContext): Promise<Findings> {
  const { settings, workers } = patient;
  const checks = new Checks("Configuration checks");
  // The effective environment shows every value; here only those that are odd are worth a line.
  const odd = checkValues(settings, workers).filter(
    ({ status, key = "" }) => status !== "OK" && !isAboutHooks(key),
  );
  const channels = checkChannels(settings);
  const found = [
    ...(await checkResources(patient)),
    ...(await checkSchedule(patient)),
    ...odd,
    ...channels,
    ...(await checkProtection(patient)),
    ...(await checkSecretFiles(patient)),
    ...checkScratch(patient),
  ];
  checks.adopt(withOddities(settings.env, found));
  if (odd.length === 0 && oddities(settings.env).length === 0)
    checks.ok("Every value has the form that its variable needs.");
  checks.adopt([
    ...(await checkFolders(settings)),
    ...(await checkWriting(patient)),
    ...checkSendmail(settings),
  ]);
  return { checks: checks.list, json: undefined };
}

async function checkWriting(context: Context): Promise<Check[]> {
  try {
    return await checkRepositoryWritable(context.repository);
  } catch (error) {
    // It is not known which repository is meant; that has a check of its own.
    if (error instanceof ConfigError) return [];
    throw error;
  }
}

/** Does crond start what is meant to be started? */
async function checkSchedule(context: Scheduled): Promise<Check[]> {
  return [
    ...plannedJobs(context.settings).map((planned) => checkJob(planned, context)),
    ...checkCoincidence(context),
    ...(await checkPolicy(context)),
    ...checkPlaces(context.settings),
  ];
}

/** What the variable plans, against the crontab where there is one: that is what crond runs. */
function checkJob({ job, variable, expression, cron, problem }: Planned, context: Scheduled): Check {
  const { settings, schedules } = context;
  if (problem !== undefined) return fail(variable, problem);
  if (schedules.crontab.source === "environment") {
    const why = settings.given(variable) ? "off" : "not set";
    return cron === undefined
      ? ok(variable, `${why}: ${job} is not scheduled`)
      : checkCron(variable, expression, cron);
  }
  const { path } = schedules.crontab;
  const real = scheduleFor(schedules, job);
  if (real?.problem !== undefined) return fail(variable, `in ${path}, ${real.problem}`);
  if (cron === undefined && real !== undefined && settings.given(variable)) {
    return warn(
      variable,
      `it is off, which has no effect: ${path} has ${real.expression}. Restart the container, so that entry writes the crontab.`,
    );
  }
  // A default says nothing of what is meant.
  const isMeant = cron !== undefined && settings.given(variable);
  if (isMeant && real?.cron?.text !== cron.text) {
    const instead = real === undefined ? scheduleReason(schedules, job) : `${path} has ${real.expression}`;
    return warn(
      variable,
      `${expression} has no effect: ${instead}. Restart the container, so that entry writes the crontab.`,
    );
  }
  return real?.cron === undefined
    ? ok(variable, `${job} is not scheduled: it is not in ${path}`)
    : checkCron(variable, real.expression, real.cron);
}

function checkCron(variable: string, expression: string, cron: Cron): Check {
  if (cron.notes.length > 0) return warn(variable, `${expression}: ${cron.notes.join("; ")}.`);
  const [next] = nextTimes(cron, Math.floor(Date.now() / 1000), localZone(), 1);
  return next === undefined
    ? warn(variable, `${expression} never comes: there is no such day.`)
    : ok(variable, `${cron.text}, next at ${stamp(next * 1000, localZone())}`);
}

/** Jobs that lock the repository against each other: backup shares it, the others want it alone. */
const LOCKING = ["backup", "check", "prune", "forget"];

/** Two of them in one minute: the second waits for the first, or ends with 11. */
function checkCoincidence({ settings, schedules }: Scheduled): Check[] {
  const jobs = LOCKING.flatMap((job) => {
    const cron = scheduleFor(schedules, job)?.cron;
    return cron === undefined ? [] : [{ job, name: variableOf(job) ?? job, cron }];
  });
  const wait = settings.seconds("RESTIC_RETRY_LOCK");
  return jobs.flatMap((one, at) =>
    jobs.slice(at + 1).flatMap((other) => {
      const day = firstCoincidence(one.cron, other.cron, Math.floor(Date.now() / 1000), localZone());
      if (day === undefined) return [];
      const then =
        wait === 0
          ? "one of them will find the repository locked (exit 11)"
          : `one of them will wait for the other, for ${formatDuration(wait)} at the most (RESTIC_RETRY_LOCK)`;
      return [
        warn(
          other.name,
          `${other.job} and ${one.job} begin in the same minute, next at ${stamp(day * 1000, localZone())}: ${then}. ` +
            `Set ${other.name} to another minute than ${one.name}.`,
        ),
      ];
    }),
  );
}

/** What forget and backup would refuse, by the same judgement. */
async function checkPolicy({ settings, schedules, env }: Scheduled): Promise<Check[]> {
  const refused = (name: "RESTIC_FORGET_ARGS" | "RESTIC_FORGET_SCOPE", judge: () => void) => {
    try {
      judge();
      return [];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return [fail(name, error.message)];
    }
  };
  const scope = refused("RESTIC_FORGET_SCOPE", () => forgetScope(settings.text("RESTIC_FORGET_SCOPE")));
  if (settings.env.RESTIC_FORGET_ARGS?.trim()) {
    const name = "RESTIC_FORGET_ARGS";
    let policy: Policy | undefined;
    const checks = refused(name, () => {
      policy = readPolicy(name, settings.words(name));
    });
    const tooNew = policy?.saysUnlimited ? tooNewText(name, policy, await askVersion(env)) : undefined;
    return [...scope, ...checks, ...(tooNew === undefined ? [] : [fail(name, tooNew)])];
  }
  if (scheduleFor(schedules, "forget") === undefined) return scope;
  return [
    ...scope,
    fail(
      "RESTIC_FORGET_ARGS",
      `${scheduleReason(schedules, "forget")}, but there is no policy: forget would exit 2 each time.`,
    ),
  ];
}

function checkPlaces(settings: Settings): Check[] {
  try {
    readPlaces(settings);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [fail(error.message.startsWith("LOG_DIR") ? "LOG_DIR" : "LOCK_DIR", error.message)];
  }
}

function checkZone(context: Context): Check[] {
  const { env } = context.settings;
  const zone = localZone();
  const sign = env.TZ ? undefined : signOfUpstream(context);
  if (sign !== undefined) {
    return [
      warn(
        "TZ",
        `is not set, so that schedules and logs are in ${zone.name}. ${sign}, whose image set ${UPSTREAM_ZONE}: set ` +
          `TZ=${UPSTREAM_ZONE} to keep its times, or the zone that is meant.`,
      ),
    ];
  }
  if (zone.known) return [ok("TZ", zone.name)];
  return [warn("TZ", `${env.TZ} is not a time zone of this image; schedules and logs are in UTC.`)];
}
