/** locked_run: runs a command under the lock of a job; skips it when the lock is held. */

import { realpathSync } from "node:fs";
import { Context } from "../context.ts";
import { environment } from "../environment.ts";
import { EXIT, UsageError } from "../errors.ts";
import { foreground } from "../process/foreground.ts";
import { resolveProgram } from "../process/spawn.ts";
import { Stop } from "../process/stop.ts";
import type { Command, Invocation } from "../run/command.ts";
import { skip } from "../run/skip.ts";
import { forgetSkips, skipsInARow } from "../state/holder.ts";
import {
  formatLockVariable,
  freeLock,
  LOCK_VARIABLE,
  type Lock,
  LockFailure,
  signLock,
  takeLock,
  unsignLock,
} from "../state/lock.ts";
import { localZone, stamp } from "../time/zone.ts";

const command: Command = {
  about:
    "Runs a command under the lock of a job. When the lock is held, the previous run is still active: the command is " +
    "skipped, which is logged, and the exit code is 0, so that a scheduler does not count it as a failure. A signal goes " +
    "to all that the command has started, which has STOP_TIMEOUT to end; what the command leaves running holds no lock.",
  flags: {},
  operands: {
    usage: "<job> [<lock-file>] <command> [<argument>…]",
    help: "the lock file's name ends in .lock; the default is LOCK_DIR/<job>.lock",
    least: 2,
    most: Number.POSITIVE_INFINITY,
    verbatim: true,
  },
  environment: [
    "LOCK_DIR",
    "LOG_DIR",
    "STOP_TIMEOUT",
    "HISTORY_MAX_RUNS",
    "METRICS_DIR",
    "WEBHOOK_URL",
    "WEBHOOK_HEADER_AUTH",
    "WEBHOOK_TIMEOUT",
    "WEBHOOK_ON_ERROR",
    "MAILX_RCPT",
    "MAILX_ON_ERROR",
    "ALERT_ON",
    "HEALTHCHECKS_URL_<WORKER>",
    "HEALTHCHECKS_LOG",
    "HOSTNAME",
    "TZ",
    "NO_COLOR",
  ],
  exits: [
    ["0", "the command succeeded, or it was skipped because its lock is held"],
    ["1", "the lock cannot be taken for another reason"],
    ["2", "the command line is wrong; nothing was done"],
    ["126, 127", "the command cannot be executed, or is missing"],
    ["128+n", "signal n killed the command"],
    ["other", "the command's own exit code"],
  ],
  main,
};
export default command;

async function main(invocation: Invocation): Promise<number> {
  const { job, lockFile, words } = read(invocation.operands);
  const context = new Context(job);
  const path = lockFile ?? context.lockPath;
  // Resolved before the lock is taken, so that a misspelt command does not count as a run.
  const program = resolveProgram(words[0] ?? "", environment.PATH);
  const skipsBefore = skipsInARow(context.lockDir, job);
  const taking = takeLock(path, environment, invocation.prepared?.lock);
  // flock(1) works meanwhile.
  context.prepare();
  const isOurs = isThisProgram(program);
  let lock: Lock | undefined;
  try {
    lock = await taking;
  } catch (error) {
    // A worker that uses the same lock meets the same failure, and writes a record of it.
    const sameLock = isOurs && program.endsWith(`/${job}`) && path === context.lockPath;
    if (error instanceof LockFailure && sameLock) return invocation.call(program, words.slice(1));
    throw error;
  }
  if (lock === undefined) {
    await skip(context, path, EXIT.ok);
    return EXIT.ok;
  }
  forgetSkips(context.lockDir, job, skipsBefore);
  signLock(lock, `pid ${process.pid}\nsince ${stamp(Date.now(), localZone())}\njob ${job}\n`);
  if (!isOurs) return runForeign(words, context, lock);
  const exitCode = await invocation.call(program, words.slice(1), { lock, context });
  unsignLock(lock);
  return exitCode;
}

/** Any other program: it and what it starts hold the lock with us until it ends, and no longer. */
async function runForeign(words: readonly string[], context: Context, lock: Lock): Promise<number> {
  const value = formatLockVariable(lock, context.job);
  try {
    return await foreground(words, {
      env: { ...environment, [LOCK_VARIABLE]: value },
      inherit: lock.fd,
      marks: [`${LOCK_VARIABLE}=${value}`],
      stop: new Stop(() => context.settings.seconds("STOP_TIMEOUT") * 1000),
    });
  } finally {
    unsignLock(lock);
    // Something that it left behind may have the descriptor still.
    await freeLock(lock, context.env);
  }
}

function read([job = "", second = "", ...rest]: readonly string[]) {
  if (!/^[\w.-]+$/.test(job)) {
    throw new UsageError(`"${job}" is not the name of a job; use letters, digits, ".", "-" and "_".`);
  }
  if (!second.endsWith(".lock")) return { job, lockFile: undefined, words: [second, ...rest] };
  if (rest.length === 0) throw new UsageError(`The command is missing after ${job} ${second}.`);
  return { job, lockFile: second, words: rest };
}

/** Is it a link to this program? Then it runs in this process. */
function isThisProgram(program: string): boolean {
  return realpathSync(program) === realpathSync(process.execPath);
}
