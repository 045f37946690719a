/** What a worker gets from the run around it: its log, its settings, and children that end when they must. */

import type { Settings } from "../config/settings.ts";
import type { Log } from "../log.ts";
import type { Mask } from "../mask.ts";
import { RawLines } from "../process/lines.ts";
import { pump } from "../process/pump.ts";
import { type ChildEnvironment, exitCodeOfSignal, spawn } from "../process/spawn.ts";
import type { Stop } from "../process/stop.ts";
import { type Ended, type Limits, supervise } from "../process/supervise.ts";
import { within } from "../process/timer.ts";
import type { Marker } from "./marker.ts";
import type { Facts, Status } from "./record.ts";

/** What the work came to. `status` where the exit code alone does not say it. */
export interface Outcome {
  readonly exitCode: number;
  readonly status?: Status;
  /** A stop is how this work is meant to end (a mount): what it came to stands, unless a second signal came. */
  readonly endedByStop?: true;
}

export interface ChildPlan {
  /** Added to the run's environment; undefined takes a variable out. */
  readonly env?: ChildEnvironment;
  readonly onStdout?: (line: string) => void;
  readonly onStderr?: (line: string) => void;
  /**
   * Takes stdout as bytes instead of lines. All of them come; until it has settled, the child waits. When it throws,
   * the child works in vain and is ended.
   */
  readonly onBytes?: TakeBytes;
}

export type TakeBytes = (bytes: Uint8Array) => void | Promise<void>;

/** The work's share of a stop: asked at once, killed with enough left for the post-hooks. */
const WORK_SHARE = { ask: 0, kill: 0.6 };
/** After its time-out the work has so long to end cleanly (run.md). */
const WORK_GRACE_MS = 30_000;
/** What a child's child still prints after the child has ended is waited for so long. */
const DRAIN_MS = 1000;

export class Run {
  /** The worker's own fields of the record. */
  readonly facts: Facts = {};
  /** Did <WORKER>_TIMEOUT end a child? */
  timedOut = false;
  private deadline = Number.POSITIVE_INFINITY;

  constructor(
    readonly name: string,
    readonly id: string,
    readonly log: Log,
    readonly settings: Settings,
    readonly stop: Stop,
    private readonly marker: Marker,
    private readonly env: ChildEnvironment,
    /** Inherited by every child, so that a worker that is killed does not set its lock free. */
    private readonly lockFd: number | undefined,
  ) {}

  /** The work begins now: its time-out counts from here. */
  begin(): void {
    const seconds = this.settings.workTimeout(this.name);
    if (seconds > 0) this.deadline = performance.now() + seconds * 1000;
  }

  /** Has the run been told to end? Whatever is still to do is then left undone. */
  get ending(): boolean {
    return this.timedOut || this.stop.signal !== undefined;
  }

  /** Where the work has got to, for `status` and for people. */
  progress(percent: number, etaSeconds: number | undefined): void {
    this.marker.update({ percent, ...(etaSeconds === undefined ? {} : { eta_seconds: etaSeconds }) });
  }

  /** Runs a program to its end, line by line. Throws CannotStart, and what onBytes throws. */
  async child(command: readonly string[], { env = {}, ...plan }: ChildPlan): Promise<Ended> {
    if (this.stop.signal !== undefined) {
      return { code: exitCodeOfSignal(this.stop.signal), signal: undefined, cause: "stopped" };
    }
    const child = spawn(command, {
      env: { ...this.env, ...env },
      stdout: "pipe",
      stderr: "pipe",
      inherit: this.lockFd,
      session: true,
    });
    const { onBytes } = plan;
    const bytes = onBytes === undefined ? undefined : carry(child.stdout, onBytes);
    const pumps = [
      bytes?.pump ?? follow(child.stdout, plan.onStdout, this.log.mask),
      follow(child.stderr, plan.onStderr, this.log.mask),
    ];
    const limits = { ...this.limits(), ...(bytes === undefined ? {} : { vain: bytes.vain }) };
    const ended = await supervise(child, { leader: child.pid, marks: [] }, limits);
    const all = Promise.all(pumps.map((each) => each?.done));
    // However slow their reader is: only a stop ends the waiting.
    if (bytes !== undefined) await Promise.race([all, this.stopped()]);
    if (!(await within(DRAIN_MS, all))) for (const each of pumps) await each?.cancel();
    this.timedOut ||= ended.cause === "timed out";
    await all;
    return ended;
  }

  private stopped(): Promise<void> {
    return new Promise((resolve) => this.stop.listen(resolve));
  }

  private limits(): Limits {
    const left = this.deadline - performance.now();
    return {
      first: "SIGINT",
      timeoutMs: Number.isFinite(left) ? Math.max(0, left) : undefined,
      graceMs: WORK_GRACE_MS,
      stop: this.stop,
      share: WORK_SHARE,
    };
  }
}

function follow(
  stream: ReadableStream<Uint8Array> | undefined,
  take: ((line: string) => void) | undefined,
  mask: Mask,
) {
  if (stream === undefined) return undefined;
  const lines = new RawLines(mask);
  const hand = (each: readonly string[]) => {
    if (take !== undefined) for (const line of each) take(line);
  };
  return pump(stream, { take: (bytes) => hand(lines.push(bytes)), end: () => hand(lines.end()) });
}

/** `vain` resolves when the bytes cannot be taken any more. */
function carry(stream: ReadableStream<Uint8Array> | undefined, onBytes: TakeBytes) {
  let lose = () => {};
  const vain = new Promise<void>((resolve) => {
    lose = resolve;
  });
  const take = async (bytes: Uint8Array) => {
    try {
      await onBytes(bytes);
    } catch (error) {
      lose();
      throw error;
    }
  };
  return { pump: stream && pump(stream, { take, end: () => {} }), vain };
}
