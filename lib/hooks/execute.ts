/** Runs one hook: its environment, its time-out, its output, and the facts about how it ended. */

import type { ChildEnvironment } from "../environment.ts";
import { EXIT, reasonOf } from "../errors.ts";
import type { Log } from "../log/log.ts";
import type { Mask } from "../mask.ts";
import { type Child, spawn } from "../process/spawn.ts";
import type { Stop, StopBudget } from "../process/stop.ts";
import { type Ended, supervise } from "../process/supervise.ts";
import type { HookResult } from "../state/record.ts";
import { formatShort } from "../units.ts";
import type { Hook } from "./discover.ts";
import { HookOutput } from "./output.ts";

export type { HookResult } from "../state/record.ts";

export interface HookPlan {
  readonly log: Log;
  readonly mask: Mask;
  readonly stop: Stop;
  readonly budget: StopBudget;
  /** What the hook sees, without what belongs to one hook only. */
  readonly env: ChildEnvironment;
  readonly argument: string | undefined;
  /** Seconds; 0 for none. */
  readonly timeout: number;
  /** Seconds from SIGTERM to SIGKILL. */
  readonly killAfter: number;
  readonly logMost: number;
  readonly pipePath: string;
}

export async function runHook(hook: Hook, plan: HookPlan): Promise<HookResult> {
  const { log } = plan;
  const named = { phase: hook.phase, path: hook.path };
  if (hook.command === undefined) {
    log.error(`${hook.shown}: ${hook.state}. It does not run. ${hook.remedy ?? ""}`.trimEnd());
    return { ...named, error: hook.state };
  }
  if (hook.caution !== undefined) log.warn(`${hook.shown}: ${hook.caution}. It runs all the same.`);

  const env = { ...plan.env, RBH_HOOK: hook.phase, RBH_HOOK_PATH: hook.path };
  const output = await HookOutput.open({
    log,
    mask: plan.mask,
    source: hook.phase,
    pipePath: plan.pipePath,
    env,
    fileMost: plan.logMost,
  });
  log.info(
    `hook ${hook.phase} started: ${hook.path}${plan.argument === undefined ? "" : ` ${plan.argument}`}`,
  );
  const begun = performance.now();
  let child: Child;
  try {
    child = spawn(plan.argument === undefined ? hook.command : [...hook.command, plan.argument], {
      env,
      cwd: "/",
      stdout: output.stdio,
      stderr: output.stdio,
      session: true,
    });
  } catch (error) {
    output.abandon();
    log.error(`hook ${hook.phase} could not be started: ${reasonOf(error)}`);
    return { ...named, error: reasonOf(error) };
  }
  output.follow(child);
  const family = { leader: child.pid, marks: marksOf(env), output: output.target };
  const ended = await supervise(child, family, {
    first: "SIGTERM",
    timeoutMs: plan.timeout > 0 ? plan.timeout * 1000 : undefined,
    graceMs: plan.killAfter * 1000,
    stop: plan.stop,
    budget: plan.budget,
  });
  const took = performance.now() - begun;
  const finished = await output.finish(plan.stop);
  if (!finished && ended.cause === undefined) {
    log.info(`hook ${hook.phase} left a process behind that still holds its output; it is left alive.`);
  }
  tell(log, hook.phase, ended, took, plan);
  const timedOut = ended.cause === "timed out";
  return {
    ...named,
    exit_code: timedOut ? EXIT.timedOut : ended.code,
    ...(ended.signal === undefined || timedOut ? {} : { signal: ended.signal }),
    timed_out: timedOut,
    duration_ms: Math.round(took),
    output_bytes: output.bytes,
  };
}

function tell(log: Log, phase: string, ended: Ended, took: number, plan: HookPlan): void {
  const time = formatShort(took);
  if (ended.cause === "timed out") {
    log.error(`hook ${phase} timed out after ${plan.timeout}s (exit 124); the run goes on.`);
  } else if (ended.cause === "stopped") {
    log.warn(
      `hook ${phase} was stopped after ${time} because the run was told to stop (exit ${ended.code}).`,
    );
  } else if (ended.signal !== undefined) {
    log.error(
      `hook ${phase} was killed by ${ended.signal} (exit ${ended.code}) after ${time}; the run goes on.`,
    );
  } else if (ended.code === 0) {
    log.info(`hook ${phase} done in ${time}`);
  } else {
    const own = ended.code === EXIT.timedOut ? ", its own, not a timeout" : "";
    log.error(`hook ${phase} failed in ${time} (exit ${ended.code}${own}); the run goes on.`);
  }
}

/** What only this hook and its children carry in their environment: /proc finds them by it. */
function marksOf(env: ChildEnvironment): string[] {
  return ["RBH_RUN_ID", "RBH_HOOK", "RBH_HOOK_PATH"].map((name) => `${name}=${env[name] ?? ""}`);
}
