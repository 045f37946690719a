/**
 * Runs another program in our place: it gets our terminal, streams and signals, we exit with its exit code. Where it is
 * more than one process, a stop is for all that it has started, and we wait for it within STOP_TIMEOUT.
 */

import { signalNumber } from "../environment.ts";
import { isTerminal } from "../log/stdout.ts";
import { type Family, familyMembers, ignoredSignals, isShell, runsThisProgram, type Stat } from "./proc.ts";
import {
  type Child,
  type Exit,
  exitCodeOfSignal,
  type Signal,
  type SpawnOptions,
  signal,
  signalsIgnoredHere,
  spawn,
} from "./spawn.ts";
import { type Stop, sleep } from "./stop.ts";

/** Signals that a person or a scheduler may send to a command. */
const PASSED = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const satisfies Signal[];
/** Those that the terminal sends to the command itself: passed on as well, they would come twice, and restic exits at once then. */
const FROM_TERMINAL: readonly Signal[] = ["SIGINT", "SIGHUP", "SIGQUIT"];
/** Those that stop all that the command has started. */
const STOPS: readonly Signal[] = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];
/** Those that a person types, to a shell or an editor as well: what they mean is the command's affair. */
const TYPED: readonly Signal[] = ["SIGINT", "SIGQUIT"];

export interface ForegroundPlan extends Pick<SpawnOptions, "env" | "inherit"> {
  /** `NAME=value` pairs that only the program and what it starts carry in their environment. */
  readonly marks?: readonly string[];
  /** Bounds a stop of all that it has started; without one signals are the program's affair alone. */
  readonly stop?: Stop;
}

/** Resolves to its exit code, 128+n after signal n. Throws CannotStart. */
export async function foreground(
  words: readonly string[],
  { marks = [], stop, ...options }: ForegroundPlan,
): Promise<number> {
  const isIgnored = signalsIgnoredHere();
  const ignored = PASSED.filter((name) => isIgnored.has(signalNumber(name) ?? 0));
  // Before there is a child, so that no signal finds us without it; handlers run only once we wait.
  const onTerminal = isTerminal(0);
  let child: Child | undefined;
  for (const name of PASSED) {
    if (ignored.includes(name)) continue;
    const isTyped = onTerminal && TYPED.includes(name);
    process.on(name, () => {
      if (stop !== undefined && STOPS.includes(name) && !isTyped) stop.receive(name);
      else if (child !== undefined && !(onTerminal && FROM_TERMINAL.includes(name))) signal(child.pid, name);
    });
  }
  const streams = { stdin: "inherit", stdout: "inherit", stderr: "inherit" } as const;
  child = spawn(ignoring(ignored, words), { ...options, ...streams });
  const { exited, pid } = child;
  if (stop === undefined) return (await exited).code;
  const stopped = new Promise<void>((resolve) => stop.listen(resolve));
  await Promise.race([exited, stopped]);
  if (stop.signal === undefined) return (await exited).code;
  // A closed terminal has told them all.
  const told = onTerminal && FROM_TERMINAL.includes(stop.signal);
  return endFamily(exited, { leader: pid, marks }, stop, told);
}

/** Milliseconds between two looks at what still runs. */
const LOOK_MS = 50;
/** Milliseconds that a shell has to do what it has a trap for, before the command that it waits for is told, too. */
const SHELL_MS = 1000;
/** Milliseconds that a worker has after a second signal to kill its children and write its record. */
const FORCED_MS = 1000;
/** Milliseconds that killed processes have to disappear: one that sleeps in the kernel never does. */
const GONE_MS = 500;

/** Asks all of the family to end and waits for it; what is left at the end of the budget is killed. Resolves to the exit code. */
async function endFamily(
  exited: Promise<Exit>,
  family: Family,
  stop: Stop,
  isTold: boolean,
): Promise<number> {
  const begun = performance.now();
  const name = stop.signal ?? "SIGTERM";
  const asked = new Set<number>(isTold ? [family.leader] : []);
  let exit: Exit | undefined;
  void exited.then((end) => {
    exit = end;
  });
  let forcedUntil: number | undefined;
  for (;;) {
    const left = familyMembers(family);
    if (exit !== undefined && left.length === 0) return exit.code;
    if (stop.forced) {
      forcedUntil ??= performance.now() + FORCED_MS;
      // Again and again: one that heard of the first later than we did takes this one for a part of it.
      for (const pid of asked) signal(pid, "SIGTERM");
    }
    if ((forcedUntil === undefined ? stop.msUntil(1) : forcedUntil - performance.now()) <= 0) break;
    for (const { pid } of askable(left, family.leader, performance.now() - begun > SHELL_MS)) {
      if (asked.has(pid)) continue;
      asked.add(pid);
      // A shell has whatever it puts into the background ignore SIGINT.
      const isDeaf = pid !== family.leader && ignoredSignals(pid).has(signalNumber(name) ?? 0);
      signal(pid, isDeaf ? "SIGTERM" : name);
    }
    await sleep(LOOK_MS);
  }
  const goneBy = performance.now() + GONE_MS;
  for (let left = familyMembers(family); performance.now() < goneBy; left = familyMembers(family)) {
    if (left.length === 0 && exit !== undefined) break;
    for (const { pid } of left) signal(pid, "SIGKILL");
    await sleep(LOOK_MS);
  }
  return exit?.code ?? exitCodeOfSignal("SIGKILL");
}

/**
 * Those that hear of a stop from us: the program, our workers, what has lost its parent, and the children of a shell that
 * still waits for them (`isLate`), since it hands no signal on. Others have a parent that ends them in its own way: a
 * worker its restic, restic its rclone.
 */
function askable(members: readonly Stat[], leader: number, isLate: boolean): Stat[] {
  const byPid = new Map(members.map((each) => [each.pid, each]));
  const above = ({ parent }: Stat) => byPid.get(parent);
  const isBelowWorker = (each: Stat): boolean => {
    const next = above(each);
    return next !== undefined && (runsThisProgram(next.pid) || isBelowWorker(next));
  };
  const isAskable = (each: Stat): boolean => {
    const next = above(each);
    if (each.pid === leader || next === undefined) return true;
    if (runsThisProgram(each.pid)) return !isBelowWorker(each);
    return isLate && isShell(next.pid) && isAskable(next);
  };
  return members.filter(isAskable);
}

/** Bun starts every child with all signals at their defaults; a shell puts back what nohup(1) had set. */
function ignoring(signals: readonly Signal[], words: readonly string[]): readonly string[] {
  if (signals.length === 0) return words;
  const names = signals.map((name) => name.replace("SIG", "")).join(" ");
  return ["/bin/sh", "-c", `trap '' ${names}; exec "$@"`, "sh", ...words];
}
