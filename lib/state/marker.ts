/**
 * `LOCK_DIR/<worker>.run.json`, the marker of a run that is alive: which process it is, and how far it has come. A
 * marker that is still there when the next run has the lock was left by a run that died without a record.
 */

import { closeSync, constants, fsyncSync, linkSync, readdirSync } from "node:fs";
import { errnoOf, reasonOf } from "../errors.ts";
import { discard, openNew, openOurs, readIfThere, temporaryOf, writeAt } from "../files/files.ts";
import { readStat, removeDeadTempFiles } from "../process/proc.ts";
import { isEpoch } from "../time/zone.ts";

const PHASES = ["starting", "pre-hooks", "work", "record", "post-hooks", "notifications"] as const;
export type Phase = (typeof PHASES)[number];

/** A child of a run (its restic or rclone): see pidSpace for what tells it from a later process with its pid. */
export interface ChildMark {
  readonly pid: number;
  readonly ticks: number;
  readonly pid_space: string;
}

/** What the marker holds. Times are epoch seconds. */
export interface RunMark {
  readonly pid: number;
  /** Start time of the process in ticks since boot: with the pid, it names one process only. */
  readonly ticks: number;
  readonly run_id: string;
  readonly started_epoch: number;
  readonly phase: Phase;
  /** 0 to 100, once the work has reported progress. */
  readonly percent?: number;
  /** Seconds that the work still expects to take. */
  readonly eta_seconds?: number;
  /** The child that the work has started last. */
  readonly child?: ChildMark;
  /**
   * The id of the run whose post-hooks are still to run, where the phase does not say it: of one that died before this
   * one; "" once they have been begun by somebody else.
   */
  readonly owes?: string;
}

/** A run that died between its pre-hooks and its post-hooks: what its pre-hooks did must be undone. */
export interface Owed {
  readonly runId: string;
  /** When the run that left the mark had started, in epoch seconds. */
  readonly startedEpoch: number;
}

/** The phases in which pre-hooks have had their turn and post-hooks have not. */
const OWING: readonly string[] = ["pre-hooks", "work", "record"] satisfies Phase[];

/** Whose post-hooks are to run still, by the mark that a dead run has left. Pure. */
export function owedBy({ owes, phase, run_id, started_epoch }: RunMark): Owed | undefined {
  const runId = owes ?? (OWING.includes(phase) ? run_id : "");
  return runId === "" ? undefined : { runId, startedEpoch: started_epoch };
}

/** More than the longest mark: two run ids of 60 characters, a pid space of 60, five numbers of 16 digits, the words. */
const TEXT_BYTES = 511;

export const markerPath = (lockDir: string, worker: string): string => `${lockDir}/${worker}.run.json`;

/** The jobs of which there is a marker. */
export function markedJobs(lockDir: string): string[] {
  try {
    return readdirSync(lockDir).flatMap((file) => /^(.+)\.run\.json$/.exec(file)?.[1] ?? []);
  } catch {
    // LOCK_DIR is gone with its tmpfs, or not ours to read: no run has a marker then.
    return [];
  }
}

export class Marker {
  private mark: RunMark;
  private readonly path: string;
  private fd: number | undefined;
  /** The temporary file that the marker was linked from, where it could not be removed. */
  private leftTemporary: string | undefined;

  constructor(lockDir: string, worker: string, runId: string, startedEpoch: number) {
    this.path = markerPath(lockDir, worker);
    this.mark = {
      pid: process.pid,
      ticks: readStat("self")?.ticks ?? 0,
      run_id: runId,
      started_epoch: startedEpoch,
      phase: "starting",
    };
  }

  /**
   * Creates the marker. Where there is one already it stays, and its mark is returned: of a run that died (until
   * takeOver), or of one that is alive although we have the lock, because its lock file was replaced while it ran, or
   * because it shares the lock of one `locked_run` with us. `isStillHeld` says whether something that a dead run has
   * started still holds its lock. `problem`, a sentence: what stood there and is no marker; it is replaced.
   */
  claim(isStillHeld: () => boolean): { died?: RunMark; alive?: RunMark; problem?: string } {
    removeDeadTempFiles(this.path);
    if (this.create()) return {};
    const { mark: other, problem } = inspectMark(this.path);
    if (other !== undefined) return isRunning(other) || isStillHeld() ? { alive: other } : { died: other };
    const alive = this.takeOver();
    if (alive !== undefined) return { alive };
    if (problem === undefined) return {};
    const state = this.fd === undefined ? "This run has none" : "It was replaced";
    return { problem: `${this.path} is no marker of a run: ${problem}. ${state}.` };
  }

  /**
   * Replaces the marker of a run that died, and takes over what that one owed. Returns the mark of another run that was
   * faster.
   */
  takeOver(owed?: Owed): RunMark | undefined {
    if (owed !== undefined) this.mark = { ...this.mark, owes: owed.runId };
    discard(this.path);
    return this.create() ? undefined : readMark(this.path);
  }

  /** Overwrites the old text by one short write: readers see the one or the other. */
  update(change: Partial<Pick<RunMark, "phase" | "percent" | "eta_seconds" | "child">>): void {
    this.mark = { ...this.mark, ...change };
    if (this.fd === undefined) return;
    try {
      writeAt(this.fd, this.text(), 0);
    } catch {
      // LOCK_DIR is full: the marker keeps its old phase, which still says that the run is alive.
    }
  }

  /**
   * Begins a phase, or the post-hooks that were owed, so that neither a kill nor a power cut can make the next run begin
   * them a second time.
   */
  settle(change: { readonly phase?: Phase } = {}): void {
    const { owes: _, ...mark } = this.mark;
    this.mark = mark;
    this.update(change);
    if (this.fd !== undefined) syncQuietly(this.fd);
  }

  release(): void {
    if (this.fd === undefined) return;
    closeSync(this.fd);
    this.fd = undefined;
    discard(this.path);
    if (this.leftTemporary !== undefined) discard(this.leftTemporary);
  }

  /** link(2) creates it whole, and only if there is none: of two runs exactly one succeeds. False when there is one. */
  private create(): boolean {
    const text = this.text();
    const temporary = temporaryOf(this.path);
    try {
      this.fd = openNew(temporary, constants.O_WRONLY);
      writeAt(this.fd, text, 0);
      linkSync(temporary, this.path);
      return true;
    } catch (error) {
      if (this.fd !== undefined) closeSync(this.fd);
      this.fd = undefined;
      // Anything but "there is one": no room or no links in LOCK_DIR. The lock protects the run all the same.
      return errnoOf(error) !== "EEXIST";
    } finally {
      this.leftTemporary = discard(temporary) ? undefined : temporary;
    }
  }

  private text(): string {
    return textOf(this.mark);
  }
}

/** Padded, so that a shorter text covers all of a longer one. */
const textOf = (mark: RunMark): string => `${JSON.stringify(mark).padEnd(TEXT_BYTES)}\n`;

function syncQuietly(fd: number): void {
  try {
    fsyncSync(fd);
  } catch {
    // Not even a full disk fails here, and a broken one has more to say elsewhere.
  }
}

/**
 * Takes the post-hooks of the dead run whose marker stands at `path` upon us: in one write, after which nobody else
 * begins them. The marker stays, so that the next run reports the death. To be called with the lock, so that no run
 * takes over at this moment. Undefined when nothing is owed, or the write fails.
 */
export function claimOwed(path: string): Owed | undefined {
  const mark = readMark(path);
  const owed = mark === undefined || isRunning(mark) ? undefined : owedBy(mark);
  if (mark === undefined || owed === undefined) return undefined;
  let fd: number | undefined;
  try {
    fd = openOurs(path, constants.O_RDWR);
    writeAt(fd, textOf({ ...mark, owes: "" }), 0);
    fsyncSync(fd);
    return owed;
  } catch {
    // Gone, or not ours to write: the next run, which replaces it, has its own way.
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** The mark at `path`; undefined when there is none or it cannot be understood. */
export const readMark = (path: string): RunMark | undefined => inspectMark(path).mark;

/** Bytes: a hundred times what a mark has. Others may be able to write in LOCK_DIR. */
const MARK_MOST = 64 * 1024;

/** The mark at `path`, or why there is none although there is something, as a clause. Throws nothing. */
export function inspectMark(path: string): { readonly mark?: RunMark; readonly problem?: string } {
  try {
    const text = readIfThere(path, MARK_MOST);
    if (text === undefined) return {};
    const value: unknown = JSON.parse(text);
    return isMark(value) ? { mark: value } : { problem: "its values are not those of a run" };
  } catch (error) {
    // Torn by a power cut, unreadable, or somebody else's: it names no process.
    return { problem: error instanceof SyntaxError ? "it is not JSON" : reasonOf(error) };
  }
}

/** Linux gives no pid beyond it (PID_MAX_LIMIT). */
const PID_MOST = 2 ** 22;
/** Characters of the longest run id, or name of a pid space, and some more. */
const NAME_MOST = 512;

/** Only values that a run can have written: what reads them computes with them, shows them, and signals the process. */
function isMark(value: unknown): value is RunMark {
  if (typeof value !== "object" || value === null) return false;
  const { pid, ticks, run_id, started_epoch, phase, percent, eta_seconds, child, owes } =
    value as Partial<RunMark>;
  return (
    isProcess(pid, ticks) &&
    isName(run_id) &&
    isEpoch(started_epoch) &&
    (phase === undefined || PHASES.includes(phase)) &&
    isAmount(percent) &&
    isAmount(eta_seconds) &&
    (owes === undefined || isName(owes)) &&
    (child === undefined || (child !== null && isProcess(child.pid, child.ticks) && isName(child.pid_space)))
  );
}

const isProcess = (pid: unknown, ticks: unknown): boolean =>
  isWhole(pid) && pid > 0 && pid <= PID_MOST && (ticks === undefined || isWhole(ticks));

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isName = (value: unknown): boolean => typeof value === "string" && value.length <= NAME_MOST;
const isAmount = (value: unknown): boolean =>
  value === undefined || (typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER);

/** Is exactly that process still running? Without /proc the answer is no, as its pid alone does not prove it. */
export function isRunning(mark: RunMark): boolean {
  const stat = readStat(mark.pid);
  return stat !== undefined && stat.state !== "Z" && stat.ticks === mark.ticks;
}
