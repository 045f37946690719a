/**
 * Every environment variable, declared once. doctor, config-check, --help, the README's table and masking
 * read this declaration; nothing else names a default.
 */

export type Kind = "text" | "lines" | "words" | "switch" | "choice" | "count" | "seconds" | "cron";

export interface Variable<K extends Kind = Kind> {
  readonly kind: K;
  /** What an unset or empty variable means; undefined for "nothing". */
  readonly fallback: string | undefined;
  /** One line of help. */
  readonly help: string;
  /** The values that a switch or a choice may have, in capitals; any case is understood. */
  readonly options?: readonly string[];
  /** The value, or what the file of a `_FILE` variable holds, never appears anywhere. */
  readonly secret?: true;
  /** May be given as `<NAME>_FILE` too. */
  readonly file?: true;
  /** A former name, still accepted with a warning. */
  readonly old?: string;
  /** Handed to the tool by the environment itself; we only document it. */
  readonly passed?: true;
  /** What a schedule starts: a row of the table of commands. */
  readonly job?: string;
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
  RESTIC_REPOSITORY: text("the repository; RESTIC_REPOSITORY_FILE wins over it", "/mnt/restic"),
  RESTIC_REPOSITORY_FILE: text(
    "a file whose first line that is neither blank nor a comment is the repository",
  ),
  RESTIC_PASSWORD: text("the repository's password", undefined, { secret: true }),
  RESTIC_PASSWORD_FILE: text("a file that holds the password", undefined, { passed: true }),
  RESTIC_PASSWORD_COMMAND: text("a command that prints the password", undefined, {
    passed: true,
    secret: true,
  }),
  RESTIC_TAG: text("the tag of every snapshot that backup makes; must not be empty", "automated"),
  RESTIC_CACHE_DIR: text("restic's cache directory", undefined, { passed: true }),
  RESTIC_CACERT: text("a file of CA certificates, added to every restic call as --cacert when readable"),
  RESTIC_COMPRESSION: text("restic's compression: auto, off or max", undefined, { passed: true }),
  RESTIC_CHECK_REPOSITORY_STATUS: onOff("entry probes the repository and creates a missing one", "ON"),
  RESTIC_AUTO_UNLOCK: choice(
    ["OFF", "ON", "STALE"],
    "OFF: no lock is removed; ON: `restic unlock` after a failure that is not a locked repository; STALE: when a " +
      "lock is in the way, one of this host whose process is gone is removed, and the work tried once more",
    "OFF",
  ),
  BACKUP_ROOT_DIR: lines("what to back up, one path per line"),
  RESTIC_JOB_ARGS: words("further words for restic backup, quoted as in a shell, never expanded"),
  RESTIC_FORGET_ARGS: words("the retention policy for restic forget, for example --keep-daily 7"),
  RESTIC_CHECK_ARGS: words("further words for restic check"),
  RESTIC_PRUNE_ARGS: words("further words for restic prune"),
  RESTIC_INIT_ARGS: words("further words for restic init"),
  BACKUP_CRON: cron("backup", "when backup runs", "0 */6 * * *"),
  CHECK_CRON: cron("check", "when check runs; off when empty"),
  FORGET_CRON: cron("forget", "when forget runs on its own; backup then leaves forgetting to it"),
  PRUNE_CRON: cron("prune", "when prune runs; off when empty"),
  REPLICATE_CRON: cron("replicate", "when replicate runs; off when empty", undefined, { old: "SYNC_CRON" }),
  RESTORE_TEST_CRON: cron("restore-test", "when restore-test runs; off when empty"),
  ROTATE_LOG_CRON: cron("rotate_log", "when cron.log is looked at for rotation", "0 0 * * 6"),
  CRON_LOG_MAX_SIZE: count("bytes of cron.log from which it is rotated", "1048576"),
  MAX_CRON_LOG_ARCHIVES: count("archives of cron.log that are kept", "5"),
  HOOK_TIMEOUT: count("whole seconds that a hook may take; 0 for no limit", "0"),
  "HOOK_TIMEOUT_<PHASE>": count("the same for one phase, for example HOOK_TIMEOUT_PRE_BACKUP"),
  HOOK_KILL_AFTER: count("seconds from a timed-out hook's SIGTERM to its SIGKILL", "10"),
  HOOK_LOG_MAX_BYTES: count(
    "bytes that one hook may add to the run's log; cron.log gets all of it",
    "1048576",
  ),
  STOP_TIMEOUT: seconds("bounds all that happens after SIGTERM, SIGINT or SIGHUP", "8"),
  "<WORKER>_TIMEOUT": seconds("bounds the work itself, for example BACKUP_TIMEOUT=6h; none when empty"),
  WORK_KILL_AFTER: seconds("seconds from the SIGINT to work that timed out to its SIGKILL", "30"),
  PROGRESS_INTERVAL: seconds("seconds between progress lines in a log; 0 for none", "60"),
  HISTORY_MAX_RUNS: count("lines that history.jsonl keeps", "1000"),
  RCLONE_CONFIG: text("rclone's configuration file", "/config/rclone.conf"),
  REPLICATE_JOB_FILE: text("the rows that replicate works through", "/config/replicate_jobs.txt", {
    old: "SYNC_JOB_FILE",
  }),
  REPLICATE_JOB_ARGS: words("further words for every rclone call", undefined, { old: "SYNC_JOB_ARGS" }),
  REPLICATE_VERBOSE: onOff("messages of replicate go to stdout too", "ON", { old: "SYNC_VERBOSE" }),
  REPLICATE_BISYNC_CHECK_ACCESS: onOff("add --check-access to every bisync", "OFF", {
    old: "SYNC_BISYNC_CHECK_ACCESS",
  }),
  RESTORE_TEST_ID: text("restore-test: this snapshot instead of the latest"),
  RESTORE_TEST_TAG: text("restore-test: only snapshots with this tag; RESTIC_TAG when empty"),
  RESTORE_TEST_HOST: text("restore-test: only snapshots of this host; HOSTNAME when empty"),
  RESTORE_TEST_PATH: text("restore-test: only this path of the snapshot"),
  RESTORE_TEST_TARGET: text("restore-test: restore into this directory"),
  RESTORE_TEST_SAMPLE: count("restore-test: so many random files, compared with the sources; 0 for all", "0"),
  RESTORE_TEST_CANARY: lines("restore-test: PATH=SHA256, one per line"),
  RESTORE_TEST_CANARY_FILE: text("restore-test: a file of such lines, or of sha256sum's"),
  RESTORE_TEST_KEEP: onOff("restore-test: keep what was restored", "OFF"),
  RESTORE_TEST_MIN_FILES: count("restore-test: files that must come back at the least", "1"),
  RESTORE_TEST_VERIFY: onOff("restore-test: let restic verify what it wrote", "OFF"),
  RESTORE_TEST_FORCE: onOff("restore-test: the target may hold other files", "OFF"),
  RESTORE_TEST_DRY_RUN: onOff("restore-test: only say what would be restored", "OFF"),
  NFS_TARGET: text("entry mounts this NFS export on /mnt/restic"),
  METRICS_DIR: text("where restic_<worker>.prom files go; none when empty"),
  WEBHOOK_URL: text("the run's record is POSTed there", undefined, { secret: true, file: true }),
  WEBHOOK_HEADER_AUTH: text("the webhook's Authorization header", undefined, { secret: true, file: true }),
  WEBHOOK_TIMEOUT: seconds("seconds that one attempt may take", "10", { file: true }),
  WEBHOOK_ON_ERROR: onOff("send only when the exit code is not 0", "OFF", { file: true }),
  HEALTHCHECKS_URL: text("pinged with /start and /<exit code>", undefined, { secret: true, file: true }),
  MAILX_RCPT: text("recipients of the run's mail, separated by commas", undefined, { file: true }),
  MAILX_ON_ERROR: onOff("mail only when the exit code is not 0", "OFF"),
  HOSTNAME: text("the host's name in records and snapshots; the system's own when empty"),
  TZ: text("the time zone of logs and schedules, as libc understands it"),
  NO_COLOR: text("no colour on a terminal when not empty"),
  TMPDIR: text("where temporary files go", "/tmp"),
  RESTIC_BACKUP_HELPER_RELEASE: text("the release string of the image; built in"),
  HOOKS_DIR: text("where hooks are looked for", "/hooks"),
  LOG_DIR: text("where logs, records and history go", "/var/log"),
  LOCK_DIR: text("where lock files and markers of running workers are", "/var/run"),
  CRONTAB_DIR: text("where entry writes the crontab", "/var/spool/cron/crontabs"),
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
