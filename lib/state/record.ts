/**
 * The record of a run, `LOG_DIR/last-<job>.json`: what it holds, how it is read again (also one of an older release),
 * and the one judgement of whether its run was a success.
 */

import { existsSync } from "node:fs";
import { type Identity, recordPath, unrecordedPath } from "../context.ts";
import { errnoOf, reasonOf } from "../errors.ts";
import { readOurs } from "../files/files.ts";
import { plural } from "../text.ts";
import { isEpoch, iso, localZone } from "../time/zone.ts";
import type { ChildMark } from "./marker.ts";

export const RECORD_SCHEMA = "restic-backup-helper.run/1";

export type Status =
  | "ok"
  | "warning"
  | "dry-run"
  | "failed"
  | "interrupted"
  | "timed_out"
  | "cancelled"
  | "died"
  | "skipped"
  | "window_closed";

/** What a run came to that is neither a success nor a failure. */
export const NEITHER: readonly Status[] = ["cancelled", "dry-run", "skipped", "window_closed"];

/** What becomes of a run that does not happen. */
export const SKIPS: readonly Status[] = ["skipped", "window_closed"];

/** What an operator must hear of although the exit code does not say it. */
export interface Alert {
  /** A word for programs: `empty-source`, `collapsed`, `retention-withheld` … */
  readonly kind: string;
  /** A complete sentence with the value and the remedy. */
  readonly message: string;
}

/** How one hook ended, as it stands in the record. */
export interface HookResult {
  readonly phase: string;
  readonly path: string;
  readonly exit_code?: number;
  readonly signal?: string;
  readonly timed_out?: boolean;
  /** It was killed because the run was stopped: that is not a failure of its own. */
  readonly stopped?: true;
  readonly duration_ms?: number;
  readonly output_bytes?: number;
  /** Why it could not run. */
  readonly error?: string;
}

/** Those that timed out, died, exited with anything but 0, or could not run at all, but for a stop. Pure. */
export const failedHooks = (hooks: readonly HookResult[]): HookResult[] =>
  hooks.filter(({ exit_code, error, stopped }) => error !== undefined || (exit_code !== 0 && !stopped));

/** `pre-backup` for pre-backup.sh, `pre-backup.d/10-first` for one of its folder. Pure. */
export function hookName({ phase, path }: Pick<HookResult, "phase" | "path">): string {
  const file = path.slice(path.lastIndexOf("/") + 1).replace(/\.sh$/, "");
  return path.endsWith(`/${phase}.d/${file}.sh`) ? `${phase}.d/${file}` : phase;
}

/** The alert of a run whose hooks have failed: its exit code and its `status` stay what they are. */
export const HOOK_FAILED = "hook-failed";

/** `1 of 2 hooks failed: pre-backup`; undefined when none did. Pure. */
export function hooksText(hooks: readonly HookResult[]): string | undefined {
  const names = failedHooks(hooks).map(hookName);
  if (names.length === 0) return undefined;
  return `${names.length} of ${plural(hooks.length, "hook")} failed: ${[...new Set(names)].join(", ")}`;
}

/** What the operator must hear of hooks that failed: which, how, and how to try one alone. Pure. */
export function hookAlerts(hooks: readonly HookResult[]): Alert[] {
  const text = hooksText(hooks);
  const failed = failedHooks(hooks);
  if (text === undefined || failed[0] === undefined) return [];
  const how = failed.map((hook) => `${hook.path}: ${hook.error ?? endOf(hook)}`).join("; ");
  const remedy = `Correct it; to run the hooks of that phase alone: hook-test ${failed[0].phase}.`;
  return [{ kind: HOOK_FAILED, message: `${text} (${how}). The work is not affected. ${remedy}` }];
}

const endOf = ({ timed_out, signal, exit_code }: HookResult): string =>
  timed_out ? "timed out" : `${signal === undefined ? "" : `killed by ${signal}, `}exit ${exit_code}`;

export interface RunRecord {
  readonly schema: typeof RECORD_SCHEMA;
  readonly job: string;
  readonly hostname: string;
  readonly release: string;
  readonly run_id: string;
  readonly started_at: string;
  readonly finished_at: string;
  readonly started_epoch: number;
  readonly finished_epoch: number;
  /** Of the work, hooks not counted. */
  readonly duration_seconds: number;
  readonly exit_code: number;
  readonly status: Status;
  readonly signal?: string;
  readonly timed_out?: true;
  /** The work's own exit code, when a signal that came after it had ended gave the run another one. */
  readonly work_exit_code?: number;
  /** The work's own status, beside work_exit_code. */
  readonly work_status?: Status;
  /** What the run found that its operator must hear of; absent where there is nothing. */
  readonly alerts?: readonly Alert[];
  /** Why the run failed and what to do about it, in a few sentences; absent where it did not fail. */
  readonly error?: string;
  readonly repository?: string;
  /** Its restic or rclone, when that did not end by itself. */
  readonly killed_child?: ChildMark;
  /** Of a worker that makes or reads a snapshot: its short id, which its hooks and mails get too. */
  readonly snapshot_id?: string;
  readonly hooks: readonly HookResult[];
  /** The worker's own fields, as it declares them. */
  readonly [fact: string]: unknown;
}

/**
 * Did the work do all that it was there for? Only `ok` says so: a warning and a dry run are no success, whatever their
 * exit code. A signal that came after the work had ended changes nothing of that.
 */
export function hasSucceeded({ status, work_status, work_exit_code }: Judgeable): boolean {
  if (work_status !== undefined) return work_status === "ok";
  // An older release wrote no work_status.
  return status === "ok" || (status === "interrupted" && work_exit_code === 0);
}

type Judgeable = Pick<PastRecord, "status" | "work_exit_code" | "work_status">;

/** An `error` beside an exit code, without the words that only repeat that one. Pure. */
export const withoutExit = (error: string): string => error.replace(/^restic [^.:]*\(exit \d+\)\. /, "");

/** The `error` of a run whose tool failed without a word. */
export const NO_REASON = "restic gave no reason.";

/** What needsAttention() looks at. */
export type Attention = Pick<RunRecord, "exit_code"> & Partial<Pick<RunRecord, "status" | "alerts">>;

/** The alerts of a record that another release may have written. */
export function alertsOf({ alerts }: Partial<Pick<PastRecord, "alerts">>): readonly Alert[] {
  if (!Array.isArray(alerts)) return [];
  return alerts.filter((alert) => typeof alert?.kind === "string" && typeof alert.message === "string");
}

/** Must the operator hear of the run? What a channel that is for errors only sends. */
export function needsAttention({ exit_code, status, alerts = [] }: Attention): boolean {
  return exit_code !== 0 || status === "warning" || alerts.length > 0;
}

/**
 * The fields that every record and every line of the history begins with. Times are epoch milliseconds; `tookMs` is
 * given where it was measured, since a clock that was set in between falsifies the difference.
 */
export function recordHeader(
  identity: Identity,
  startedMs: number,
  finishedMs: number,
  tookMs = Math.max(0, finishedMs - startedMs),
) {
  const zone = localZone();
  return {
    schema: RECORD_SCHEMA,
    job: identity.job,
    hostname: identity.hostname,
    release: identity.release,
    run_id: identity.runId,
    started_at: iso(startedMs, zone),
    finished_at: iso(finishedMs, zone),
    started_epoch: Math.floor(startedMs / 1000),
    finished_epoch: Math.floor(finishedMs / 1000),
    duration_seconds: Math.round(tookMs / 1000),
  } as const;
}

/** A record that was read again: the fields that are used, with the worker's own beside them. */
export interface PastRecord {
  readonly status: string;
  readonly exit_code: number;
  readonly work_exit_code?: number;
  readonly work_status?: string;
  readonly alerts?: unknown;
  readonly started_epoch: number;
  readonly finished_epoch: number;
  readonly duration_seconds: number;
  readonly [field: string]: unknown;
}

/** What was found where a record should be. */
export interface RecordFile {
  readonly path: string;
  /** Bytes; 0 when it could not be read. */
  readonly size: number;
  readonly record?: PastRecord;
  /** Why there is no record although there is a file. */
  readonly problem?: string;
}

/** Bytes. A record has some kilobytes; a larger file is not one, and is not read into memory. */
const RECORD_MOST = 4 * 1024 * 1024;

/** The record at `path`, or why it cannot be used; undefined when there is no file. Throws nothing. */
export function readRecord(path: string): RecordFile | undefined {
  try {
    const text = readOurs(path, RECORD_MOST);
    const record = parseRecord(text);
    const found = { path, size: Buffer.byteLength(text) };
    return record === undefined
      ? { ...found, problem: "it is not the record of a run" }
      : { ...found, record };
  } catch (error) {
    return errnoOf(error) === "ENOENT" ? undefined : { path, size: 0, problem: reasonOf(error) };
  }
}

/** Where runs leave their records, and where those that cannot. */
interface Folders {
  readonly logDir: string;
  readonly lockDir: string;
}

/** The last run of a job, wherever its record is. */
export interface LastRun {
  /** What stands in the record's own place. */
  readonly found: RecordFile | undefined;
  readonly record: PastRecord | undefined;
  /** Why `record` does not stand there, a clause; undefined when it does. */
  readonly unrecorded?: string;
}

/** Throws nothing. */
export function readLastRun({ logDir, lockDir }: Folders, job: string): LastRun {
  const found = readRecord(recordPath(logDir, job));
  const word = readWord(unrecordedPath(lockDir, job), found?.record);
  const record = word === undefined ? undefined : parseRecord(JSON.stringify(word));
  if (record === undefined) return { found, record: found?.record };
  return { found, record, unrecorded: String(record.unrecorded ?? "for an unknown reason") };
}

/** All fields of a job's last run, whatever they are; {} where nothing of it can be read. */
export function lastFields({ logDir, lockDir }: Folders, job: string): Readonly<Record<string, unknown>> {
  const [path, wordPath] = [recordPath(logDir, job), unrecordedPath(lockDir, job)];
  if (!existsSync(wordPath)) return fieldsAt(path);
  const fields = fieldsAt(path);
  return readWord(wordPath, fields) ?? fields;
}

/** What a run that could not leave its record has left instead; undefined where `recorded` is of a later run. */
function readWord(
  path: string,
  recorded: Readonly<Record<string, unknown>> | undefined,
): Readonly<Record<string, unknown>> | undefined {
  if (!existsSync(path)) return undefined;
  const word = fieldsAt(path);
  if (!isEpoch(word.started_epoch)) return undefined;
  if (recorded === undefined || !isEpoch(recorded.started_epoch)) return word;
  if (recorded.run_id === word.run_id) return undefined;
  // A record of the future, from before the clock was set back, is of an earlier run all the same.
  const isEarlier =
    recorded.started_epoch <= word.started_epoch || recorded.started_epoch > nowEpoch() + AHEAD_SECONDS;
  return isEarlier ? word : undefined;
}

function fieldsAt(path: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(readOurs(path, RECORD_MOST));
    return (value ?? {}) as Record<string, unknown>;
  } catch {
    // No run yet, unreadable, or torn by a power cut: nothing is known.
    return {};
  }
}

/** Seconds. What lies further ahead is of a clock that was set back since; those of two machines may differ by less. */
const AHEAD_SECONDS = 60;

const nowEpoch = (): number => Math.floor(Date.now() / 1000);

/** Does either end of a run, in epoch seconds, lie in the future? Under a clock that is set meanwhile only one may. */
export const isAhead = (
  { started_epoch, finished_epoch }: Pick<PastRecord, "started_epoch" | "finished_epoch">,
  now: number,
): boolean => Math.max(started_epoch, finished_epoch) > now + AHEAD_SECONDS;

/** The id that the repository shown as `shown` had at the run of these fields; undefined where that is not known. */
export const repositoryIdOf = (
  { repository, repository_id }: Readonly<Record<string, unknown>>,
  shown: string,
): string | undefined =>
  repository === shown && typeof repository_id === "string" ? repository_id : undefined;

/** The record in a text; undefined when it is not JSON, or not a record. Pure. */
export function parseRecord(text: string): PastRecord | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown> | null;
    const { finished_epoch, exit_code = null, status, duration_seconds } = value ?? {};
    // An older release wrote no start.
    const started_epoch = value?.started_epoch ?? finished_epoch;
    if (!isEpoch(started_epoch) || !isEpoch(finished_epoch)) return undefined;
    // A run that died has no exit code.
    if (typeof exit_code !== "number" && exit_code !== null) return undefined;
    const code = typeof exit_code === "number" ? exit_code : -1;
    return {
      ...value,
      duration_seconds:
        typeof duration_seconds === "number" ? duration_seconds : Math.max(0, finished_epoch - started_epoch),
      status: typeof status === "string" ? status : code === 0 ? "ok" : "failed",
      exit_code: code,
      started_epoch,
      finished_epoch,
    };
  } catch {
    // Half a line, or not JSON at all.
    return undefined;
  }
}

/** A field of a record that is a number; undefined when it is missing or anything else. */
export function numericField(run: PastRecord, field: string): number | undefined {
  const value = run[field];
  return typeof value === "number" ? value : undefined;
}
