/** Finds variables whose names are probably misspelt names of ours. Pure. */

import type { Environment } from "../environment.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { screaming } from "./settings.ts";
import { type Variable, variables } from "./variables.ts";

export interface Misspelt {
  readonly name: string;
  /** The name that was probably meant; undefined for a HOOK_TIMEOUT_… that resembles no phase. */
  readonly nearest: string | undefined;
}

/** Variables of restic and rclone that we do not declare (their manuals, "Environment variables"). */
const THEIRS =
  /^(RCLONE_.+|RESTIC_(FROM_.+|TEST_.+|DEBUG.*|KEY_HINT|TLS_CLIENT_CERT|HOST|PROGRESS_FPS|PACK_SIZE|READ_CONCURRENCY|FEATURES|HTTP_USER_AGENT))$/;
/**
 * What other programs and images call it (resticker or mazzolino/restic, lobaro/restic-backup-docker, offen/docker-volume-backup,
 * restic-compose-backup, autorestic, and scripts of the kind; their READMEs), by our name.
 */
const FOREIGN: readonly (readonly [ours: string, theirs: RegExp])[] = [
  ["RESTIC_REPOSITORY", /^(RESTIC_REPO|RESTIC_REPO_URL|RESTIC_URL|REPOSITORY|BACKUP_REPOSITORY)$/],
  ["RESTIC_REPOSITORY_FILE", /^RESTIC_REPO_FILE$/],
  [
    "RESTIC_PASSWORD",
    /^(RESTIC_PASS|RESTIC_KEY|RESTIC_REPO_PASSWORD|RESTIC_REPOSITORY_PASSWORD|BACKUP_PASSWORD)$/,
  ],
  ["RESTIC_PASSWORD_FILE", /^RESTIC_PASS_?FILE$/],
  [
    "BACKUP_ROOT_DIR",
    /^(BACKUP_(DIRS?|PATHS?|SOURCES?|FOLDERS?|ROOT|SRC|INCLUDES?)|RESTIC_(BACKUP_)?(SOURCES?|PATHS?|DIRS?|INCLUDES?)|RESTIC_DATA|SOURCE_DIR)$/,
  ],
  [
    "RESTIC_JOB_ARGS",
    /^(RESTIC_BACKUP_(ARGS|OPTIONS|FLAGS)|RESTIC_ARGS|BACKUP_ARGS|BACKUP_OPTIONS|(RESTIC_|BACKUP_)EXCLUDES?(_FILE|_REGEXP)?)$/,
  ],
  ["RESTIC_TAG", /^(RESTIC_(BACKUP_)?TAGS?|BACKUP_TAGS?)$/],
  ["HOSTNAME", /^(RESTIC_HOSTNAME|RESTIC_BACKUP_HOST)$/],
  [
    "BACKUP_CRON",
    /^(CRON|CRON_SCHEDULE|CRON_EXPRESSION|SCHEDULE|BACKUP_SCHEDULE|BACKUP_CRON_(EXPRESSION|SCHEDULE)|BACKUP_INTERVAL|RESTIC_(BACKUP_)?(CRON|SCHEDULE))$/,
  ],
  ["CHECK_CRON", /^(CHECK_SCHEDULE|RESTIC_CHECK_(CRON|SCHEDULE))$/],
  ["PRUNE_CRON", /^(PRUNE_SCHEDULE|RESTIC_PRUNE_(CRON|SCHEDULE))$/],
  ["FORGET_CRON", /^(FORGET_SCHEDULE|RESTIC_FORGET_(CRON|SCHEDULE))$/],
  [
    "RESTIC_FORGET_ARGS",
    /^((RESTIC_|BACKUP_)?(FORGET_)?KEEP(_[A-Z]+)*|(RESTIC_)?FORGET(_OPTIONS|_FLAGS)?|FORGET_ARGS|(RESTIC_|BACKUP_)?RETENTION(_[A-Z]+)*)$/,
  ],
  ["RESTIC_CHECK_ARGS", /^CHECK_ARGS$/],
  ["RESTIC_PRUNE_ARGS", /^PRUNE_ARGS$/],
  ["WEBHOOK_URL", /^(WEBHOOK|NOTIFICATION_URLS?|TEAMS_WEBHOOK_URL|GOTIFY)$/],
  ["HEALTHCHECKS_URL", /^(HEALTHCHECKS?(_IO)?(_URL|_UUID|_ID)?|HC_URL|HC_PING_URL|PING_URL)$/],
  ["MAILX_RCPT", /^(MAILX_(ARGS|TO)|MAIL_?TO|NOTIFY_TO|EMAIL_TO|EMAIL_RECIPIENTS?)$/],
  ["TZ", /^(TIME_?ZONE|RESTIC_TZ)$/],
  ["HOOKS_DIR", /^(PRE|POST)_COMMANDS?(_[A-Z]+)*$/],
];
/** What must be written otherwise under our name. */
const HOW: Readonly<Record<string, string>> = {
  RESTIC_FORGET_ARGS: ", for example --keep-daily 7",
  RESTIC_JOB_ARGS: ", for example --exclude /data/cache",
  BACKUP_ROOT_DIR: ", one path per line",
  BACKUP_CRON: ", five fields as in a crontab",
  HOOKS_DIR: ", a folder with pre-backup.sh and post-backup.sh",
};
/** Shorter names (TZ) resemble too many others. */
const SHORTEST = 6;
/** A name of at least this length that begins with a word of ours (RESTIC_…) is hardly another program's. */
const TELLING = 12;

/** Every name that we read: declared names, old names, and those derived from a phase or a worker. */
export function knownNames(phases: readonly string[], workers: readonly string[]): Set<string> {
  const declared = Object.entries<Variable>(variables).flatMap(([name, { old, file }]) => [
    ...(name.includes("<") ? [] : [name]),
    ...(old === undefined ? [] : [old]),
    ...(file ? [`${name}_FILE`] : []),
  ]);
  return new Set([
    ...declared,
    ...phases.map((phase) => `HOOK_TIMEOUT_${screaming(phase)}`),
    ...workers.map((worker) => `${screaming(worker)}_TIMEOUT`),
    ...workers.flatMap((worker) => [pingName(worker), `${pingName(worker)}_FILE`]),
  ]);
}

const pingName = (worker: string) => `HEALTHCHECKS_URL_${screaming(worker)}`;

/** The variables of `env` whose names resemble known ones, each with the name that was probably meant. */
export function misspelt(env: Environment, known: ReadonlySet<string>): Misspelt[] {
  const candidates = [...known].filter((name) => name.length >= SHORTEST);
  const beginnings = new Set([...known].map(firstWord).filter(Boolean));
  const meant = (name: string) => {
    const foreign = foreignName(name);
    if (foreign !== undefined) return foreign;
    const begun = name.includes("_") && candidates.find((each) => each.startsWith(`${name}_`));
    if (begun) return begun;
    if (name.length >= TELLING && beginnings.has(firstWord(name))) return nearest(name, candidates);
    // Another program's variable may be close by chance (WORK_DIR, LOCK_DIR); the first letter is seldom mistyped.
    const alike = candidates.filter((each) => each[0] === name[0]?.toUpperCase());
    return nearest(name, alike, name.length < 10 ? 1 : 2);
  };
  return Object.keys(env)
    .filter((name) => !known.has(name) && !THEIRS.test(name) && !name.startsWith("RBH_"))
    .sort()
    .flatMap((name) => {
      const near = meant(name);
      return near === undefined && !name.startsWith("HOOK_TIMEOUT_") ? [] : [{ name, nearest: near }];
    });
}

const foreignName = (name: string): string | undefined =>
  FOREIGN.find(([, theirs]) => theirs.test(name))?.[0];

/** The rest of a sentence that begins with the variable's name. */
export function misspeltText({ name, nearest }: Misspelt): string {
  const foreign = foreignName(name);
  if (foreign !== undefined)
    return `is another program's name and has no effect here; ours is ${foreign}${HOW[foreign] ?? ""}.`;
  return nearest === undefined
    ? "names no phase and has no effect."
    : `is not known and has no effect${didYouMean(nearest)}`;
}

/** `RESTIC_TAG` → `RESTIC`; "" for a name of one word, which says nothing about whose it is. */
function firstWord(name: string): string {
  const end = name.indexOf("_");
  return end < 0 ? "" : name.slice(0, end);
}
