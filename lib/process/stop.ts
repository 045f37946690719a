/**
 * Waiting: timers of any length, and the stop of a run, which cuts every wait short. SIGTERM, SIGINT, SIGHUP or SIGQUIT
 * begin it, STOP_TIMEOUT bounds all of it, and a second signal, two seconds later or more, ends it at once.
 */

import { boundStdout } from "../log/stdout.ts";
import { type Signal, signalsIgnoredHere } from "./spawn.ts";

/** The signals that begin a stop, with their numbers, which POSIX fixes. */
const SIGNALS = [
  ["SIGTERM", 15],
  ["SIGINT", 2],
  ["SIGHUP", 1],
  ["SIGQUIT", 3],
] as const satisfies readonly (readonly [Signal, number])[];

/** Signals that mean nothing to us, and would end us without a word. Not SIGPWR, which the runtime uses itself. */
const STRAY = [
  ["SIGUSR1", 10],
  ["SIGUSR2", 12],
  ["SIGALRM", 14],
  ["SIGVTALRM", 26],
  ["SIGPROF", 27],
  ["SIGIO", 29],
] as const satisfies readonly (readonly [Signal, number])[];

/**
 * Milliseconds after the first signal in which others belong to the same stop: a terminal that is closed sends SIGHUP
 * twice (the kernel and the shell), timeout(1) its signal to its child and to the group, systemd to all of a unit while
 * entry asks its workers, too. A person who sends a second one has waited at least as long.
 */
const ONE_STOP_MS = 2000;

/** When something that runs is ended in a stop, as shares (0 to 1) of STOP_TIMEOUT since the first signal. */
export interface StopBudget {
  /** When it gets its polite signal. */
  readonly signalAt: number;
  /** When it is killed, or not waited for any more. */
  readonly killAt: number;
}

/**
 * How a stop's budget is divided, in the order in which the parts of a run use it. With the default of 8 s the work has
 * 4.8 s to end cleanly, and a post-hook that begins then has 2 s before it gets its signal.
 */
export const stopBudget = {
  /** The work will not be started, so nothing that it prepares is needed. It may still need a moment to undo it. */
  preHook: { signalAt: 0, killAt: 0.25 },
  /** restic must remove its lock from a repository that may be slow; what is left must do for the post-hooks. */
  work: { signalAt: 0, killAt: 0.6 },
  /** A mount that somebody uses is taken out of the tree by then: post-hooks run after the unmount. */
  unmount: { signalAt: 0, killAt: 0.75 },
  /** A large work directory is left to the next run, rather than keep the post-hooks from running. */
  workdir: { signalAt: 0, killAt: 0.8 },
  /** A post-hook may undo what must be undone (an fsfreeze), so it is the last to be told. 0.05 is for our record. */
  postHook: { signalAt: 0.85, killAt: 0.95 },
  /** hook-test has nothing else to do. */
  hookTest: { signalAt: 0, killAt: 0.9 },
  /** A program that was asked something leaves nothing behind; its answer is of no use any more. */
  question: { signalAt: 0, killAt: 0.5 },
  /** The ping of a run that was stopped goes out beside its post-hooks. */
  ping: { signalAt: 0, killAt: 0.9 },
  /** A mail goes out beside the post-hooks, and must not delay the end of the run. */
  sendmail: { signalAt: 0, killAt: 0.05 },
} as const satisfies Record<string, StopBudget>;

export class Stop {
  /** The first signal, once it has come. */
  signal: Signal | undefined;
  /** Has a second signal come, ONE_STOP_MS after the first? Then nothing is waited for any more. */
  forced = false;
  /** Are the signals over that belong to the first one? */
  private isAlone = false;
  private begun = 0;
  private budget = 0;
  private readonly listeners = new Set<() => void>();

  /** `budgetMs` is called once, when the stop begins, so that a value that makes no sense is warned of once. */
  constructor(private readonly budgetMs: () => number) {}

  /**
   * Handles signals from here on; `onStray` is called with one that begins no stop. A signal that was ignored when we
   * were started (nohup) stays ignored.
   */
  install(onStray: (name: Signal) => void = () => {}): void {
    const ignored = signalsIgnoredHere();
    const handle = (name: Signal, number: number, handler: () => void) => {
      if (!ignored.has(number)) process.on(name, handler);
    };
    for (const [name, number] of SIGNALS) handle(name, number, () => this.receive(name));
    for (const [name, number] of STRAY) handle(name, number, () => onStray(name));
  }

  /** Calls `listener` at the first signal and at the one that forces, and at once when one has come already. */
  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    if (this.signal !== undefined) listener();
    return () => this.listeners.delete(listener);
  }

  /** Milliseconds until this share of the budget is used up; infinite while no stop has begun. */
  msUntil(share: number): number {
    if (this.signal === undefined) return Number.POSITIVE_INFINITY;
    return this.forced ? 0 : Math.max(0, this.begun + this.budget * share - performance.now());
  }

  /** A signal has come. install() has it called; a program that runs another in its place calls it itself. */
  receive(name: Signal): void {
    if (this.signal === undefined) {
      this.signal = name;
      this.begun = performance.now();
      this.budget = this.budgetMs();
      boundStdout(() => this.msUntil(1));
      // Where something kept this thread for longer, what came meanwhile is heard before any counts as a second one.
      after(ONE_STOP_MS, () => void eventLoopTurn().then(() => (this.isAlone = true)));
    } else if (this.isAlone) {
      this.forced = true;
    } else {
      return;
    }
    for (const listener of [...this.listeners]) listener();
  }
}

/**
 * For process 1, for which the kernel drops a signal that has no handler: calls `act` with the number of one that comes
 * before there is a Stop, or whatever else handles it. Nothing has begun then that would have to be ended in good order.
 */
export function onEarlySignal(act: (number: number) => void): void {
  const ignored = signalsIgnoredHere();
  for (const [name, number] of SIGNALS) {
    if (!ignored.has(number)) process.on(name, () => process.listenerCount(name) === 1 && act(number));
  }
}

const LONGEST_MS = 2 ** 31 - 1;

/** Calls `action` after `ms` milliseconds (any finite number) and returns a function that cancels it. */
export function after(ms: number, action: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = (left: number) => {
    timer = setTimeout(
      () => (left > LONGEST_MS ? wait(left - LONGEST_MS) : action()),
      Math.min(left, LONGEST_MS),
    );
  };
  wait(Math.max(0, ms));
  return () => clearTimeout(timer);
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => after(ms, resolve));

/** Resolves once the event loop has run the timers that are due and the handlers of signals that have come. */
export const eventLoopTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resolves to true when `promise` settles within `ms` milliseconds, else to false. */
export function within(ms: number, promise: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    // We may have slept past it (SIGSTOP): what has settled meanwhile is heard first.
    const cancel = after(ms, () => void eventLoopTurn().then(() => resolve(false)));
    const settled = () => {
      cancel();
      resolve(true);
    };
    promise.then(settled, settled);
  });
}
