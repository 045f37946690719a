/** hook-test: runs the hooks of one phase exactly as a worker would, without the worker. */

import { rmSync } from "node:fs";
import { Context } from "../context.ts";
import { EXIT, UsageError } from "../errors.ts";
import { hookEnvironment, resultEnvironment, runPhase } from "../hooks/execute.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { exitCodeOfSignal } from "../process/spawn.ts";
import { Stop, stopBudget } from "../process/stop.ts";
import { type Command, hookPhases, type Invocation } from "../run/command.ts";
import type { Status } from "../state/record.ts";

const command: Command = {
  about:
    "Runs the hooks of one phase with the environment, the time-out and the logging that a worker gives them. " +
    "No lock is taken, no work is done and no record is written.",
  flags: {},
  operands: {
    usage: "<phase> [<exit code>]",
    help: "such as pre-backup, or post-backup 12; the exit code that a post-hook gets defaults to 0",
    least: 1,
    most: 2,
  },
  environment: [
    "HOOKS_DIR",
    "BACKUP_ROOT_DIR",
    "METRICS_DIR",
    "HOOK_TIMEOUT",
    "HOOK_TIMEOUT_<PHASE>",
    "HOOK_KILL_AFTER",
    "HOOK_LOG_MAX_BYTES",
    "HOOK_STDOUT_MAX_BYTES",
    "RESTIC_REPOSITORY",
    "RESTIC_REPOSITORY_FILE",
    "LOG_DIR",
    "LOCK_DIR",
    "STOP_TIMEOUT",
    "HOSTNAME",
    "TZ",
    "NO_COLOR",
  ],
  exits: [
    ["0", "every hook of the phase exited with 0"],
    ["1", "the phase has no hook, or one cannot run"],
    ["2", "the command line is wrong; nothing was done"],
    ["124", "a hook timed out"],
    ["128+n", "signal n stopped it, or killed the hook"],
    ["other", "the exit code of the first hook that failed"],
  ],
  main,
};
export default command;

const EXIT_CODE_MOST = 255;

async function main({ operands, table }: Invocation): Promise<number> {
  const { phase, argument } = read(operands, hookPhases(table));
  const context = new Context(phase.replace(/^(pre|post)-/, ""));
  const stop = new Stop(() => context.settings.seconds("STOP_TIMEOUT") * 1000);
  stop.install();
  const exitCode = Number(argument ?? 0);
  const result = {
    exitCode,
    status: statusForExit(exitCode),
    durationSeconds: 0,
    snapshotId: undefined,
    hasRecord: true,
  };
  // A pipe of its own: a real run of the same worker may be using the worker's.
  const pipePath = `${context.lockDir}/hook-test-${process.pid}.pipe`;
  try {
    const hooks = await runPhase(context, {
      phase,
      argument,
      env: {
        ...hookEnvironment(context),
        ...(argument === undefined ? {} : resultEnvironment(context, result)),
      },
      stop,
      budget: stopBudget.hookTest,
      pipePath,
      skipOnStop: true,
    });
    if (stop.signal !== undefined) return exitCodeOfSignal(stop.signal);
    if (hooks.length === 0) {
      context.log.warn(`There is no hook for ${phase} in ${context.hooksDir}.`);
      return EXIT.failed;
    }
    return hooks.map((hook) => hook.exit_code ?? EXIT.failed).find((code) => code !== 0) ?? EXIT.ok;
  } finally {
    rmSync(pipePath, { force: true });
  }
}

/** The status that a record would give for this exit code, as far as the code alone tells. */
function statusForExit(exitCode: number): Status {
  if (exitCode === EXIT.ok) return "ok";
  if (exitCode === EXIT.timedOut) return "timed_out";
  const stops = (["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"] as const).map(exitCodeOfSignal);
  return stops.includes(exitCode) ? "interrupted" : "failed";
}

function read([phase = "", argument]: readonly string[], phases: readonly string[]) {
  if (!phases.includes(phase)) {
    throw new UsageError(`There is no phase ${phase}${didYouMean(nearest(phase, phases))}`);
  }
  const isPost = phase.startsWith("post-");
  if (!isPost && argument !== undefined)
    throw new UsageError(`${phase} takes no argument, but got "${argument}".`);
  if (argument !== undefined && !(/^\d{1,3}$/.test(argument) && Number(argument) <= EXIT_CODE_MOST)) {
    throw new UsageError(`"${argument}" is not an exit code; expected a number from 0 to ${EXIT_CODE_MOST}.`);
  }
  return { phase, argument: isPost ? (argument ?? "0") : undefined };
}
