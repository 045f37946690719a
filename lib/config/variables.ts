/**
 * Every environment variable, declared once. doctor, config-check, --help, the README's table and the mask read this
 * declaration; no other place names a default.
 */

export type Kind = "text" | "lines" | "words" | "switch" | "choice" | "count" | "seconds" | "cron";

export interface Variable<K extends Kind = Kind> {
  readonly kind: K;
  /** The value that an unset or empty variable stands for; undefined for none. */
  readonly fallback: string | undefined;
  /** One line of help. */
  readonly help: string;
  /** The values that a switch or a choice may have, in capitals; any case is understood. */
  readonly options?: readonly string[];
  /** The value, or the content of the file that a `_FILE` variable names, never appears in any output. */
  readonly secret?: true;
  /** May be given as `<NAME>_FILE` too. */
  readonly file?: true;
  /** A former name, still accepted with a warning. */
  readonly old?: string;
  /** Read by the tool itself; we only document it. */
  readonly passed?: true;
  /** What a schedule starts: a row of the table of commands. */
  readonly job?: string;
  /** Given without a value it is off: its default is for whoever does not give it at all. */
  readonly emptyIsOff?: true;
}

type Extras = Omit<Variable, "kind" | "help" | "fallback">;

const of =
  <K extends Kind>(kind: K) =>
  (help: string, fallback?: string, extras: Extras = {}): Variable<K> => ({
    kind,
    help,
    fallback,
    ...extras,
  });

const text = of("text");
const lines = of("lines");
const words = of("words");
const onOff = (help: string, fallback: "ON" | "OFF", extras: Extras = {}) =>
  of("switch")(help, fallback, { options: ["ON", "OFF"], ...extras });
const choice = <const O extends readonly string[]>(options: O, help: string, fallback: O[number]) => ({
  ...of("choice")(help, fallback),
  options,
});
const count = of("count");
const seconds = of("seconds");
/** A line of the schedule: the crontab, cron-list, status and entry know the job by it. */
const cron = (job: string, help: string, fallback?: string, extras: Extras = {}) => ({
  ...of("cron")(help, fallback, extras),
  job,
});

export const variables = {
  RESTIC_REPOSITORY: text("the repository; RESTIC_REPOSITORY_FILE takes precedence", "/mnt/restic"),
  RESTIC_REPOSITORY_FILE: text(
    "a file with the repository in its first line that is neither blank nor a comment",
  ),
  RESTIC_PASSWORD: text("the repository's password", undefined, { secret: true }),
  RESTIC_PASSWORD_FILE: text("a file that contains the password", undefined, { passed: true }),
  RESTIC_PASSWORD_COMMAND: text("a command that prints the password", undefined, {
    passed: true,
    secret: true,
  }),
  RESTIC_TAG: text("the tag of every snapshot that backup makes; not empty", "automated"),
  RESTIC_CACHE_DIR: text("restic's cache directory", undefined, { passed: true }),
  RESTIC_CACERT: text("a file of CA certificates; passed to every restic call as --cacert when readable"),
  RESTIC_OPTIONS: words(
    "global flags for every restic call, for example --limit-upload 1024 or -o sftp.command='ssh …'",
  ),
  RESTIC_COMPRESSION: text("restic's compression: auto, off or max", undefined, { passed: true }),
  RESTIC_CHECK_REPOSITORY_STATUS: onOff(
    "entry checks that the repository can be opened, and creates a missing one",
    "ON",
  ),
  RESTIC_AUTO_UNLOCK: choice(
    ["OFF", "ON", "STALE"],
    "which locks a failed run may remove from the repository before it tries again: OFF: none; STALE: those of this " +
      "host whose process is dead; ON: also those that nobody has refreshed for 30 minutes",
    "OFF",
  ),
  RESTIC_RETRY_LOCK: seconds(
    "how long backup, check, prune and forget wait for a locked repository; 0 or OFF: not at all",
    "600",
    { options: ["OFF"] },
  ),
  BACKUP_ROOT_DIR: lines("what to back up, one path per line"),
  RESTIC_JOB_ARGS: words("additional arguments for restic backup, quoted as in a shell, never expanded"),
  BACKUP_EXPECT_EMPTY: onOff("sources may be empty: ON takes a backup without a file for a good one", "OFF"),
  BACKUP_MIN_PERCENT: count(
    "a backup of less than this share of the last good one's files or bytes is a warning; 0 for no bound",
    "50",
  ),
  RESTIC_FORGET_ARGS: words("the retention policy for restic forget, for example --keep-daily 7"),
  RESTIC_FORGET_SCOPE: text(
    "repository: the policy is applied to every snapshot; host: only to those of this host and RESTIC_TAG",
    "repository",
  ),
  RESTIC_CHECK_ARGS: words("additional arguments for restic check"),
  RESTIC_PRUNE_ARGS: words("additional arguments for restic prune"),
  RESTIC_INIT_ARGS: words("additional arguments for restic init"),
  BACKUP_CRON: cron("backup", "when backup runs; off or empty: no backup here", "0 */6 * * *", {
    emptyIsOff: true,
  }),
  CHECK_CRON: cron("check", "when check runs; off when empty, or by off, as every schedule"),
  FORGET_CRON: cron("forget", "when forget runs on its own; backup then no longer forgets; off when empty"),
  PRUNE_CRON: cron("prune", "when prune runs; off when empty"),
  REPLICATE_CRON: cron("replicate", "when replicate runs; off when empty", undefined, { old: "SYNC_CRON" }),
  RESTORE_TEST_CRON: cron("restore-test", "when restore-test runs; off when empty"),
  ROTATE_LOG_CRON: cron(
    "rotate_log",
    "when rotate_log checks whether cron.log is due for rotation",
    "0 0 * * 6",
  ),
  CRON_LOG_MAX_SIZE: count("size in bytes from which cron.log is rotated", "1048576"),
  MAX_CRON_LOG_ARCHIVES: count("number of archives of cron.log to keep", "5"),
  HOOK_TIMEOUT: seconds("how long a hook may take; 0 for no limit", "0"),
  "HOOK_TIMEOUT_<PHASE>": seconds("the same for one phase, for example HOOK_TIMEOUT_PRE_BACKUP"),
  HOOK_KILL_AFTER: seconds("time from a timed-out hook's SIGTERM to its SIGKILL", "10"),
  HOOK_LOG_MAX_BYTES: count(
    "bytes that one hook may add to the run's log; what is more goes to stdout only",
    "1048576",
  ),
  HOOK_STDOUT_MAX_BYTES: count(
    "bytes that one hook may add to stdout, which is cron.log; what is more is counted and left out",
    "67108864",
  ),
  STOP_TIMEOUT: seconds("limit for everything that happens after SIGTERM, SIGINT, SIGHUP or SIGQUIT", "8"),
  "<WORKER>_TIMEOUT": seconds("limit for the work itself, for example BACKUP_TIMEOUT=6h; none when empty"),
  WORK_KILL_AFTER: seconds("time from the SIGINT to SIGKILL, when the work has timed out", "30"),
  PROGRESS_INTERVAL: seconds("time between two progress lines in a log; 0 for no such lines", "60"),
  HISTORY_MAX_RUNS: count(
    "number of runs that history.jsonl keeps, and at most as many skips between them",
    "1000",
  ),
  RCLONE_CONFIG: text("rclone's configuration file", "/config/rclone.conf"),
  REPLICATE_JOB_FILE: text("the file with the rows that replicate processes", "/config/replicate_jobs.txt", {
    old: "SYNC_JOB_FILE",
  }),
  REPLICATE_JOB_ARGS: words("additional arguments for every rclone call", undefined, {
    old: "SYNC_JOB_ARGS",
  }),
  REPLICATE_VERBOSE: onOff("write replicate's messages to stdout too", "ON", { old: "SYNC_VERBOSE" }),
  REPLICATE_BISYNC_CHECK_ACCESS: onOff("add --check-access to every bisync", "OFF", {
    old: "SYNC_BISYNC_CHECK_ACCESS",
  }),
  RESTORE_TEST_ID: text("restore-test: the snapshot to restore; the latest when empty"),
  RESTORE_TEST_TAG: text("restore-test: only snapshots with this tag; RESTIC_TAG when empty"),
  RESTORE_TEST_HOST: text("restore-test: only snapshots of this host; HOSTNAME when empty"),
  RESTORE_TEST_PATH: lines(
    "restore-test: only these paths of the snapshot, one per line or separated by blanks",
  ),
  RESTORE_TEST_TARGET: text("restore-test: restore into this directory"),
  RESTORE_TEST_SAMPLE: count(
    "restore-test: restore only N random files and compare them with the sources; 0 for all",
    "0",
  ),
  RESTORE_TEST_CANARY: lines("restore-test: PATH=SHA256, one per line or separated by blanks"),
  RESTORE_TEST_CANARY_FILE: text("restore-test: a file of such lines, or the output of sha256sum"),
  RESTORE_TEST_KEEP: onOff("restore-test: keep the restored files", "OFF"),
  RESTORE_TEST_MIN_FILES: count("restore-test: fail unless at least N files are restored", "1"),
  RESTORE_TEST_VERIFY: onOff("restore-test: have restic verify what it wrote", "OFF"),
  RESTORE_TEST_FORCE: onOff("restore-test: allow other files in the target", "OFF"),
  RESTORE_TEST_DRY_RUN: onOff("restore-test: only report what would be restored", "OFF"),
  NFS_TARGET: text("an NFS export that entry mounts on /mnt/restic"),
  METRICS_DIR: text("the folder for restic_<worker>.<host>.prom files; none are written when empty"),
  WEBHOOK_URL: text("the URL to which the run's record is POSTed", undefined, { secret: true, file: true }),
  WEBHOOK_HEADER_AUTH: text("the webhook's Authorization header", undefined, { secret: true, file: true }),
  WEBHOOK_TIMEOUT: seconds("limit for one attempt to deliver the webhook", "10", { file: true }),
  WEBHOOK_ON_ERROR: onOff(
    "send the webhook only when something is wrong, and when all is well again",
    "OFF",
    {
      file: true,
    },
  ),
  HEALTHCHECKS_URL: text("the URL to ping for backup, with /start and /<exit code> appended", undefined, {
    secret: true,
    file: true,
  }),
  "HEALTHCHECKS_URL_<WORKER>": text(
    "the same for another worker, for example HEALTHCHECKS_URL_CHECK, or HEALTHCHECKS_URL_CHECK_FILE",
    undefined,
    { secret: true },
  ),
  HEALTHCHECKS_LOG: onOff("send the end of the run's log with the ping, too", "OFF"),
  MAILX_RCPT: text("recipients of the run's mail, separated by commas", undefined, { file: true }),
  MAILX_ON_ERROR: onOff("send a mail only when something is wrong, and when all is well again", "OFF"),
  ALERT_ON: choice(
    ["FAILURE", "WARNING", "ALWAYS"],
    "what mail and webhook send: failures only, warnings too, or every run; an ON_ERROR that is set wins",
    "ALWAYS",
  ),
  HOSTNAME: text("the host's name in records and snapshots; the system's own when empty"),
  TZ: text("the time zone of logs and schedules, as libc understands it"),
  NO_COLOR: text("when not empty, print no colour on a terminal"),
  TMPDIR: text("the folder for temporary files", "/tmp"),
  RESTIC_BACKUP_HELPER_RELEASE: text("the release string of the image; built in"),
  HOOKS_DIR: text("the folder of the hooks", "/hooks"),
  LOG_DIR: text("the folder for logs, records and history", "/var/log"),
  LOCK_DIR: text("the folder for lock files and the markers of running workers", "/var/run"),
  CRONTAB_DIR: text("the folder in which entry writes the crontab", "/var/spool/cron/crontabs"),
} as const satisfies Record<string, Variable>;

export type VariableName = keyof typeof variables;

/** The names of the variables of one kind, so that reading one as another does not compile. */
export type NameOf<K extends Kind> = {
  [N in VariableName]: (typeof variables)[N] extends Variable<K> ? N : never;
}[VariableName];

/** The values of a variable that is a choice. */
export type OptionOf<N extends VariableName> = (typeof variables)[N] extends {
  readonly options: readonly (infer O)[];
}
  ? O
  : never;

/** The same declarations, seen as the general type. */
export const declarations: Readonly<Record<VariableName, Variable>> = variables;
