/**
 * Section Hooks: the hooks of every phase of every run, in the words that the run itself logs; HOOKS_DIR itself; and
 * the files in it that look like hooks but never run.
 */

import { accessSync, constants, readdirSync, type Stats, statSync } from "node:fs";
import { type Misspelt, misspeltText } from "../config/misspelt.ts";
import { type Settings, screaming } from "../config/settings.ts";
import { Context } from "../context.ts";
import type { Environment } from "../environment.ts";
import { errnoOf, reasonOf } from "../errors.ts";
import { demandAnswer } from "../files/mounts.ts";
import { discoverHooks, HARDEN, type Hook, hookExposures, judgeAccess } from "../hooks/discover.ts";
import { freezeText } from "../hooks/freeze.ts";
import { nearest } from "../nearest.ts";
import { Checks, type DoctorContext, type Findings } from "./checks.ts";
import { sourcesOf } from "./resources.ts";

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
  /** Names that look like hooks but are not, each with the nearest real one. */
  readonly misnamed: readonly { readonly name: string; readonly nearest: string | null }[];
}

export async function hooks(patient: DoctorContext): Promise<Findings<HooksJson>> {
  const { env, runs, phases, misspelt } = patient;
  const checks = new Checks("Hooks");
  const { settings } = new Context("doctor", { env, onOddValue: (message) => checks.warn(message) });
  const directory = settings.folder("HOOKS_DIR");
  const timeouts = readTimeouts(settings, env, phases);
  const isThere = judgeFolder(checks, directory);
  const found = phases.map((phase) => ({ phase, hooks: discoverHooks(directory, phase, env.PATH) }));
  const present = found.flatMap((each) => each.hooks);
  if (isThere) {
    for (const hook of present) {
      judgeHook(checks, hook);
      const said = hook.freezes === undefined ? undefined : await freezeText(hook, patient);
      if (said !== undefined) checks.warn(said);
    }
    for (const { phase } of found) judgeParts(checks, directory, phase);
    const parts = phases.map((phase) => `${phase}.d`);
    for (const { said, remedy } of hookExposures(directory, present, sourcesOf(settings), parts))
      checks.warn(`${said}. ${remedy}`);
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
      present: present.map((hook) => buildHookJson(hook, timeouts.of(hook.phase))),
      absent: found.filter((each) => each.hooks.length === 0).map(({ phase }) => phase),
      misnamed: strange.map(({ name, nearest }) => ({ name, nearest: nearest ?? null })),
    },
  };
}

/** The time-outs that count, each variable judged once. */
function readTimeouts(settings: Settings, env: Environment, phases: readonly string[]) {
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
  // These settings report odd values to the checks.
  settings.seconds("HOOK_KILL_AFTER");
  settings.count("HOOK_LOG_MAX_BYTES");
  settings.count("HOOK_STDOUT_MAX_BYTES");
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

function buildHookJson({ phase, command, state, path, remedy, caution }: Hook, timeout: number): HookJson {
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

/** Is HOOKS_DIR a folder in which hooks can be found? */
export function judgeFolder(checks: Checks, directory: string): boolean {
  let stat: Stats;
  try {
    demandAnswer(directory);
    stat = statSync(directory);
    if (stat.isDirectory()) accessSync(directory, constants.R_OK | constants.X_OK);
  } catch (error) {
    if (errnoOf(error) === "ENOENT")
      checks.info(`HOOKS_DIR=${directory} does not exist: no hook runs. Mount it to use hooks.`);
    else checks.fail(`HOOKS_DIR=${directory} cannot be read: ${reasonOf(error)}. No hook runs.`);
    return false;
  }
  if (!stat.isDirectory()) {
    checks.fail(`HOOKS_DIR=${directory} is not a directory. No hook runs.`);
    return false;
  }
  judgeCaution(checks, `HOOKS_DIR=${directory}`, stat);
  return true;
}

function judgeCaution(checks: Checks, what: string, stat: Stats): void {
  const caution = judgeAccess(stat);
  if (caution !== undefined) checks.warn(`${what}: ${caution}. ${HARDEN}`);
}

/** Warns about every file in HOOKS_DIR that looks like a hook but is not. */
export function judgeNames(checks: Checks, directory: string, workers: readonly Worker[]): Misnamed[] {
  const entries = readdirSync(directory, { withFileTypes: true });
  const named = entries.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
  const strange = misnamed(named, workers);
  for (const each of strange) checks.warn(misnamedText(each));
  return strange;
}

/** Warns about files that never run in the folder of a phase's further hooks. */
export function judgeParts(checks: Checks, directory: string, phase: string): void {
  const path = `${directory}/${phase}.d`;
  const shown = `hooks/${phase}.d`;
  try {
    demandAnswer(path);
    const names = readdirSync(path);
    judgeCaution(checks, shown, statSync(path));
    const others = names.filter((name) => !name.startsWith(".") && !/\.sh$|^README/.test(name));
    for (const name of others) checks.warn(`${shown}/${name} does not end in .sh: it never runs.`);
  } catch {
    // Most phases have no such folder; discoverHooks reports one that cannot be read.
  }
}

function misnamedText({ name, nearest }: Misnamed): string {
  const guess = nearest === undefined ? "Hooks are named pre-<worker>.sh or post-<worker>.sh." : "";
  return `hooks/${name} is not a hook and never runs${nearest === undefined ? ". " : `; did you mean ${nearest}?`}${guess}`;
}

export interface Named {
  readonly name: string;
  readonly isFolder: boolean;
}

export interface Worker {
  readonly name: string;
  readonly aliases?: readonly string[];
}

export interface Misnamed {
  readonly name: string;
  /** The real name that was probably meant; undefined when no name is near. */
  readonly nearest: string | undefined;
}

/** What editors, package managers and people who keep copies append to a name. */
const ENDINGS =
  /(\.(sh|bash|py|txt|bak|backup|old|orig|save|swp|tmp|sample|example|disabled|off|new|d|\d+)|~)+$/i;

/** Skips hidden files: a ConfigMap keeps its data in them. Pure. */
export function misnamed(entries: readonly Named[], workers: readonly Worker[]): Misnamed[] {
  const phases = workers.flatMap(({ name }) => [`pre-${name}`, `post-${name}`]);
  const real = new Set(phases.flatMap((phase) => [`${phase}.sh`, `${phase}.d`]));
  return entries
    .filter(({ name }) => !name.startsWith(".") && !real.has(name))
    .flatMap(({ name, isFolder }) => {
      const stem = findStem(name, workers);
      const phase = nearestPhase(stem, phases);
      if (phase === undefined && !/^(pre|post)-./.test(stem)) return [];
      return [{ name, nearest: phase && `${phase}${isFolder ? ".d" : ".sh"}` }];
    });
}

function nearestPhase(stem: string, phases: readonly string[]): string | undefined {
  if (phases.includes(stem)) return stem;
  return phases.find((phase) => phase.startsWith(`${stem}-`)) ?? nearest(stem, phases, 2);
}

/** `Backup_pre.SH.bak` → `pre-backup`, and a former worker's name → the one of now. */
function findStem(name: string, workers: readonly Worker[]): string {
  const words = name.replace(ENDINGS, "").toLowerCase().replace(/[_. ]/g, "-");
  const turned = words.replace(/^(.+)-(pre|post)$/, "$2-$1");
  const [, when, worker] = /^(pre|post)-(.+)$/.exec(turned) ?? [];
  const now = workers.find(({ aliases }) => worker !== undefined && aliases?.includes(worker));
  return now === undefined ? turned : `${when}-${now.name}`;
}
