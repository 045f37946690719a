/**
 * The metrics of a worker's runs, in Prometheus' text format, in `METRICS_DIR/restic_<worker>.<host>.prom`: hosts may
 * share the folder. Whoever reads the file finds the old one or the new one, whole. Rendering is pure; RunMetrics and
 * writeSkips write.
 */

import { closeSync, existsSync, renameSync } from "node:fs";
import type { Context } from "../context.ts";
import { EXIT, errnoOf, Failure, reasonOf } from "../errors.ts";
import { discard, readIfThere, replaceFile } from "../files/files.ts";
import { isKnownSilent, SILENCE, silent } from "../files/mounts.ts";
import { removeDeadTempFiles } from "../process/proc.ts";
import type { Fields } from "../schema/fields.ts";
import { readRunsEnd, runsByJob } from "../state/history.ts";
import { lockShortly } from "../state/lock.ts";
import { hasSucceeded, hookName, isAhead, NEITHER, type RunRecord } from "../state/record.ts";
import { isPersonal } from "./trouble.ts";

/** What outlives a run: read from the file that the run before has left. */
export interface MetricsState {
  /** Epoch seconds; undefined before the first success. */
  readonly lastSuccess: number | undefined;
  readonly failures: number;
}

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** `restic-test` → `restic_restore_test`: the beginning of every metric's name, and the file's. */
export const metricsPrefix = (job: string): string => `restic_${job.replaceAll(/[^a-zA-Z0-9_]/g, "_")}`;

/** Reads back what renderMetrics has written; anything else counts as nothing known. */
export function parseMetrics(text: string, job: string): MetricsState {
  const prefix = metricsPrefix(job);
  return {
    lastSuccess: valueIn(text, `${prefix}_last_success_timestamp_seconds`),
    failures: valueIn(text, `${prefix}_consecutive_failures`) ?? 0,
  };
}

/**
 * The state after a run. A warning (a snapshot without some files) ends a row of failures and is not a success. `died`:
 * the run before this one was killed and could not count itself.
 */
export function stateAfter(
  before: MetricsState,
  record: RunRecord,
  died: boolean,
  isNeither = NEITHER.includes(record.status),
): MetricsState {
  const failures = before.failures + (died ? 1 : 0);
  if (hasSucceeded(record)) return { lastSuccess: record.finished_epoch, failures: 0 };
  if (record.status === "warning") return { ...before, failures: 0 };
  return { ...before, failures: isNeither ? failures : failures + 1 };
}

/**
 * The whole file. `skips` is how many runs in a row have been skipped until now, `fields` what the worker declares:
 * each of its numbers is a metric, as is each number that every run has.
 */
export function renderMetrics(
  record: RunRecord,
  state: MetricsState,
  skips: number,
  fields: Fields = {},
): string {
  const file = new MetricsFile(record.job, record.hostname);
  const last = (name: string, help: string, value: number) => file.add(`last_${name}`, help, [{ value }]);
  last("exit_code", "Exit code of the last run.", record.exit_code);
  last("success", "1 when the last run did its work, else 0.", hasSucceeded(record) ? 1 : 0);
  last("duration_seconds", "Duration of the last run's work, hooks not counted.", record.duration_seconds);
  last("started_timestamp", "When the last run's work began, in epoch seconds.", record.started_epoch);
  last("finished_timestamp", "When the last run's work ended, in epoch seconds.", record.finished_epoch);
  if (state.lastSuccess !== undefined) {
    const help = "When the last successful run's work ended, in epoch seconds.";
    file.add("last_success_timestamp_seconds", help, [{ value: state.lastSuccess }]);
  }
  file.add("consecutive_failures", "Failed runs in a row until now.", [{ value: state.failures }]);
  addSkips(file, skips);
  for (const [name, value] of Object.entries(record)) {
    if (typeof value !== "number") continue;
    const meaning = fields[name]?.help;
    last(
      name,
      meaning ? `In the last run: ${meaning}.` : `The field ${name} of the last run's record.`,
      value,
    );
  }
  addHooks(file, record);
  return file.text;
}

/** The file as it stands, with another number of skips; a file of that alone before the first run has ended. */
export function withSkips(text: string, job: string, hostname: string, skips: number): string {
  const line = new RegExp(`^(${metricsPrefix(job)}_consecutive_skips\\{.*\\}) \\S+$`, "m");
  if (line.test(text)) return text.replace(line, (_, series) => `${series} ${skips}`);
  const file = new MetricsFile(job, hostname);
  addSkips(file, skips);
  return text + file.text;
}

function addSkips(file: MetricsFile, value: number): void {
  file.add("consecutive_skips", "Runs in a row that were skipped, the one before still going on.", [
    { value },
  ]);
}

function addHooks(file: MetricsFile, { hooks }: RunRecord): void {
  const add = (
    name: string,
    help: string,
    reading: (hook: RunRecord["hooks"][number]) => number | undefined,
  ) =>
    file.add(
      `hook_${name}`,
      help,
      hooks.flatMap((hook) => {
        const value = reading(hook);
        return value === undefined ? [] : [{ labels: { hook: hookName(hook) }, value }];
      }),
    );
  add("exit_code", "Exit code of a hook in the last run.", (hook) => hook.exit_code);
  add("duration_seconds", "How long a hook of the last run took.", ({ duration_ms }) =>
    duration_ms === undefined ? undefined : duration_ms / 1000,
  );
  add("timed_out", "1 when a hook of the last run timed out.", ({ timed_out }) =>
    timed_out === undefined ? undefined : Number(timed_out),
  );
  add("error", "1 when a hook of the last run could not be run at all.", ({ error }) => (error ? 1 : 0));
}

class MetricsFile {
  text = "";
  private readonly names = new Set<string>();

  constructor(
    private readonly job: string,
    private readonly hostname: string,
  ) {}

  /** The first of a name stays: a field of a worker must not shadow what every run has. */
  add(suffix: string, help: string, samples: readonly Sample[]): void {
    const name = `${metricsPrefix(this.job)}_${suffix.replaceAll(/[^a-zA-Z0-9_]/g, "_")}`;
    const usable = samples.filter(({ value }) => Number.isFinite(value));
    if (this.names.has(name) || usable.length === 0) return;
    this.names.add(name);
    this.text += `# HELP ${name} ${help}\n# TYPE ${name} ${typeOf(name)}\n`;
    const seen = new Set<string>();
    for (const { labels = {}, value } of usable) {
      const series = `${name}{${labelsOf({ hostname: this.hostname, ...labels })}}`;
      if (!seen.has(series)) this.text += `${series} ${value}\n`;
      seen.add(series);
    }
  }
}

/** Names that end in what counters and histograms end in are no gauges to promtool. */
const typeOf = (name: string): string => (/_(total|count|sum|bucket)$/.test(name) ? "untyped" : "gauge");

const labelsOf = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(",");

/** The three characters that a label's value may not hold as they are. */
const escaped = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

function valueIn(text: string, name: string): number | undefined {
  const found = new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, "m").exec(text)?.[1];
  const value = Number(found ?? Number.NaN);
  return Number.isFinite(value) ? value : undefined;
}

/** Milliseconds that the lock is waited for: a run that ends and one that is skipped may meet, for an instant. */
const LOCK_MS = 1000;

/** Writes the metrics of one run: once before its post-hooks, which may want to push them, and once after. */
export class RunMetrics {
  private before: MetricsState | undefined;

  constructor(
    private readonly context: Context,
    /** `died`: the run before this one was killed. `facts`: what the worker declares. */
    private readonly occasion: { readonly died: boolean; readonly facts?: Fields },
  ) {}

  /** Throws a Failure that says why it cannot be written. */
  async write(record: RunRecord, skips: () => number): Promise<void> {
    await rewrite(this.context, (text) => {
      // The second time the file holds this run already: it must not be counted twice.
      this.before ??= withoutFuture(parseMetrics(text, record.job), this.context, record);
      const { died, facts } = this.occasion;
      const isNeither = NEITHER.includes(record.status) || isPersonal(record);
      return renderMetrics(record, stateAfter(this.before, record, died, isNeither), skips(), facts);
    });
  }
}

/** Bytes of runs at the history's end among which the last success is looked for. */
const HISTORY_BYTES = 1024 * 1024;

/**
 * A success under a clock that was set back since would hide every failure until that time has come: the one before it
 * counts, by the history.
 */
function withoutFuture(state: MetricsState, { logDir }: Context, { job, finished_epoch: now }: RunRecord) {
  const { lastSuccess } = state;
  if (lastSuccess === undefined || !isAhead({ started_epoch: 0, finished_epoch: lastSuccess }, now))
    return state;
  const past = runsByJob(readRunsEnd(logDir, HISTORY_BYTES), [job], Number.POSITIVE_INFINITY).get(job);
  const real = past?.findLast((run) => hasSucceeded(run) && !isAhead(run, now));
  return { ...state, lastSuccess: real?.finished_epoch };
}

/**
 * Throws a Failure that says why it cannot be written. `skips` is asked under the lock: of many that are skipped at
 * once, the last to write must not be one that was counted early.
 */
export async function writeSkips(context: Context, skips: () => number): Promise<void> {
  const { job } = context.identity;
  await rewrite(context, (text) => withSkips(text, job, hostOf(context), skips()));
}

/** The host as it stands in the label. */
const hostOf = ({ mask, identity }: Context): string => mask(identity.hostname).toWellFormed();

/** Characters of the host in a file's name, which may have 255 bytes. */
const HOST_MOST = 120;

/** `restic_backup.larak.prom`; what a file's name may not hold is encoded as in a URL, so that no two hosts meet. */
export const metricsFile = (job: string, hostname: string): string =>
  `${metricsPrefix(job)}.${encodeURIComponent(hostname).slice(0, HOST_MOST)}.prom`;

const notWritten = (folder: string, why: string) =>
  new Failure(
    `METRICS_DIR=${folder} cannot be written: ${why}. Create or mount it, or unset METRICS_DIR.`,
    EXIT.failed,
  );

/** Replaces the file by what `render` makes of its text. */
async function rewrite(context: Context, render: (text: string) => string): Promise<void> {
  const { lockDir, identity, env, settings } = context;
  const { job } = identity;
  const folder = settings.text("METRICS_DIR");
  const path = `${folder}/${metricsFile(job, hostOf(context))}`;
  if (silent.size > 0 && isKnownSilent(folder)) throw notWritten(folder, SILENCE);
  // A run or a skip that was killed may have left what it was writing.
  removeDeadTempFiles(path);
  let lock: number | undefined;
  try {
    lock = await lockShortly(`${lockDir}/${job}.metrics.lock`, LOCK_MS, env);
  } catch {
    // No lock to be had here: two writers at the very same moment are rarer than a LOCK_DIR that takes no file.
  }
  try {
    takeOver(`${folder}/${metricsPrefix(job)}.prom`, path, hostOf(context));
    replaceFile(path, render(readIfThere(path) ?? ""));
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    throw notWritten(folder, reasonOf(error));
  } finally {
    if (lock !== undefined) closeSync(lock);
  }
}

/**
 * Renames the file of an older release, which had no host in its name, when all of it is this host's: two files with
 * the same series would make node_exporter refuse both.
 */
function takeOver(old: string, path: string, hostname: string): void {
  const text = readIfThere(old);
  if (text === undefined || !isOfHost(text, hostname)) return;
  if (existsSync(path)) discard(old);
  else renameSync(old, path);
}

/** Is every series of the file this host's? Pure. */
export function isOfHost(text: string, hostname: string): boolean {
  const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const label = `{hostname="${escaped(hostname)}"`;
  return series.length > 0 && series.every((line) => line.slice(line.indexOf("{")).startsWith(label));
}
