/**
 * The hooks of one phase, run one after another: what they can read of their run, as hooks.md promises it, and of each
 * its time-out, its output and the facts about how it ended.
 */

import type { Context } from "../context.ts";
import type { ChildEnvironment } from "../environment.ts";
import { EXIT, errnoOf, reasonOf } from "../errors.ts";
import type { Bytes, Log } from "../log/log.ts";
import { type BothStreams, type ChildEnd, runChild } from "../process/child.ts";
import { openPipe, type Pipe } from "../process/pipe.ts";
import { writeTo } from "../process/pump.ts";
import { CannotStart, plainEnvironment, spawn } from "../process/spawn.ts";
import type { Stop, StopBudget } from "../process/stop.ts";
import type { HookResult, Status } from "../state/record.ts";
import { formatBytes, formatShort } from "../text.ts";
import { discoverHooks, type Hook, hookWarning } from "./discover.ts";

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
  /** Is a hook that has not begun yet skipped once the run is stopping? */
  readonly skipOnStop: boolean;
  /** The paths of the hooks that were there before: one that has vanished since is an error. */
  readonly expected?: readonly string[];
}

/** The logs of runs that have said once who else could change their hooks. */
const warned = new WeakSet<Log>();

/**
 * Never throws for what a hook does: results are facts, added to `results` as they come. Resolves to all that are in
 * it.
 */
export async function runPhase(
  context: Context,
  plan: PhasePlan,
  results: HookResult[] = [],
): Promise<readonly HookResult[]> {
  const { settings, log, env, hooksDir } = context;
  const { phase, stop, skipOnStop, expected = [] } = plan;
  const hooks = discoverHooks(hooksDir, phase, env.PATH);
  const vanished = expected.filter((path) => !hooks.some((hook) => hook.path === path));
  if (hooks.length === 0) {
    if (vanished.length === 0) log.note(`hook ${phase}: none in ${hooksDir}`);
  } else if (!warned.has(log)) {
    const sources = phase.endsWith("-backup") ? settings.lines("BACKUP_ROOT_DIR") : [];
    const warning = hookWarning(hooksDir, hooks, sources);
    if (warning !== undefined) {
      warned.add(log);
      log.warn(warning);
    }
  }
  for (const path of vanished) {
    const error = "vanished since the run began";
    log.error(`${path}: ${error}. It does not run. Is ${hooksDir} still mounted?`);
    results.push({ phase, path, error });
  }
  for (const hook of hooks) {
    if (hook.freezes === undefined) continue;
    const { freezeText } = await import("./freeze.ts");
    const said = await freezeText(hook, context);
    if (said !== undefined) log.warn(said);
  }
  for (const hook of hooks) {
    if (stop.forced || (skipOnStop && stop.signal !== undefined)) {
      log.warn(`${hook.shown} does not run: the run was stopped by ${stop.signal}.`);
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
        killAfter: settings.seconds("HOOK_KILL_AFTER"),
        logMost: settings.count("HOOK_LOG_MAX_BYTES"),
        stdoutMost: settings.count("HOOK_STDOUT_MAX_BYTES"),
        pipePath: plan.pipePath,
      }),
    );
  }
  return results;
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
  /** Does its record stand in its place? Otherwise that of an earlier run may. */
  readonly hasRecord: boolean;
}

/** Added for post-hooks. */
export function resultEnvironment(context: Context, result: Result): ChildEnvironment {
  return {
    RBH_EXIT_CODE: String(result.exitCode),
    RBH_STATUS: result.status,
    RBH_RECORD: result.hasRecord ? context.recordPath : undefined,
    RBH_DURATION_SECONDS: String(result.durationSeconds),
    ...(result.snapshotId === undefined ? {} : { RBH_SNAPSHOT_ID: result.snapshotId }),
  };
}

export interface HookPlan {
  readonly log: Log;
  readonly stop: Stop;
  readonly budget: StopBudget;
  /** What the hook sees, without what belongs to one hook only. */
  readonly env: ChildEnvironment;
  readonly argument: string | undefined;
  /** Seconds; 0 for none. */
  readonly timeout: number;
  /** Seconds from SIGTERM to SIGKILL. */
  readonly killAfter: number;
  /** Bytes that the hook may add to the run's own log (HOOK_LOG_MAX_BYTES), and to stdout (HOOK_STDOUT_MAX_BYTES). */
  readonly logMost: number;
  readonly stdoutMost: number;
  readonly pipePath: string;
}

export async function runHook(hook: Hook, plan: HookPlan): Promise<HookResult> {
  const { log } = plan;
  const { phase } = hook;
  const named = { phase, path: hook.path };
  if (hook.command === undefined) {
    log.error(`${hook.shown}: ${hook.state}. It does not run. ${hook.remedy ?? ""}`.trimEnd());
    return { ...named, error: hook.state };
  }
  if (hook.caution !== undefined) log.warn(`${hook.shown}: ${hook.caution}. It runs all the same.`);

  const env = { ...plan.env, RBH_HOOK: phase, RBH_HOOK_PATH: hook.path };
  const pipe = await openPipe(plan.pipePath, env);
  const output = hookOutput({ log, source: phase, pipe, env, file: plan.logMost, stdout: plan.stdoutMost });
  const words = plan.argument === undefined ? [] : [plan.argument];
  const marks = buildMarks(env);
  log.info(`hook ${phase} started: ${[hook.path, ...words].join(" ")}`);
  let ended: ChildEnd | undefined;
  const onTimeOut = () =>
    log.error(`hook ${phase} timed out after ${plan.timeout}s (exit 124); the run goes on.`);
  try {
    await runChild([...hook.command, ...words], {
      env,
      cwd: "/",
      both: output.streams,
      marks,
      timeoutMs: plan.timeout > 0 ? plan.timeout * 1000 : undefined,
      graceMs: plan.killAfter * 1000,
      stop: plan.stop,
      budget: plan.budget,
      onTimeOut,
      onEnd: (end) => {
        ended = end;
      },
    });
  } catch (error) {
    if (error instanceof CannotStart) {
      log.error(`hook ${phase} could not be started: ${reasonOf(error)}`);
      return { ...named, error: reasonOf(error) };
    }
    // What the system refused has cost its output only; the hook itself was waited for.
    if (ended === undefined || errnoOf(error) === undefined) throw error;
    log.warn(`The output of hook ${phase} could not be read: ${reasonOf(error)}.`);
  }
  if (ended === undefined) throw new Error(`The end of hook ${phase} was never reported.`);
  output.end();
  if (!ended.isDrained && ended.cause === undefined) {
    log.info(`hook ${phase} left a process behind that still holds its output; it is left alive.`);
  }
  const result = { ...named, ...buildEndFields(ended) };
  logEnd(log, phase, ended);
  return result;
}

/** A time-out is known by our having killed the hook, and exits with 124 whatever signal that took. */
function buildEndFields({ cause, code, signal, tookMs, outputBytes }: ChildEnd) {
  const timedOut = cause === "timed out";
  return {
    exit_code: timedOut ? EXIT.timedOut : code,
    ...(signal === undefined || timedOut ? {} : { signal }),
    timed_out: timedOut,
    ...(cause === "stopped" ? { stopped: true as const } : {}),
    duration_ms: Math.round(tookMs),
    output_bytes: outputBytes,
  };
}

function logEnd(log: Log, phase: string, ended: ChildEnd): void {
  const time = formatShort(ended.tookMs);
  // That was said when it struck.
  if (ended.cause === "timed out") return;
  if (ended.cause === "stopped") {
    log.warn(`hook ${phase} was stopped after ${time} because the run is stopping (exit ${ended.code}).`);
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

/** What only this hook and its children carry in their environment: they are found in /proc by it. */
function buildMarks(env: ChildEnvironment): string[] {
  return ["RBH_RUN_ID", "RBH_HOOK", "RBH_HOOK_PATH"].map((name) => `${name}=${env[name] ?? ""}`);
}

interface OutputPlan extends Bytes {
  readonly log: Log;
  /** The name before each line: the phase. */
  readonly source: string;
  readonly pipe: Pipe | undefined;
  readonly env: ChildEnvironment;
}

interface HookOutput {
  readonly streams: BothStreams;
  /** Says what was left out. To be called once all has come. */
  readonly end: () => void;
}

/** The way of its lines into the log: in order, and bounded, so that no hook can fill the disk. */
function hookOutput({ log, source, pipe, env, file, stdout }: OutputPlan): HookOutput {
  const lines = log.child({ file, stdout });
  return {
    streams: {
      pipe,
      reader: () => writeTo((text) => lines.write(source, text), log.mask),
      onHeld: (read) => drainForEver(log, source, env, read),
    },
    end: () => {
      const { leftOut } = lines;
      const onStdoutOnly = leftOut.file - leftOut.stdout;
      if (onStdoutOnly > 0) {
        log.info(
          `hook ${source}: ${formatBytes(onStdoutOnly)} more of its lines went to stdout only (HOOK_LOG_MAX_BYTES=${file}).`,
        );
      }
      if (leftOut.stdout > 0) {
        log.warn(
          `hook ${source} printed too much: ${formatBytes(leftOut.stdout)} of its lines were left out on stdout ` +
            `(HOOK_STDOUT_MAX_BYTES=${stdout}). Have it print less, or raise that.`,
        );
      }
    },
  };
}

/**
 * What the hook left behind goes on printing, to nobody: a reader that merely went away would kill it with SIGPIPE at
 * its next word.
 */
function drainForEver(log: Log, source: string, env: ChildEnvironment, read: number): void {
  try {
    spawn(["cat"], { env: plainEnvironment(env), stdin: read, session: true });
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    log.warn(`${error.message} What ${source} left running is killed when it prints again.`);
  }
}
