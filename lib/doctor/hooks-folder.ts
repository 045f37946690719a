/** HOOKS_DIR itself, and what lies in it besides hooks. */

import { accessSync, constants, readdirSync, type Stats, statSync } from "node:fs";
import { errnoOf, reasonOf } from "../errors.ts";
import { cautionOf } from "../hooks/discover.ts";
import type { Checks } from "./check.ts";
import { type Misnamed, misnamed, type Worker } from "./misnamed.ts";

/** What runs as root should be root's. */
export const HARDEN = "Let it belong to root or to the running user, and nobody else write it.";

/** Is HOOKS_DIR a folder in which hooks can be found? */
export function judgeFolder(checks: Checks, directory: string): boolean {
  let stat: Stats;
  try {
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
  const caution = cautionOf(stat);
  if (caution !== undefined) checks.warn(`${what}: ${caution}. ${HARDEN}`);
}

/** What in HOOKS_DIR looks meant as a hook and is none, each told of. */
export function judgeNames(checks: Checks, directory: string, workers: readonly Worker[]): Misnamed[] {
  const entries = readdirSync(directory, { withFileTypes: true });
  const named = entries.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
  const strange = misnamed(named, workers);
  for (const each of strange) checks.warn(misnamedText(each));
  return strange;
}

/** The folder of a phase's further hooks, and what in it is none. One that cannot be read is a hook that cannot run. */
export function judgeParts(checks: Checks, directory: string, phase: string): void {
  const path = `${directory}/${phase}.d`;
  const shown = `hooks/${phase}.d`;
  try {
    const names = readdirSync(path);
    judgeCaution(checks, shown, statSync(path));
    const others = names.filter((name) => !name.startsWith(".") && !/\.sh$|^README/.test(name));
    for (const name of others) checks.warn(`${shown}/${name} does not end in .sh: it never runs.`);
  } catch {
    // Most phases have none; of one that is there but cannot be read discoverHooks tells.
  }
}

function misnamedText({ name, nearest }: Misnamed): string {
  const guess = nearest === undefined ? "Hooks are named pre-<worker>.sh or post-<worker>.sh." : "";
  return `hooks/${name} is no hook and never runs${nearest === undefined ? ". " : `; is ${nearest} meant?`}${guess}`;
}
