/**
 * doctor --from-upstream: what a container of marc0janssen/restic-backup-helper 2.14 had, and what becomes of it here,
 * judged by what this container was given: its environment, the crontab, the records in LOG_DIR, the hooks and the job
 * file. Each line begins with `kept`, `changes` (no harm, but it looks otherwise), `to do`, or `lost`.
 */

import { existsSync } from "node:fs";
import { type VariableName, variables } from "../config/variables.ts";
import { ConfigError } from "../errors.ts";
import { accessOf } from "../restic/restic.ts";
import { plural } from "../text.ts";
import type { DoctorContext, Section } from "./checks.ts";
import type { Examined } from "./sections.ts";
import { judgeHooks, judgeJobFile, judgeRecords, judgeSchedule, Moved } from "./upstream-files.ts";

/** The sections of the report, in their order. */
export async function examineMove(patient: DoctorContext): Promise<Examined[]> {
  const part = async (section: Section, judge: (checks: Moved) => void | Promise<void>) => {
    const checks = new Moved(section);
    await judge(checks);
    return { section, key: undefined, findings: { checks: checks.list, json: undefined } };
  };
  return [
    await part("Move: environment", (checks) => judgeEnvironment(checks, patient)),
    await part("Move: schedule", (checks) => judgeSchedule(checks, patient)),
    await part("Move: records", (checks) => judgeRecords(checks, patient)),
    await part("Move: hooks", (checks) => judgeHooks(checks, patient)),
    await part("Move: replicate", (checks) => judgeJobFile(checks, patient)),
    await part("Move: outputs", judgeOutputs),
  ];
}

/** What the image of 2.14 set by ENV for Swift. */
const SWIFT = ["OS_USER_DOMAIN_NAME", "OS_PROJECT_DOMAIN_ID", "OS_IDENTITY_API_VERSION"] as const;
const OLD_ZONE = "Europe/Amsterdam";
const OLD_CACHE = "/.cache/restic";

function judgeEnvironment(checks: Moved, patient: DoctorContext): void {
  const { env, settings } = patient;
  if (env.TZ) checks.kept(`${env.TZ}.`, "TZ");
  else {
    checks.toDo(
      `2.14 ran in ${OLD_ZONE} where nothing was given, here it is ${patient.zone.name}: every job runs at ` +
        `another hour. Set TZ=${OLD_ZONE}, or the zone that you mean.`,
      "TZ",
    );
  }
  judgeRepository(checks, patient);
  judgeCache(checks, env.RESTIC_CACHE_DIR);
  for (const name of Object.keys(variables) as VariableName[]) {
    if (variables[name].kind === "words") judgeWords(checks, patient, name);
  }
  judgeLists(checks, patient);
  if (settings.choice("RESTIC_AUTO_UNLOCK") === "ON") {
    checks.changes(
      "2.14 ran restic unlock after every failure; here nothing is unlocked after exit 11 but locks that nobody has " +
        "refreshed for 30 minutes.",
      "RESTIC_AUTO_UNLOCK",
    );
  }
  judgeHost(checks, patient);
  for (const { name, nearest } of patient.misspelt) {
    const guess = nearest === undefined ? "Remove it, or look for its name here" : `Is ${nearest} meant`;
    checks.toDo(`it is not read here. ${guess}${nearest === undefined ? "." : "?"}`, name);
  }
}

/** Asked as a run asks: what would be refused there is lost. */
function judgeRepository(checks: Moved, patient: DoctorContext): void {
  try {
    const { shown, env } = accessOf(patient, (text) => checks.toDo(text));
    checks.kept(`${shown}, with its password.`, "RESTIC_REPOSITORY");
    if (!patient.repository.startsWith("swift:")) return;
    for (const name of SWIFT) {
      const value = patient.env[name] || env[name];
      if (value) checks.kept(`restic gets ${value} for Swift.`, name);
      else checks.changes("2.14's image set it for Swift; here another variable says it.", name);
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    checks.lost(error.message);
  }
}

function judgeCache(checks: Moved, given: string | undefined): void {
  const key = "RESTIC_CACHE_DIR";
  if (given) checks.kept(`${given}.`, key);
  else if (existsSync(OLD_CACHE)) {
    checks.toDo(`${OLD_CACHE} is there, but nothing points restic to it. Set ${key}=${OLD_CACHE}.`, key);
  } else checks.changes(`2.14 had ${OLD_CACHE}; here restic chooses, and fills a new cache once.`, key);
}

/** There *_ARGS were split at blanks, and quotes were part of a word. */
function judgeWords(checks: Moved, { settings, env }: DoctorContext, name: VariableName): void {
  const old = variables[name] as { readonly old?: string };
  const key = env[name] ? name : (old.old ?? name);
  const text = env[key] ?? "";
  if (text.trim() === "") return;
  try {
    const here = settings.words(name as Parameters<typeof settings.words>[0]);
    const there = text.trim().split(/\s+/);
    if (here.length === there.length && here.every((word, at) => word === there[at]))
      checks.kept(`the same ${plural(here.length, "word")}.`, key);
    else {
      checks.toDo(
        `quotes and backslashes were literal in 2.14 (${plural(there.length, "word")}) and count here as in a shell ` +
          `(${plural(here.length, "word")}): what is excluded or kept may differ. Read it again; ` +
          `take out the quotes that no blank needs, and write \\" for one that is meant.`,
        key,
      );
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    checks.lost(
      `${error.message}. In 2.14 a quote was a character as any other; here the job exits with 2.`,
      key,
    );
  }
}

function judgeLists(checks: Moved, { env, settings }: DoctorContext): void {
  const key = "BACKUP_ROOT_DIR";
  const roots = settings.lines(key);
  const absent = roots.filter((root) => !existsSync(root));
  if (absent.length > 0) {
    const blanks = roots.length === 1 && /\s/.test(roots[0] ?? "");
    checks.lost(
      `${absent.join(", ")} is not in this container, so it is not backed up. Mount it, or correct the path` +
        `${blanks ? "; several paths stand on a line each" : ""}.`,
      key,
    );
  } else if (roots.length > 0) checks.kept(`${roots.join(", ")}.`, key);
  for (const name of ["RESTORE_TEST_PATH", "RESTORE_TEST_CANARY"]) {
    const text = env[name]?.trim();
    if (text) checks.kept(`${plural(text.split(/\s+/).length, "entry", "entries")}.`, name);
  }
}

function judgeHost(checks: Moved, { env, hostname }: DoctorContext): void {
  if (/(^|\s)(--host|-H)[= ]/.test(env.RESTIC_JOB_ARGS ?? ""))
    checks.kept("the snapshots' host is the one in RESTIC_JOB_ARGS.");
  else if (/^[0-9a-f]{12}$/.test(hostname)) {
    checks.toDo(
      `snapshots are made as host ${hostname}, which is this container's id: after each recreation backup finds no ` +
        "parent, and retention counts each host for itself. Set hostname: in the compose file to the host of the " +
        "old snapshots.",
      "HOSTNAME",
    );
  } else
    checks.changes(
      `snapshots are made with --host ${hostname}; in 2.14 restic chose the host. Compare it with restic snapshots.`,
      "HOSTNAME",
    );
}

/** What reads our output elsewhere: nothing of it can be seen from here. */
function judgeOutputs(checks: Moved): void {
  checks.kept("the metrics' files, names and labels; the links in /bin and /entry.sh; the webhook's fields.");
  checks.changes(
    "a backup with exit 3 has the subject [WARN 3], where 2.14 had [FAIL 3]: look at filters of mail.",
  );
  checks.changes("times are written +02:00, where 2.14 wrote +0200: every parser of ISO 8601 reads both.");
  checks.changes("lines of cron.log begin with INFO, WARN or ERROR and the job, and have no emoji.");
  checks.changes("restore --list shows 10 snapshots, where 2.14 showed 20; --all shows every one.");
  checks.changes("numbers in records are numbers, where 2.14 wrote strings: jq's tonumber takes both.");
}
