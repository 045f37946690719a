/** locked_run: takes a worker's lock, then runs a command; skips it when the lock is held. */

import { realpathSync } from "node:fs";
import { EXIT, Failure } from "../errors.ts";
import { signalNumber } from "../host.ts";
import { type Child, resolveProgram, type Signal, signal, spawn } from "../process/spawn.ts";
import { wasIgnored } from "../process/stop.ts";
import type { Command, Invocation } from "../run/command.ts";
import { HELD_VARIABLE, heldBy, type Lock, LockFailure, signLock, takeLock } from "../run/lock.ts";
import { sceneOf } from "../run/scene.ts";
import { skip } from "../run/skip.ts";
import { forgetSkips, skipsSoFar } from "../run/skips.ts";
import { isTerminal } from "../terminal.ts";
import { stamp } from "../time/format.ts";
import { localZone } from "../time/zone.ts";

const command: Command = {
  about:
    "Takes the lock of a job and runs a command under it. When the lock is held, the run before this one still " +
    "goes on: that is logged, and the exit code is 0, so that a scheduler does not call it a failure.",
  flags: {},
  operands: {
    usage: "<job> [<lock-file>] <command> [<argument>…]",
    help: "the lock file ends in .lock; without one it is LOCK_DIR/<job>.lock",
    least: 2,
    most: Number.POSITIVE_INFINITY,
    verbatim: true,
  },
  environment: ["LOCK_DIR", "LOG_DIR", "TZ"],
  exits: [
    ["0", "the command succeeded, or it was skipped because its lock is held"],
    ["1", "the lock cannot be taken for another reason"],
    ["2", "the command line is wrong; nothing was done"],
    ["126, 127", "the command cannot be executed, is missing"],
    ["128+n", "signal n ended the command"],
    ["other", "the command's own"],
  ],
  main,
};
export default command;

async function main(invocation: Invocation): Promise<number> {
  const { job, lockFile, words } = read(invocation.operands);
  const scene = sceneOf(job);
  const path = lockFile ?? `${scene.lockDir}/${job}.lock`;
  // Found before the lock is taken, so that a misspelt command is not mistaken for a run.
  const program = resolveProgram(words[0] ?? "", process.env.PATH);
  const skipsBefore = skipsSoFar(scene.lockDir, job);
  const name = ownName(program);
  let lock: Lock | undefined;
  try {
    lock = await takeLock(path, process.env);
  } catch (error) {
    // A worker that would take this very lock meets the same failure, and leaves a record of it.
    const sameLock = name?.endsWith(`/${job}`) && path === `${scene.lockDir}/${job}.lock`;
    if (error instanceof LockFailure && name && sameLock) return invocation.call(name, words.slice(1));
    throw error;
  }
  if (lock === undefined) {
    skip(scene, path, EXIT.ok);
    return EXIT.ok;
  }
  forgetSkips(scene.lockDir, job, skipsBefore);
  signLock(lock, `pid ${process.pid}\nsince ${stamp(Date.now(), localZone())}\njob ${job}\n`);
  if (name !== undefined) return invocation.call(name, words.slice(1), lock);
  return foreign(words, job, lock);
}

function read([job = "", second = "", ...rest]: readonly string[]) {
  if (!/^[\w.-]+$/.test(job)) {
    throw new Failure(`"${job}" is no name for a job: letters, digits, - and _ make one.`, EXIT.usage);
  }
  if (!second.endsWith(".lock")) return { job, lockFile: undefined, words: [second, ...rest] };
  if (rest.length === 0) throw new Failure(`The command is missing after ${job} ${second}.`, EXIT.usage);
  return { job, lockFile: second, words: rest };
}

/** The command's name when it is a link to this very program: it then runs here, without a process more. */
function ownName(program: string): string | undefined {
  return realpathSync(program) === realpathSync(process.execPath) ? program : undefined;
}

/** Signals that a person or a scheduler may send to a command. */
const PASSED = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const satisfies Signal[];
/** Those that the terminal itself sends to the command too: passed on, restic would take them for impatience. */
const FROM_TERMINAL: readonly Signal[] = ["SIGINT", "SIGHUP", "SIGQUIT"];

async function foreign(words: readonly string[], job: string, lock: Lock): Promise<number> {
  const ignored = PASSED.filter((name) => wasIgnored(signalNumber(name) ?? 0));
  // Before there is a child, so that no signal finds us without it; handlers run only once we wait.
  const onTerminal = isTerminal(0);
  let child: Child | undefined;
  for (const name of PASSED) {
    if (ignored.includes(name)) continue;
    process.on(name, () => {
      if (child !== undefined && !(onTerminal && FROM_TERMINAL.includes(name))) signal(child.pid, name);
    });
  }
  child = spawn(ignoring(ignored, words), {
    env: { ...process.env, [HELD_VARIABLE]: heldBy(lock, job) },
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
    inherit: lock.fd,
  });
  return (await child.exited).code;
}

/** Bun starts every child with all signals at their defaults; a shell puts back what nohup(1) had set. */
function ignoring(signals: readonly Signal[], words: readonly string[]): readonly string[] {
  if (signals.length === 0) return words;
  const names = signals.map((name) => name.replace("SIG", "")).join(" ");
  return ["/bin/sh", "-c", `trap '' ${names}; exec "$@"`, "locked_run", ...words];
}
