/** The hooks of one phase, run one after another, and what they can read of their run, as hooks.md promises it. */

import { statSync } from "node:fs";
import type { Context } from "../context.ts";
import type { ChildEnvironment } from "../environment.ts";
import { cautionOf, discoverHooks } from "../hooks/discover.ts";
import { type HookResult, runHook } from "../hooks/execute.ts";
import type { Log } from "../log/log.ts";
import type { Stop, StopBudget } from "../process/stop.ts";
import type { Status } from "../state/record.ts";

export interface PhasePlan {
  /** `pre-backup`. */
  readonly phase: string;
  readonly argument: string | undefined;
  /** The environment of what we start, with RBH_* of this run. */
  readonly env: ChildEnvironment;
  readonly stop: Stop;
  readonly budget: StopBudget;
  /** Where the hook's named pipe is. */
  readonly pipePath: string;
  /** Is a hook that has not begun yet left out once the run is told to stop? */
  readonly skipOnStop: boolean;
}

/** Never throws for what a hook does: results are facts. */
export async function runPhase(context: Context, plan: PhasePlan): Promise<HookResult[]> {
  const { settings, log, hooksDir } = context;
  const { phase, stop, skipOnStop } = plan;
  const hooks = discoverHooks(hooksDir, phase, context.env.PATH);
  if (hooks.length === 0) log.note(`hook ${phase}: none in ${hooksDir}`);
  else warnOfFolder(log, hooksDir);
  const results: HookResult[] = [];
  for (const hook of hooks) {
    if (stop.forced || (skipOnStop && stop.signal !== undefined)) {
      log.warn(`${hook.shown} does not run: the run was told to stop by ${stop.signal}.`);
      continue;
    }
    results.push(
      await runHook(hook, {
        log,
        stop,
        budget: plan.budget,
        env: plan.env,
        argument: plan.argument,
        timeout: settings.hookTimeout(phase),
        killAfter: settings.count("HOOK_KILL_AFTER"),
        logMost: settings.count("HOOK_LOG_MAX_BYTES"),
        pipePath: plan.pipePath,
      }),
    );
  }
  return results;
}

/** Who can write the folder can replace every hook in it. */
function warnOfFolder(log: Log, hooksDir: string): void {
  const stat = statSync(hooksDir, { throwIfNoEntry: false });
  const caution = stat && cautionOf(stat);
  if (caution !== undefined) log.warn(`HOOKS_DIR=${hooksDir}: ${caution}. Its hooks run all the same.`);
}

/** What every hook of a run gets, but for its own name: our environment and RBH_*. */
export function hookEnvironment({ env, identity, logPath, shownRepository }: Context): ChildEnvironment {
  return {
    ...env,
    RBH_WORKER: identity.job,
    RBH_RUN_ID: identity.runId,
    RBH_LOG: logPath,
    RBH_HOSTNAME: identity.hostname,
    RBH_REPOSITORY: shownRepository ?? "",
  };
}

export interface Result {
  readonly exitCode: number;
  readonly status: Status;
  /** Of the work. */
  readonly durationSeconds: number;
  readonly snapshotId: string | undefined;
}

/** Added for post-hooks. */
export function resultEnvironment(context: Context, result: Result): ChildEnvironment {
  return {
    RBH_EXIT_CODE: String(result.exitCode),
    RBH_STATUS: result.status,
    RBH_RECORD: context.recordPath,
    RBH_DURATION_SECONDS: String(result.durationSeconds),
    ...(result.snapshotId === undefined ? {} : { RBH_SNAPSHOT_ID: result.snapshotId }),
  };
}
