/**
 * Runs one program within its limits: its output is read as it comes, its end is waited for, and once it has ended,
 * what it left behind is let go. Every program that we wait for is run by runChild, but for what takes our place
 * (foreground) and the few that do a millisecond's work for us (flock, mkfifo).
 */

import { closeSync } from "node:fs";
import type { ChildEnvironment, Environment } from "../environment.ts";
import { streamOf } from "../runtime.ts";
import type { Pipe } from "./pipe.ts";
import { collect, type Pump, pump, type Reader, type Source } from "./pump.ts";
import { CannotStart, type Child, type Signal, type Stdio, spawn } from "./spawn.ts";
import { Stop, type StopBudget, stopBudget, within } from "./stop.ts";
import { type Ended, supervise } from "./supervise.ts";

export interface StartPlan {
  readonly env: ChildEnvironment;
  readonly cwd?: string;
  /** What it reads there, to the end; nothing by default. */
  readonly stdin?: Uint8Array;
  /** Who takes what it prints, or where it goes; "ignore" by default. */
  readonly stdout?: Reader | Stdio;
  readonly stderr?: Reader | Stdio;
  /** Takes both streams instead, in the order in which they were written. */
  readonly both?: BothStreams | undefined;
  /** A descriptor that it inherits as its 3: a lock that outlives us with it. */
  readonly inherit?: number | undefined;
}

export interface BothStreams {
  /** Is closed in any case; without one there are two sockets, and the order between the streams is not kept. */
  readonly pipe: Pipe | undefined;
  /** Makes a reader, one for each stream that there is. */
  readonly reader: () => Reader;
  /** Called with the pipe's read end, good for this moment, when something that was left behind still holds the pipe. */
  readonly onHeld?: (read: number) => void;
}

export interface Started {
  readonly child: Child;
  readonly pumps: readonly Pump[];
  /** Resolves when all of its output has been taken; rejects then with what a reader has thrown. */
  readonly output: Promise<unknown>;
  /** Resolves when a vital reader has failed; undefined where none is vital. */
  readonly consumerFailed: Promise<void> | undefined;
}

/** Starts a program in a session of its own and reads what it prints, without a limit. Throws CannotStart. */
export function startChild(command: readonly string[], plan: StartPlan): Started {
  const { env, cwd, stdin, inherit, both } = plan;
  const stdout = both === undefined ? plan.stdout : (both.pipe?.write ?? both.reader());
  const stderr = both === undefined ? plan.stderr : (both.pipe?.write ?? both.reader());
  const pipe = both?.pipe;
  let child: Child;
  let merged: Source | undefined;
  try {
    // Before there is a child: this may fail.
    if (pipe !== undefined) merged = streamOf(pipe.read).getReader();
    child = spawn(command, {
      env,
      ...(cwd === undefined ? {} : { cwd }),
      ...(stdin === undefined ? {} : { stdin }),
      stdout: stdioOf(stdout),
      stderr: stdioOf(stderr),
      inherit,
      session: true,
    });
  } catch (error) {
    for (const fd of pipe === undefined ? [] : [pipe.write, pipe.read]) closeSync(fd);
    if (error instanceof CannotStart || both === undefined || pipe === undefined) throw error;
    // No descriptor or memory is left to read the pipe with: two sockets need less.
    return startChild(command, { ...plan, both: { ...both, pipe: undefined } });
  }
  // From here on only the child and what it starts hold the other end.
  if (pipe !== undefined) closeSync(pipe.write);
  const streams: [stream: ReadableStream<Uint8Array> | Source, reader: Reader][] = [];
  if (both !== undefined && merged !== undefined) streams.push([merged, both.reader()]);
  if (child.stdout !== undefined && isReader(stdout)) streams.push([child.stdout, stdout]);
  if (child.stderr !== undefined && isReader(stderr)) streams.push([child.stderr, stderr]);
  const pumps: Pump[] = [];
  const failures: Promise<void>[] = [];
  for (const [stream, reader] of streams) {
    const each = pump(stream, reader);
    pumps.push(each);
    if (reader.isVital) failures.push(each.failed);
  }
  const output = Promise.all(pumps.map(({ done }) => done));
  // Whoever awaits it hears of it; until then it must not count as unhandled.
  output.catch(() => {});
  return { child, pumps, output, consumerFailed: failures.length === 0 ? undefined : Promise.race(failures) };
}

const isReader = (target: Reader | Stdio | undefined): target is Reader => typeof target === "object";
const stdioOf = (target: Reader | Stdio | undefined): Stdio =>
  isReader(target) ? "pipe" : (target ?? "ignore");

export interface ChildPlan extends StartPlan {
  /** The polite signal: SIGTERM by default; SIGINT for restic and rclone, which then clean up behind themselves. */
  readonly first?: Signal;
  /** Milliseconds that it may take; undefined for any time. */
  readonly timeoutMs?: number | undefined;
  /** Milliseconds from the polite signal to SIGKILL after a time-out. */
  readonly graceMs: number;
  /** Kills it too, within `budget`, when we are stopped; without one a stop does not concern the program. */
  readonly stop?: Stop;
  readonly budget?: StopBudget;
  /** Called when its time is over, before it is asked to end. */
  readonly onTimeOut?: () => void;
  /** Milliseconds that what it left behind may still print, once it has ended. */
  readonly drainMs?: number;
  /** `NAME=value` pairs that only the program and what it starts carry in their environment. */
  readonly marks?: readonly string[];
  /** The name of the program that the polite SIGINT is for, where a script may stand in front of it. */
  readonly program?: string | undefined;
  /** Called with its pid once it runs. */
  readonly onStart?: (pid: number) => void;
  /** Resolves when what it printed is enough: it is ended then, with the cause "consumer failed". */
  readonly enough?: Promise<void> | undefined;
  /** Called with how it ended, before an error of a reader is thrown. */
  readonly onEnd?: (end: ChildEnd) => void;
}

export interface ChildEnd extends Ended {
  readonly pid: number;
  /** Milliseconds until the program itself had ended. */
  readonly tookMs: number;
  /** Did all output come? If not, something that it left behind still holds its other end. */
  readonly isDrained: boolean;
  readonly outputBytes: number;
}

/** hooks.md's second for what a daemon left behind still prints. */
const DRAIN_MS = 1000;
/** Milliseconds that a slow reader of our stdout may make us take longer over the rest of a child's output. */
const SLOW_MS = 10_000;
/** A stop that does not come, and all of its budget. */
const NEVER = new Stop(() => 0);
const ALL: StopBudget = { signalAt: 0, killAt: 1 };

/** Runs a program to its end. Throws CannotStart, and at the end what a reader has thrown. */
export async function runChild(command: readonly string[], plan: ChildPlan): Promise<ChildEnd> {
  const { first = "SIGTERM", timeoutMs, graceMs, marks = [], program, both, onStart, onEnd } = plan;
  const { stop = NEVER, budget = ALL, drainMs = DRAIN_MS } = plan;
  const begun = performance.now();
  const { child, pumps, output, consumerFailed } = startChild(command, plan);
  const { pid } = child;
  onStart?.(pid);
  const family = { leader: pid, marks, program, output: both?.pipe?.target };
  const limits = { first, timeoutMs, graceMs, stop, budget, onTimeOut: plan.onTimeOut };
  const useless = [consumerFailed, plan.enough].filter((each) => each !== undefined);
  const ended = await supervise(
    child,
    family,
    useless.length === 0 ? limits : { ...limits, consumerFailed: Promise.race(useless) },
  );
  const tookMs = performance.now() - begun;
  const leftMs = timeoutMs === undefined ? undefined : Math.max(drainMs, timeoutMs - tookMs);
  const { isDrained, isWhole } = await drain(pumps, output, stop, drainMs, leftMs);
  if (!isDrained) {
    if (both?.pipe !== undefined) both.onHeld?.(both.pipe.read);
    for (const each of pumps) await each.cancel();
  }
  let outputBytes = 0;
  for (const each of pumps) outputBytes += each.bytes;
  // Whoever still had what was to be taken whole was alive at the deadline.
  const cause = ended.cause ?? (isWhole ? undefined : "timed out");
  const end = { ...ended, cause, pid, tookMs, isDrained, outputBytes };
  onEnd?.(end);
  await output;
  return end;
}

/**
 * Waits for the output: for `ms`, but for what a vital reader takes until a stop, or until the `leftMs` that are left of
 * the child's own time are over; a slow reader of our stdout is waited for, too. Something that the child left behind (an
 * ssh, a password agent) may hold its stderr for as long as it likes. Has all of it come (`isDrained`)? Was the vital part's time enough (`isWhole`)?
 */
async function drain(
  pumps: readonly Pump[],
  output: Promise<unknown>,
  stop: Stop,
  ms: number,
  leftMs: number | undefined,
): Promise<{ isDrained: boolean; isWhole: boolean }> {
  const vital = pumps.filter(({ isVital }) => isVital);
  const taken = Promise.race([
    Promise.all(vital.map(({ done, failed }) => Promise.race([done, failed]))),
    stopped(stop),
  ]);
  const isWhole = vital.length === 0 || (await within(leftMs ?? Number.POSITIVE_INFINITY, taken));
  const slowUntil = performance.now() + SLOW_MS;
  for (;;) {
    // One that stood still for a part of the time has not had all of it.
    let isHeld = false;
    for (const pump of pumps) isHeld ||= pump.isHeld;
    if (await within(Math.min(ms, stop.msUntil(1)), output)) return { isDrained: true, isWhole };
    for (const pump of pumps) isHeld ||= pump.isHeld;
    if (!isHeld) return { isDrained: false, isWhole };
    if (stop.signal === undefined && performance.now() < slowUntil) continue;
    for (const each of pumps) each.hurry();
  }
}

const stopped = (stop: Stop): Promise<void> => new Promise((resolve) => stop.listen(resolve));

export interface Question {
  readonly env: Environment;
  /** Milliseconds that it may take; then it is ended, and `cause` says so. */
  readonly timeoutMs: number;
  /** Kills it too, when we are stopped. */
  readonly stop: Stop;
  /** Milliseconds from SIGINT to SIGKILL after the time-out. */
  readonly graceMs?: number;
  /** Milliseconds that a child of the program which still holds its output is waited for. */
  readonly drainMs?: number;
  /** Called with what stderr has said so far; when it returns true, nothing more is waited for. */
  readonly isEnough?: (stderr: string) => boolean;
}

export interface Answer extends Ended {
  readonly stdout: string;
  readonly stderr: string;
}

/** Characters of an answer that are kept: anything longer is not an answer. */
const ANSWER_MOST = 256 * 1024;

/** Runs a program for its answer. Throws CannotStart. */
export async function ask(command: readonly string[], question: Question): Promise<Answer> {
  const { env, timeoutMs, stop, graceMs = 1000, drainMs = 500, isEnough = () => false } = question;
  const [stdout, stderr] = [collect(ANSWER_MOST), collect(ANSWER_MOST)];
  const { promise: enough, resolve: tellEnough } = Promise.withResolvers<void>();
  const heard: Reader = {
    take: (bytes) => {
      const taken = stderr.take(bytes);
      if (isEnough(stderr.text)) tellEnough();
      return taken;
    },
    end: () => stderr.end(),
  };
  const limits = { timeoutMs, graceMs, drainMs, stop, budget: stopBudget.question, enough };
  const end = await runChild(command, { env: { ...env }, stdout, stderr: heard, first: "SIGINT", ...limits });
  return { code: end.code, signal: end.signal, cause: end.cause, stdout: stdout.text, stderr: stderr.text };
}
