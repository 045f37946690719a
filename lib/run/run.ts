/** What a worker gets from the run around it: its log, its settings, and children that end when they must. */

import { type Settings, screaming } from "../config/settings.ts";
import type { Context } from "../context.ts";
import type { ChildEnvironment } from "../environment.ts";
import { EXIT } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { runChild } from "../process/child.ts";
import { familyMembers, pidSpace, processName, readStat } from "../process/proc.ts";
import { onLines, type Reader, onBytes as readBytes, type TakeBytes } from "../process/pump.ts";
import { exitCodeOfSignal, signal } from "../process/spawn.ts";
import { after, type Stop, stopBudget } from "../process/stop.ts";
import type { Ended } from "../process/supervise.ts";
import type { ChildMark, Marker } from "../state/marker.ts";
import type { Alert, Status } from "../state/record.ts";

/** What the work came to. `status` where the exit code alone does not say it. */
export interface Outcome {
  readonly exitCode: number;
  readonly status?: Status;
  /** A stop is how this work is meant to end (a mount): what it came to stands, unless a second signal came. */
  readonly endedByStop?: true;
}

/**
 * The run is stopping: it received a signal, or its time is over. Thrown by the run's own means (child, throwIfStopping)
 * and turned into the run's outcome in one place, attempt() of finish.ts. What a worker must do all the same stands in
 * its `finally`.
 */
export class Stopped extends Error {
  override readonly name = "Stopped";

  constructor(
    /** What the work has come to: as its last child ended, or 1 where something was left undone. */
    readonly exitCode: number,
    /** A sentence for the log and the record, where the exit code does not say enough. */
    message = "",
  ) {
    super(message);
  }
}

/** For a worker that goes on after a stop: what its child came to. Throws every other error. */
export function exitOfStopped(error: unknown): { readonly exitCode: number } {
  if (error instanceof Stopped) return { exitCode: error.exitCode };
  throw error;
}

export interface ChildPlan {
  /** Added to the run's environment; undefined takes a variable out. */
  readonly env?: ChildEnvironment;
  readonly onStdout?: (line: string) => void;
  readonly onStderr?: (line: string) => void;
  /**
   * Takes stdout as bytes instead of lines. All of them come; until it has settled, the child waits. When it throws,
   * the child would work for nothing and is ended.
   */
  readonly onBytes?: TakeBytes;
  /** Resolves when what it has printed is enough: it is ended then. */
  readonly enough?: Promise<void>;
  /** Is it known to start programs of its own, which may outlive it as daemons? */
  readonly startsOthers?: boolean;
  /** What to warn of when it did not end in time, so that it had to be killed. */
  readonly ifKilled?: string;
}

/** Milliseconds that ssh and rclone, which restic has started, get to notice that it has ended. */
const ENDING_MS = 500;
const ENDING_STEP_MS = 20;

interface RunParts {
  readonly stop: Stop;
  readonly marker: Marker;
  /** Inherited by every child, so that a worker that is killed does not set its lock free. */
  readonly lockFd: number | undefined;
}

/** `F`: the fields that the worker declares (see FactsOf). Who only needs a run around itself takes any. */
export class Run<F extends object = object> {
  /** The worker's own fields of the record, as far as they are known. */
  readonly facts = {} as F;
  /** What alert() has said so far. */
  readonly alerts: Alert[] = [];
  /** Why the work failed, in a sentence each: what fail() has been given. */
  readonly reasons: string[] = [];
  /** Did <WORKER>_TIMEOUT end a child? */
  timedOut = false;
  /** May something that a child started have our lock's descriptor still? Closing ours does not free it then. */
  leavesLock = false;
  /** The last child that did not end by itself: what it may have left in a repository is a dead process's. */
  killedChild: ChildMark | undefined;
  private currentChild: ChildMark | undefined;
  private deadline = Number.POSITIVE_INFINITY;

  readonly name: string;
  readonly log: Log;
  readonly settings: Settings;
  readonly stop: Stop;
  private readonly marker: Marker;
  private readonly lockFd: number | undefined;

  constructor(
    readonly context: Context,
    { stop, marker, lockFd }: RunParts,
  ) {
    this.name = context.job;
    this.log = context.log;
    this.settings = context.settings;
    this.stop = stop;
    this.marker = marker;
    this.lockFd = lockFd;
  }

  addFacts(facts: keyof F extends never ? never : F): void {
    Object.assign(this.facts, facts);
  }

  /**
   * Says what the operator must hear of although the exit code does not say it: in the log, in the record's `alerts`,
   * in status, and on the channels that are for errors only. A run that would end `ok` ends as a `warning`.
   * `kind`: a word for programs. `message`: a complete sentence with the value and the remedy.
   */
  alert(kind: string, message: string): void {
    this.log.warn(message);
    this.alerts.push({ kind, message });
  }

  /**
   * Says why the work fails: in the log, and in the record's `error`, which every channel and status repeat. `message`: a
   * complete sentence with the value and the remedy. `reason`: the same for the record, which has the exit code already.
   */
  fail(message: string, reason = message): void {
    this.log.error(message);
    this.reasons.push(reason);
  }

  /** The work begins now: its time-out counts from here. */
  begin(): void {
    const seconds = this.settings.workTimeout(this.name);
    if (seconds > 0) this.deadline = performance.now() + seconds * 1000;
  }

  /** Is the run to end? For loops that no child ends: the time of the work may be over without one. */
  get stopping(): boolean {
    if (performance.now() > this.deadline) this.endByTimeout();
    return this.timedOut || this.stop.signal !== undefined;
  }

  /** Throws Stopped when the run is to end. `exitCode`: what the work has come to by now. */
  throwIfStopping(exitCode: number = EXIT.failed): void {
    if (this.stopping) throw new Stopped(exitCode);
  }

  /** Where the work has got to, for `status` and for people. */
  progress(percent: number, etaSeconds: number | undefined): void {
    this.marker.update({ percent, ...(etaSeconds === undefined ? {} : { eta_seconds: etaSeconds }) });
  }

  /**
   * Runs a program to its end, line by line. Throws CannotStart, what onBytes throws, and Stopped once it has ended in a
   * run that is to end, also when it ended by itself.
   */
  async child(command: readonly string[], plan: ChildPlan): Promise<Ended> {
    const { env = {}, onStdout, onStderr, onBytes, enough, startsOthers = false, ifKilled } = plan;
    if (this.stop.signal !== undefined) throw new Stopped(exitCodeOfSignal(this.stop.signal));
    let lookBehind = async () => {};
    const ended = await runChild(command, {
      env: { ...this.context.env, ...env },
      stdout: onBytes === undefined ? this.lines(onStdout) : readBytes(onBytes),
      stderr: this.lines(onStderr),
      inherit: this.lockFd,
      program: command[0],
      first: "SIGINT",
      timeoutMs: Number.isFinite(this.deadline) ? Math.max(0, this.deadline - performance.now()) : undefined,
      graceMs: this.settings.seconds("WORK_KILL_AFTER") * 1000,
      stop: this.stop,
      budget: stopBudget.work,
      enough,
      onStart: (pid) => this.markChild(pid),
      onTimeOut: () => this.endByTimeout(),
      onEnd: ({ pid, cause, signal, isDrained }) => {
        if (cause !== undefined || signal !== undefined) this.killedChild = this.currentChild;
        if (cause === "timed out") this.endByTimeout();
        if (cause === undefined) this.forgiveSleep();
        lookBehind = () => this.lookBehind(pid, !isDrained || startsOthers);
      },
    }).finally(() => lookBehind());
    if (ifKilled !== undefined && ended.cause !== undefined && ended.signal === "SIGKILL")
      this.log.warn(ifKilled);
    if (this.timedOut || this.stop.signal !== undefined) throw new Stopped(ended.code);
    return ended;
  }

  /** Waits `ms` milliseconds; a stop and the end of the work's time end the wait. Throws Stopped like child(). */
  async wait(ms: number): Promise<void> {
    let wake = () => {};
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const cancel = after(Math.min(ms, this.deadline - performance.now()), wake);
    const forget = this.stop.listen(wake);
    await woken;
    cancel();
    forget();
    this.throwIfStopping();
  }

  /** The marker names the child: when all of us is killed at once, the next run knows whose its lock was. */
  private markChild(pid: number): void {
    const ticks = readStat(pid)?.ticks;
    this.currentChild = ticks === undefined ? undefined : { pid, ticks, pid_space: pidSpace() };
    if (this.currentChild !== undefined) this.marker.update({ child: this.currentChild });
  }

  /** A child's lines, one by one; what one read has brought is written to the log at once. */
  private lines(take: (line: string) => void = () => {}): Reader {
    const { log } = this;
    const takeAll = (lines: readonly string[]) => {
      for (const line of lines) take(line);
    };
    return onLines((lines) => log.gather(() => takeAll(lines)), log.mask);
  }

  /**
   * A child that ended by itself, although its time is over by now, ended in time while we slept (SIGSTOP): what is left
   * to do after it gets as long as a child that is told to end.
   */
  private forgiveSleep(): void {
    const nowMs = performance.now();
    if (nowMs > this.deadline) this.deadline = nowMs + this.settings.seconds("WORK_KILL_AFTER") * 1000;
  }

  private endByTimeout(): void {
    if (this.timedOut) return;
    this.timedOut = true;
    const name = `${screaming(this.name)}_TIMEOUT`;
    this.fail(
      `The work was ended because it took longer than ${name}=${this.settings.env[name]}.`,
      `The work was ended because it took longer than ${name}=${this.settings.env[name]}. If it needs more time, give it more.`,
    );
  }

  /**
   * What a child leaves running (a password agent) is left alive, as it is with hooks, and must not hold up the
   * next run either. The kernel's word on the group costs nothing; /proc is read only when there is a reason to.
   */
  private async lookBehind(leader: number, isSuspect: boolean): Promise<void> {
    if (!isSuspect && !signal(-leader, 0)) return;
    let members = familyMembers({ leader, marks: [] });
    // A child that SIGKILL could not end is still at work: then the lock must outlive us.
    if (members.some(({ pid }) => pid === leader)) return;
    this.leavesLock = true;
    const until = performance.now() + Math.min(ENDING_MS, this.stop.msUntil(1));
    while (members.length > 0 && performance.now() < until) {
      await new Promise<void>((resolve) => after(ENDING_STEP_MS, resolve));
      members = familyMembers({ leader, marks: [] });
    }
    if (members.length === 0) return;
    const names = members.map(({ pid }) => `${processName(pid)} with pid ${pid}`).join(", ");
    this.log.info(`The work left running: ${names}. It is left alive and holds no lock.`);
  }
}
