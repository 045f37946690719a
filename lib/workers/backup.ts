/** backup: `restic backup`, then `restic forget` where a policy is set and nobody else does it. */

import { ConfigError, EXIT, UsageError } from "../errors.ts";
import type { Retention } from "../restic/apply-policy.ts";
import {
  type BackupWords,
  backupArgs,
  isDryRun,
  misreading,
  namedFiles,
  nothingNamed,
  pathsIn,
  readFlags,
} from "../restic/backup-args.ts";
import { repositoryInside } from "../restic/inside.ts";
import {
  type BackupSummary,
  type ErrorMessage,
  errorText,
  type Message,
  oneLine,
  REPOSITORY_EXITS,
  RESTIC,
  skippedSource,
} from "../restic/messages.ts";
import { Progress } from "../restic/progress.ts";
import { lockWaitOf, RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import { RETENTION_ENVIRONMENT, retentionFacts } from "../restic/retention.ts";
import type { FlagValues } from "../run/command.ts";
import type { Outcome, Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { formerUsual, judgeSources, type Seen, usualFacts } from "../sources/usual.ts";
import { lastFields, repositoryIdOf } from "../state/record.ts";
import { formatBytes, plural } from "../text.ts";

/** Unreadable paths that are named in the log and in the record; the others are counted. */
const NAMED_MOST = 20;

const facts = {
  backup_root_dir: { type: "string", help: "BACKUP_ROOT_DIR, one path a line" },
  restic_tag: { type: "string", help: "RESTIC_TAG" },
  snapshot_id: { type: "string", help: "the new snapshot's short id" },
  repository_id: { type: "string", help: "the repository's id, as it was known last" },
  files_new: { type: "count", help: "files that the parent snapshot does not have" },
  files_changed: { type: "count", help: "files that have changed since the parent snapshot" },
  files_unmodified: { type: "count", help: "files that are as they are in the parent snapshot" },
  dirs_new: { type: "count", help: "directories that the parent snapshot does not have" },
  dirs_changed: { type: "count", help: "directories that have changed since the parent snapshot" },
  dirs_unmodified: { type: "count", help: "directories that are as they are in the parent snapshot" },
  total_files_processed: { type: "count", help: "files in the snapshot" },
  total_bytes_processed: { type: "count", help: "bytes in the files of the snapshot" },
  bytes_added: { type: "size", help: "data_added_bytes with its unit, for people" },
  data_added_bytes: { type: "count", help: "bytes of data that the repository did not hold before" },
  bytes_stored: { type: "size", help: "data_stored_bytes with its unit, for people" },
  data_stored_bytes: { type: "count", help: "bytes that were added to the repository, after compression" },
  unreadable_count: { type: "count", help: "files and folders that could not be read" },
  unreadable_paths: { type: "strings", help: "the first of them" },
  ...usualFacts,
  ...retentionFacts,
} as const satisfies Fields;

const flags = {
  accept: {
    type: "boolean",
    description: "take what this backup finds as usual: a source that is empty, or a link, or has shrunk",
  },
  "dry-run": { type: "boolean", description: "save nothing, and say what would be saved" },
} as const;

type BackupFlags = FlagValues<typeof flags>;
type BackupFacts = FactsOf<typeof facts>;
type BackupRun = Run<BackupFacts>;

export default defineWorker({
  about:
    "Backs up BACKUP_ROOT_DIR with restic, then applies the retention policy of RESTIC_FORGET_ARGS when the " +
    "backup succeeded and no FORGET_CRON is set.",
  flags,
  environment: [
    ...RESTIC_ENVIRONMENT,
    ...RETENTION_ENVIRONMENT,
    "RESTIC_RETRY_LOCK",
    "BACKUP_ROOT_DIR",
    "BACKUP_EXPECT_EMPTY",
    "BACKUP_MIN_PERCENT",
    "FORGET_CRON",
    "RESTIC_COMPRESSION",
  ],
  exits: [
    ["0", "a snapshot was made"],
    ["1", "restic failed"],
    ["3", "a snapshot was made, but some files could not be read"],
    ...REPOSITORY_EXITS,
  ],
  check: ({ flags }) => {
    if (flags.accept && flags["dry-run"])
      throw new UsageError("--accept takes what a backup finds as usual, and with --dry-run there is none.");
  },
  facts,
  subject: ({ bytes_added }) => bytes_added && `${bytes_added} new`,
  work,
});

async function work(run: BackupRun, { flags }: { readonly flags: BackupFlags }): Promise<Outcome> {
  const { logDir, mask } = run.context;
  const last = lastFields(run.context, "backup");
  const former = formerUsual(logDir, last);
  // Handed on, whatever becomes of this run; a good one sets its own.
  run.addFacts({
    ...former,
    backup_root_dir: run.settings.lines("BACKUP_ROOT_DIR").join("\n"),
    restic_tag: run.settings.text("RESTIC_TAG"),
  });
  const plan = readBackupPlan(run);
  const retention = await dueRetention(run);
  const restic = new Restic(run);
  run.log.info(`Backing up to ${restic.shown}.`);
  const known = repositoryIdOf(last, mask(restic.shown));
  if (known !== undefined) run.addFacts({ repository_id: known });
  const beganMs = Date.now();
  const output = new BackupOutput(run);
  const words = backupArgs({ ...plan, isDryRun: flags["dry-run"] });
  const [ended, seen] = await Promise.all([
    restic.call(words, {
      onMessage: (message) => output.message(message),
      onWords: (line) => output.line(line),
      lockWait: lockWaitOf(run),
    }),
    lookAtSources(run, plan),
  ]).finally(() => output.conclude());
  // Before 0.19 restic exits with 0 although a source was not there at all.
  const exitCode = ended.exitCode === EXIT.ok && output.unreadable > 0 ? RESTIC.incomplete : ended.exitCode;
  if (exitCode !== EXIT.ok && exitCode !== RESTIC.incomplete) {
    await restic.afterFailure("backup", exitCode);
    return { exitCode };
  }
  await noteRepository(run, restic, beganMs, last.finished_epoch);
  if (output.isDryRun || flags["dry-run"] || isDryRun(plan.jobArgs)) return dryRun(run, exitCode, flags);
  const problem = [
    exitCode === EXIT.ok ? undefined : incomplete(run, output),
    output.hasSummary ? undefined : noSummary(run),
  ].find((each) => each !== undefined);
  const mistrust = await judgeSources(run, seen, former, {
    accepts: flags.accept,
    isGood: problem === undefined,
    lookInto: async (sources) => (await import("../sources/sight.ts")).lookAt(sources, true),
  });
  const reason = problem ?? mistrust;
  if (reason === undefined) return retention === undefined ? { exitCode } : forget(run, restic, retention);
  retention?.withhold(reason);
  return { exitCode, status: "warning" };
}

/** What restic is about to read, and whether the repository is among it. */
async function lookAtSources(run: BackupRun, { roots, jobArgs }: Plan): Promise<readonly Seen[]> {
  const [root] = roots;
  // restic's own count says whether the only source is empty.
  const isSingle = roots.length === 1 && namedFiles(jobArgs).length === 0 && pathsIn(jobArgs).length === 0;
  const seen =
    isSingle && root !== undefined
      ? [{ path: root, origin: "BACKUP_ROOT_DIR", sight: { is: "filled" } as const }]
      : await lookAtAll(roots, jobArgs);
  const paths = seen.map(({ path }) => path);
  const inside = await repositoryInside(run.context.repository, paths, jobArgs);
  if (inside !== undefined) run.alert("repository-in-source", inside);
  return seen;
}

async function lookAtAll(roots: readonly string[], jobArgs: readonly string[]): Promise<readonly Seen[]> {
  const [{ namedSources }, { lookAt }] = await Promise.all([
    import("../restic/lists.ts"),
    import("../sources/sight.ts"),
  ]);
  return lookAt(namedSources(roots, jobArgs));
}

/** A repository may be replaced by another one that opens with the same password: only its id tells. */
async function noteRepository(
  run: BackupRun,
  restic: Restic,
  beganMs: number,
  lastEpoch: unknown,
): Promise<void> {
  const before = run.facts.repository_id;
  const id = restic.cachedId(beganMs) ?? (await askForId(run, restic, lastEpoch));
  if (id === undefined || id === before) return;
  run.addFacts({ repository_id: id });
  if (before === undefined) return;
  const { changedText } = await import("../restic/open.ts");
  run.alert("repository-changed", changedText(restic.shown, before, id));
}

/** Without a cache restic is asked, once a day: deriving the key takes a second. undefined where it is not asked. */
async function askForId(
  { settings, facts }: BackupRun,
  restic: Restic,
  lastEpoch: unknown,
): Promise<string | undefined> {
  const { RESTIC_OPTIONS, RESTIC_JOB_ARGS } = settings.env;
  if (!`${RESTIC_OPTIONS} ${RESTIC_JOB_ARGS}`.includes("--no-cache")) return undefined;
  const dayOf = (seconds: unknown) => Math.floor(Number(seconds) / 86_400);
  const isKnown = facts.repository_id !== undefined;
  if (isKnown && dayOf(lastEpoch) === dayOf(Date.now() / 1000)) return undefined;
  const { repositoryIdIn } = await import("../restic/open.ts");
  let text = "";
  await restic.call(["cat", "config", "--no-lock"], {
    onLine: (line) => {
      text += line;
    },
  });
  return repositoryIdIn(text);
}

function dryRun(run: BackupRun, exitCode: number, flags: BackupFlags): Outcome {
  if (flags["dry-run"]) run.log.info("This was a dry run: nothing was saved.");
  else
    run.alert(
      "dry-run",
      "RESTIC_JOB_ARGS makes every backup a dry run: nothing was saved. Take --dry-run (-n) out of it; to try a backup " +
        "once, run backup --dry-run.",
    );
  return { exitCode, status: "dry-run" };
}

/** Says by an alert what could not be read; returns the same as a clause. */
function incomplete(run: BackupRun, { unreadable }: BackupOutput): string {
  const [first] = run.facts.unreadable_paths ?? [];
  const what = unreadable === 0 ? "some files" : plural(unreadable, "file or folder", "files or folders");
  const named = first === undefined ? "" : `: ${oneLine(first)}${unreadable > 1 ? " and others" : ""}`;
  run.alert(
    "incomplete",
    `A snapshot was made, but ${what} could not be read (exit 3)${named}. Give backup access, or leave out what is not ` +
      "needed with --exclude in RESTIC_JOB_ARGS.",
  );
  return `${what} could not be read${named}.`;
}

function noSummary(run: BackupRun): string {
  run.alert(
    "no-summary",
    "restic reported no snapshot; run restic snapshots to see whether there is one, and whether the restic on PATH is " +
      "a real one.",
  );
  return "restic reported no snapshot.";
}

type Plan = Omit<BackupWords, "isDryRun">;

/** Finds everything that can be wrong with the configuration before restic is started. */
function readBackupPlan({ settings }: Run): Plan {
  const tag = settings.given("RESTIC_TAG") ? (settings.env.RESTIC_TAG ?? "") : settings.text("RESTIC_TAG");
  if (tag.trim() === "") {
    throw new ConfigError("RESTIC_TAG is empty. Give it a tag, or unset it for the default, automated.");
  }
  const roots = settings.lines("BACKUP_ROOT_DIR");
  const jobArgs = settings.words("RESTIC_JOB_ARGS");
  const nothing = roots.length === 0 ? nothingNamed(jobArgs) : undefined;
  if (nothing !== undefined) throw new ConfigError(nothing);
  const problem = misreading(jobArgs, roots);
  if (problem !== undefined) throw new ConfigError(problem);
  const namesHost = readFlags(jobArgs).some(({ flag }) => flag === "--host" || flag === "-H");
  const host = namesHost || settings.env.RESTIC_HOST ? undefined : settings.text("HOSTNAME");
  return { tag, host, jobArgs, roots };
}

/**
 * The retention that follows a backup; undefined where there is no policy, or FORGET_CRON leaves it to forget. Throws a
 * ConfigError for a policy that cannot be what was meant.
 */
async function dueRetention(run: BackupRun): Promise<Retention | undefined> {
  const { settings } = run;
  if (settings.words("RESTIC_FORGET_ARGS").length === 0 || settings.text("FORGET_CRON") !== "")
    return undefined;
  const { Retention } = await import("../restic/apply-policy.ts");
  const retention = new Retention(run);
  await retention.refuseTooNew();
  return retention;
}

async function forget(run: BackupRun, restic: Restic, retention: Retention): Promise<Outcome> {
  run.log.info("Applying the retention policy of RESTIC_FORGET_ARGS.");
  // A time that was given may be older than that of the snapshots before.
  const isDated = run.settings.words("RESTIC_JOB_ARGS").some((word) => /^--time(=|$)/.test(word));
  const { exitCode, withheld } = await retention.apply(restic, {
    id: run.facts.snapshot_id ?? "none",
    isSuspect: isDated,
    repository: run.facts.repository_id,
  });
  const { isDryRun } = retention.policy;
  if (withheld !== undefined || (exitCode === EXIT.ok && isDryRun)) {
    retention.withhold(withheld ?? "RESTIC_FORGET_ARGS has --dry-run. Take it out.");
    return { exitCode: EXIT.ok, status: isDryRun ? "dry-run" : "warning" };
  }
  if (exitCode === EXIT.ok) return { exitCode };
  if (exitCode === RESTIC.locked) {
    run.alert(
      "retention-locked",
      "Forgetting was skipped, because the repository is locked; the backup itself is done.",
    );
    return { exitCode: EXIT.ok };
  }
  await restic.afterFailure("forget", exitCode);
  run.fail("The backup itself is done; only the retention policy was not applied.");
  return { exitCode, status: "failed" };
}

/** What restic reports while it works. */
class BackupOutput {
  unreadable = 0;
  /** Has restic printed its summary? Every version does when it succeeds, even with --quiet and --dry-run. */
  hasSummary = false;
  /** Has it saved nothing, as it was told? */
  isDryRun = false;
  private readonly paths: string[] = [];
  private readonly progress: Progress;

  constructor(private readonly run: BackupRun) {
    this.progress = new Progress(run);
  }

  message(message: Message): boolean {
    switch (message.message_type) {
      case "status":
        this.progress.show(message);
        return true;
      case "summary":
        this.summary(message);
        return true;
      case "error":
        return this.error(message);
      default:
        return false;
    }
  }

  line(line: string): boolean {
    const source = skippedSource(line);
    if (source !== undefined) this.count(source, `${source}: it does not exist`);
    return source !== undefined;
  }

  conclude(): void {
    if (this.unreadable === 0) return;
    const unnamed = this.unreadable - this.paths.length;
    if (unnamed > 0)
      this.run.log.warn(`${unnamed} more could not be read; the first ${NAMED_MOST} are named above.`);
    this.run.facts.unreadable_count = this.unreadable;
    this.run.facts.unreadable_paths = this.paths;
  }

  private error(message: ErrorMessage): boolean {
    // The scan that estimates the size meets the same paths first; each is counted once, when it is read.
    if (message.during === "scan") return true;
    if (!message.item) return false;
    this.count(message.item, errorText(message));
    return true;
  }

  private count(path: string, text: string): void {
    this.unreadable++;
    if (this.paths.length >= NAMED_MOST) return;
    this.paths.push(path);
    this.run.log.warn(`restic | could not read ${text}`);
  }

  private summary(summary: BackupSummary): void {
    this.hasSummary = true;
    this.isDryRun = summary.dry_run === true;
    this.run.addFacts(buildBackupFacts(summary));
    const { files_new = 0, files_changed = 0, files_unmodified = 0, data_added = 0 } = summary;
    this.run.log.info(
      `restic | snapshot ${this.run.facts.snapshot_id ?? "none"}: ${plural(files_new, "file")} new, ${files_changed} changed, ` +
        `${files_unmodified} unmodified; ${formatBytes(data_added)} added; ` +
        `${plural(summary.total_files_processed ?? 0, "file")}, ${formatBytes(summary.total_bytes_processed ?? 0)} processed`,
    );
  }
}

function buildBackupFacts(summary: BackupSummary): BackupFacts {
  const { data_added, data_added_packed, snapshot_id, dry_run } = summary;
  const counts = [
    "files_new",
    "files_changed",
    "files_unmodified",
    "dirs_new",
    "dirs_changed",
    "dirs_unmodified",
    "total_files_processed",
    "total_bytes_processed",
  ] as const;
  return {
    ...(snapshot_id && !dry_run ? { snapshot_id: snapshot_id.slice(0, 8) } : {}),
    ...Object.fromEntries(
      counts.flatMap((name) => (summary[name] === undefined ? [] : [[name, summary[name]]])),
    ),
    ...(data_added === undefined
      ? {}
      : { bytes_added: formatBytes(data_added), data_added_bytes: data_added }),
    ...(data_added_packed === undefined
      ? {}
      : { bytes_stored: formatBytes(data_added_packed), data_stored_bytes: data_added_packed }),
  };
}
