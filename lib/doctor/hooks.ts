/** Section Hooks: every phase of every run, in the words that the run itself logs. */

import { type Misspelt, misspeltText } from "../config/misspelt.ts";
import { Settings, screaming } from "../config/settings.ts";
import type { Environment } from "../environment.ts";
import { discoverHooks, type Hook } from "../hooks/discover.ts";
import { Checks, type Findings } from "./check.ts";
import { HARDEN, judgeFolder, judgeNames, judgeParts } from "./hooks-folder.ts";
import type { Patient } from "./patient.ts";

export interface HookJson {
  readonly phase: string;
  readonly executable: boolean;
  /** Why not, or how: what the text report prints after the path. */
  readonly state: string;
  readonly path: string;
  /** Seconds; 0 for none. */
  readonly timeout: number;
  readonly remedy?: string;
  readonly caution?: string;
}

export interface HooksJson {
  /** Seconds; 0 for none. */
  readonly hook_timeout: number;
  /** Those of single phases, where they differ by a variable of their own. */
  readonly phase_timeouts: Readonly<Record<string, number>>;
  readonly directory: string;
  readonly directory_mounted: boolean;
  /** Every hook that is there, whether it can run or not, in the order in which they run. */
  readonly present: readonly HookJson[];
  /** Phases without any. */
  readonly absent: readonly string[];
  /** Names that look meant as hooks but are none, each with the nearest real one. */
  readonly misnamed: readonly { readonly name: string; readonly nearest: string | null }[];
}

export function hooks({ env, runs, phases, misspelt }: Patient): Findings<HooksJson> {
  const checks = new Checks("Hooks");
  const settings = new Settings(env, (message) => checks.warn(message));
  const directory = settings.folder("HOOKS_DIR");
  const timeouts = timeoutsOf(settings, env, phases);
  const isThere = judgeFolder(checks, directory);
  const found = phases.map((phase) => ({ phase, hooks: discoverHooks(directory, phase, env.PATH) }));
  const present = found.flatMap((each) => each.hooks);
  if (isThere) {
    for (const hook of present) judgeHook(checks, hook);
    for (const { phase } of found) judgeParts(checks, directory, phase);
  }
  const strange = isThere ? judgeNames(checks, directory, runs) : [];
  judgeSettings(checks, settings, misspelt);
  if (checks.list.length === 0) {
    checks.ok(
      present.length === 0 ? "No hook is there." : `Every hook that is there can run (${present.length}).`,
    );
  }
  return {
    lines: [...timeoutLines(timeouts), ...found.flatMap(({ phase, hooks }) => phaseLines(phase, hooks))],
    checks: checks.list,
    json: {
      hook_timeout: timeouts.all,
      phase_timeouts: Object.fromEntries(timeouts.own),
      directory,
      directory_mounted: isThere,
      present: present.map((hook) => jsonOf(hook, timeouts.of(hook.phase))),
      absent: found.filter((each) => each.hooks.length === 0).map(({ phase }) => phase),
      misnamed: strange.map(({ name, nearest }) => ({ name, nearest: nearest ?? null })),
    },
  };
}

/** The time-outs that count, each variable judged once. */
function timeoutsOf(settings: Settings, env: Environment, phases: readonly string[]) {
  // No phase has this name, so the answer is HOOK_TIMEOUT's own.
  const all = settings.hookTimeout("");
  const own = new Map(
    phases
      .filter((phase) => env[`HOOK_TIMEOUT_${screaming(phase)}`])
      .map((phase) => [phase, settings.hookTimeout(phase)]),
  );
  return { all, own, of: (phase: string) => own.get(phase) ?? all };
}

function timeoutLines({ all, own }: { all: number; own: ReadonlyMap<string, number> }): string[] {
  const each = [...own].map(([phase, seconds]) => `HOOK_TIMEOUT_${screaming(phase)}: ${seconds}`);
  return [`HOOK_TIMEOUT: ${all}`, ...each];
}

function judgeSettings(checks: Checks, settings: Settings, misspelt: readonly Misspelt[]): void {
  // Odd values are told to the settings' own listener, which is these checks.
  settings.count("HOOK_KILL_AFTER");
  settings.count("HOOK_LOG_MAX_BYTES");
  for (const { name, nearest } of misspelt.filter(({ name }) => isAboutHooks(name))) {
    checks.warn(`${name} ${misspeltText({ name, nearest })}`);
  }
}

function judgeHook(checks: Checks, { shown, state, command, remedy, caution }: Hook): void {
  if (command === undefined) checks.fail(`${shown}: ${state}. It does not run. ${remedy ?? ""}`.trimEnd());
  else if (caution !== undefined) checks.warn(`${shown}: ${caution}. It runs all the same. ${HARDEN}`);
}

function phaseLines(phase: string, found: readonly Hook[]): string[] {
  const main = `hooks/${phase}.sh`;
  const lines = found.map(({ shown, state }) => `${shown}: ${state}`);
  return found.some(({ shown }) => shown === main) ? lines : [`${main}: not found`, ...lines];
}

/** Variables of this section; the configuration checks leave them to it. */
export const isAboutHooks = (variable: string): boolean => variable.startsWith("HOOK");

function jsonOf({ phase, command, state, path, remedy, caution }: Hook, timeout: number): HookJson {
  return {
    phase,
    executable: command !== undefined,
    state,
    path,
    timeout,
    ...(remedy === undefined ? {} : { remedy }),
    ...(caution === undefined ? {} : { caution }),
  };
}
