/** replicate: `rclone bisync`, `sync` or `copy` for each row of the job file. */

import { ConfigError, EXIT, Failure, reasonOf } from "../errors.ts";
import { fileExposures } from "../hooks/discover.ts";
import { createRemoteMask, maskRemote } from "../mask.ts";
import { resolveProgram } from "../process/spawn.ts";
import { isDry, valueOfFlag, withoutOurs, withoutResync } from "../rclone/args.ts";
import { bisync, type PairEnd } from "../rclone/bisync.ts";
import { boundSync, boundText, jobArgsProblem } from "../rclone/bound.ts";
import { findPast } from "../rclone/past.ts";
import { exitText, explainWords, Rclone, type Totals } from "../rclone/rclone.ts";
import {
  type JobFile,
  type JobRow,
  MODES,
  malformedText,
  NO_ROW,
  ROWS_ARE_CODE,
  readJobFile,
} from "../rclone/rows.ts";
import { TransferProgress } from "../rclone/stats.ts";
import type { Invocation } from "../run/command.ts";
import { exitOfStopped, type Outcome, type Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import { formatBytes, formatDuration, plural } from "../text.ts";

const facts = {
  replicate_jobs_processed: { type: "count", help: "rows of the job file that were worked on" },
  replicate_jobs_failed: { type: "count", help: "rows of the job file that failed" },
  replicate_jobs_undone: {
    type: "count",
    help: "rows that were left undone, because the run was stopped",
  },
  replicate_files_deleted: { type: "count", help: "files that sync and bisync deleted, in all rows" },
  replicate_jobs: {
    type: "rows",
    help: "what became of each row, in the order of the job file",
    fields: {
      line: { type: "count", help: "the row's line in the job file" },
      text: { type: "string", help: "a malformed row as it is written" },
      error: { type: "string", help: "why the row is malformed, or was not worked on" },
      source: { type: "string", help: "the row's source" },
      destination: { type: "string", help: "the row's destination" },
      mode: { type: "choice", options: MODES, help: "what rclone was called for" },
      exit_code: { type: "exit code", help: "rclone's exit code; 1 for a malformed row" },
      dry_run: { type: "boolean", help: "rclone ran with --dry-run and changed nothing" },
      recovered: { type: "boolean", help: "bisync had lost its listings and was recovered" },
      duration_seconds: { type: "count", help: "how long the row took" },
      files: { type: "count", nullable: true, help: "files that were transferred" },
      bytes: { type: "count", nullable: true, help: "bytes that were transferred" },
      deletes: { type: "count", nullable: true, help: "files that were deleted" },
      destination_files: {
        type: "count",
        help: "files that a good run has left at the destination, where it counted",
      },
      kept_aside: { type: "strings", help: "files that were replaced, where they are kept; at most 100" },
    },
  },
} as const satisfies Fields;

type ReplicateRun = Run<FactsOf<typeof facts>>;
/** A row of the record. */
type RowFact = FactsOf<(typeof facts)["replicate_jobs"]["fields"]> & {
  readonly line: number;
  readonly exit_code: number;
};

export default defineWorker({
  about:
    "Works through REPLICATE_JOB_FILE, a row `SOURCE;DESTINATION[;MODE[;EXTRA]]` a line: MODE is bisync (the " +
    "default), sync or copy, EXTRA further words for rclone, `#` begins a comment. A row that fails does not stop " +
    "the others. A bisync whose listings are lost or broken is recovered by copying both ways and starting over. " +
    "sync does not start from an empty source, and deletes at most half of what is there, unless EXTRA says " +
    "--allow-empty-source or --max-delete N.",
  flags: {},
  environment: [
    "REPLICATE_JOB_FILE",
    "REPLICATE_JOB_ARGS",
    "REPLICATE_VERBOSE",
    "REPLICATE_BISYNC_CHECK_ACCESS",
    "RCLONE_CONFIG",
    "BACKUP_ROOT_DIR",
    "PROGRESS_INTERVAL",
  ],
  exits: [
    ["0", "every row was worked through, if need be by a recovery"],
    ["1", "the job file is missing, empty or not to be read; or its first failure is a malformed row"],
    ["other", "rclone's own, of the first row that failed"],
  ],
  facts,
  subject: ({ replicate_jobs_processed: processed, replicate_jobs_failed: failed, ...facts }) =>
    processed === undefined || failed === undefined
      ? undefined
      : `${plural(processed, "job")} (${failed} failed)${deletedText(facts.replicate_files_deleted)}`,
  isSuccessMailed: ({ replicate_jobs_failed, replicate_files_deleted }) =>
    replicate_jobs_failed !== 0 || (replicate_files_deleted ?? 0) > 0,
  work,
});

/** What holds for every row. */
interface Common {
  /** REPLICATE_JOB_ARGS. */
  readonly args: readonly string[];
  readonly checkAccess: boolean;
  readonly progress: TransferProgress;
}

async function work(run: ReplicateRun, { called }: Invocation): Promise<Outcome> {
  const { log, settings } = run;
  if (called === "bisync")
    log.warn("bisync is the old name of this command and still works; call it replicate.");
  const common = {
    args: settings.words("REPLICATE_JOB_ARGS"),
    checkAccess: settings.flag("REPLICATE_BISYNC_CHECK_ACCESS"),
    progress: new TransferProgress(run),
  };
  const isVerbose = settings.flag("REPLICATE_VERBOSE");
  note(run, []);
  const problem = jobArgsProblem(common.args);
  if (problem !== undefined) throw new ConfigError(`REPLICATE_JOB_ARGS: ${problem}`);
  const path = settings.text("REPLICATE_JOB_FILE");
  const file = readJobs(path);
  const [exposure] = fileExposures(path, settings.lines("BACKUP_ROOT_DIR"));
  if (exposure !== undefined)
    log.warn(`REPLICATE_JOB_FILE=${exposure.said}. ${ROWS_ARE_CODE} It is used all the same.`);
  // Checked before the first row: without rclone none can be processed.
  resolveProgram("rclone", settings.env.PATH);
  log.quiet = !isVerbose;
  try {
    return await workThrough(run, file, common);
  } finally {
    log.quiet = false;
  }
}

function readJobs(path: string): JobFile {
  let file: JobFile;
  try {
    file = readJobFile(path);
  } catch (error) {
    throw new Failure(
      `REPLICATE_JOB_FILE=${path} cannot be read: ${reasonOf(error)}. Mount it, or name another.`,
      EXIT.failed,
    );
  }
  if (file.rows.length === 0 && file.malformed.length === 0) {
    throw new Failure(`REPLICATE_JOB_FILE=${path} ${NO_ROW}`, EXIT.failed);
  }
  return file;
}

async function workThrough(
  run: ReplicateRun,
  { rows, malformed }: JobFile,
  common: Common,
): Promise<Outcome> {
  const { log, facts } = run;
  const jobs: RowFact[] = [];
  for (const row of malformed) {
    const { line, text, why } = row;
    run.fail(`Line ${line} of the job file ${malformedText(row)}`);
    jobs.push({ line, text, error: why, exit_code: EXIT.failed });
  }
  note(run, jobs);
  let done = 0;
  for (const row of rows) {
    if (run.stopping) break;
    jobs.push(await workOn(run, row, { ...common, done, all: rows.length }));
    done++;
    note(run, jobs);
  }
  if (done < rows.length) {
    facts.replicate_jobs_undone = rows.length - done;
    log.warn(
      `The run is stopping: ${rows.length - done} of ${plural(rows.length, "job was", "jobs were")} left undone.`,
    );
  }
  const failed = inOrder(jobs).filter(isFailed);
  log.info(`${plural(jobs.length, "job")}, ${failed.length} failed.`);
  const exitCode = failed[0]?.exit_code ?? (done < rows.length ? EXIT.failed : EXIT.ok);
  const dry = jobs.filter(({ dry_run }) => dry_run === true);
  if (dry.length > 0) {
    run.alert(
      "dry-run",
      `${plural(dry.length, "job")} of ${jobs.length} replicated nothing, because rclone made a dry run. Take ` +
        "--dry-run (-n) out of REPLICATE_JOB_ARGS and the job file, and unset RCLONE_DRY_RUN.",
    );
  }
  // Where other rows did their work, the alert alone makes the run a warning.
  return exitCode === EXIT.ok && dry.length === jobs.length ? { exitCode, status: "dry-run" } : { exitCode };
}

interface RowContext extends Common {
  /** Rows that are behind us, and all that there are. */
  readonly done: number;
  readonly all: number;
}

async function workOn(
  run: Run,
  row: JobRow,
  { args, checkAccess, progress, done, all }: RowContext,
): Promise<RowFact> {
  const { log } = run;
  const { line, mode, source, destination, extra } = row;
  const begun = performance.now();
  const ours = withoutOurs(extra);
  const resync = withoutResync([...args, ...ours.words]);
  const words = mode === "bisync" && checkAccess ? ["--check-access", ...resync.words] : resync.words;
  const hide = createRemoteMask([source, destination, ...words]);
  const named = `job ${done + 1} of ${all} (line ${line}), ${mode} ${maskRemote(source)} -> ${maskRemote(destination)}`;
  log.info(`${named}: begun`);

  const rclone = new Rclone(run, hide, (stats) => progress.show(stats, done, all));
  const working =
    mode === "bisync"
      ? bisync(run, rclone, { source, destination, words, mode: resync.mode, past: findPast(run, row) })
      : mode === "sync"
        ? sync(run, rclone, row, words, ours.isAllowed)
        : rclone.transfer(mode, source, destination, words);
  const ended: RowEnd = await working.catch(exitOfStopped);
  const { exitCode, recovered = false, error, files: destinationFiles } = ended;
  const kept = (ended.kept ?? []).map(hide).map(maskRemote);

  const isRehearsed = isDry(words) || isTrue(run.settings.env.RCLONE_DRY_RUN);
  const { totals } = rclone;
  const seconds = Math.round((performance.now() - begun) / 1000);
  const moved = movedText(totals);
  for (const name of kept.slice(0, KEPT_MOST)) log.warn(`Replaced, and kept as ${name}`);
  if (kept.length > KEPT_MOST) log.warn(`So were ${kept.length - KEPT_MOST} more.`);
  if (run.stopping) log.warn(`${named}: stopped after ${formatDuration(seconds)}`);
  else if (exitCode !== EXIT.ok) {
    const why = error === undefined ? explainWords(ended.said) : hide(error);
    run.fail(
      `${named}: failed ${exitText(exitCode)} after ${formatDuration(seconds)}${moved}`,
      `Job of line ${line}, ${mode} ${maskRemote(source)} -> ${maskRemote(destination)}, failed ${exitText(exitCode)}. ${why}`.trim(),
    );
    if (error === undefined && why !== "") log.error(why);
  } else if (recovered) {
    run.alert(
      "recovered",
      `${named}: recovered in ${formatDuration(seconds)}${moved}, ${plural(kept.length, "replaced file")} kept aside. ` +
        "Look whether the files are as they should be; if this comes again and again, keep rclone's cache folder, " +
        "with bisync's listings, on a volume.",
    );
  } else log.info(`${named}: done in ${formatDuration(seconds)}${moved}`);
  return {
    line,
    source: maskRemote(source),
    destination: maskRemote(destination),
    mode,
    exit_code: exitCode,
    ...(error === undefined ? {} : { error: hide(error) }),
    recovered,
    duration_seconds: seconds,
    ...totals,
    ...(isRehearsed ? { dry_run: true } : {}),
    ...(destinationFiles === undefined || exitCode !== EXIT.ok || isRehearsed
      ? {}
      : { destination_files: destinationFiles }),
    ...(kept.length === 0 ? {} : { kept_aside: kept.slice(0, KEPT_MOST) }),
  };
}

/** How many files that were kept aside are named. */
const KEPT_MOST = 100;

/** What a row came to. */
type RowEnd = Pick<PairEnd, "exitCode" | "error" | "said"> &
  Partial<Pick<PairEnd, "recovered" | "kept" | "files">>;

async function sync(
  run: Run,
  rclone: Rclone,
  row: JobRow,
  words: readonly string[],
  isAllowed: boolean,
): Promise<RowEnd> {
  const { source, destination } = row;
  const { env } = run.settings;
  const bound = await boundSync(rclone, row, words, { isAllowed, past: findPast(run, row), env });
  if ("error" in bound) {
    run.log.error(bound.error);
    return bound;
  }
  // Ours come first, so that the operator's win.
  const { exitCode, maxDelete, said } = await rclone.transfer(row.mode, source, destination, [
    ...bound.words,
    ...words,
  ]);
  if (maxDelete) {
    const error = boundText(
      valueOfFlag(words, "max-delete") ?? bound.words[1] ?? env.RCLONE_MAX_DELETE ?? "",
    );
    run.log.error(error);
    return { exitCode, error };
  }
  return { exitCode, files: bound.files, ...(said === undefined ? {} : { said }) };
}

const isTrue = (value = ""): boolean => /^(1|t|true)$/i.test(value);

/** `, 1 file, 512 B, 3 files deleted`; nothing when rclone has not reported it. */
function movedText({ files, bytes, deletes }: Totals): string {
  if (files === null || bytes === null) return "";
  return `, ${plural(files, "file")}, ${formatBytes(bytes)}${deletedText(deletes)}`;
}

const deletedText = (deletes: number | null = 0): string =>
  deletes === null || deletes === 0 ? "" : `, ${plural(deletes, "file")} deleted`;

/** Updated while the work goes on, so that the record of a stopped run is complete. */
function note(run: ReplicateRun, jobs: readonly RowFact[]): void {
  run.addFacts({
    replicate_jobs_processed: jobs.length,
    replicate_jobs_failed: jobs.filter(isFailed).length,
    replicate_files_deleted: jobs.reduce((sum, { deletes }) => sum + (deletes ?? 0), 0),
    replicate_jobs: inOrder(jobs),
  });
}

const isFailed = ({ exit_code }: RowFact): boolean => exit_code !== EXIT.ok;
const inOrder = (jobs: readonly RowFact[]): RowFact[] => [...jobs].sort((a, b) => a.line - b.line);
