/** Variables that are ours but for a slip of the pen. Pure. */

import type { Environment } from "../environment.ts";
import { nearest } from "../nearest.ts";
import { screaming } from "./settings.ts";
import { type Variable, variables } from "./variables.ts";

export interface Misspelt {
  readonly name: string;
  /** What was meant; undefined for a HOOK_TIMEOUT_… of no phase that is near. */
  readonly nearest: string | undefined;
}

/** What restic and rclone read themselves and we do not declare (their manuals, "Environment variables"). */
const THEIRS =
  /^(RCLONE_.+|RESTIC_(FROM_.+|TEST_.+|DEBUG.*|KEY_HINT|TLS_CLIENT_CERT|HOST|PROGRESS_FPS|PACK_SIZE|READ_CONCURRENCY|FEATURES|HTTP_USER_AGENT))$/;
/** Shorter names (TZ) have too many neighbours. */
const SHORTEST = 6;
/** Names from this length on that begin with a word of ours (RESTIC_…) are hardly another program's. */
const TELLING = 12;

/** Every name that we read: the declared ones, the old ones, and those made of a phase or of a worker. */
export function knownNames(phases: readonly string[], workers: readonly string[]): Set<string> {
  const declared = Object.entries<Variable>(variables).flatMap(([name, { old, file }]) => [
    ...(name.includes("<") ? [] : [name]),
    ...(old === undefined ? [] : [old]),
    ...(file ? [`${name}_FILE`] : []),
  ]);
  return new Set([
    ...declared,
    ...phases.map((phase) => `HOOK_TIMEOUT_${screaming(phase)}`),
    ...workers.map((worker) => `${screaming(worker)}_TIMEOUT`),
  ]);
}

/** The variables of `env` that are not known but nearly so, each with the name that was meant. */
export function misspelt(env: Environment, known: ReadonlySet<string>): Misspelt[] {
  const candidates = [...known].filter((name) => name.length >= SHORTEST);
  const beginnings = new Set([...known].map(firstWord).filter(Boolean));
  const meant = (name: string) => {
    const begun = name.includes("_") && candidates.find((each) => each.startsWith(`${name}_`));
    if (begun) return begun;
    if (name.length >= TELLING && beginnings.has(firstWord(name))) return nearest(name, candidates);
    // Another program's variable may come near by chance (WORK_DIR, LOCK_DIR); pens seldom slip at the first letter.
    const alike = candidates.filter((each) => each[0] === name[0]?.toUpperCase());
    return nearest(name, alike, name.length < 10 ? 1 : 2);
  };
  return Object.keys(env)
    .filter((name) => !known.has(name) && !THEIRS.test(name) && !name.startsWith("RBH_"))
    .sort()
    .flatMap((name) => {
      const near = meant(name);
      return near === undefined && !name.startsWith("HOOK_TIMEOUT_") ? [] : [{ name, nearest: near }];
    });
}

/** To follow the name of the variable. */
export function misspeltText({ nearest }: Misspelt): string {
  return nearest === undefined
    ? "names no phase and has no effect."
    : `is not known and has no effect; is ${nearest} meant?`;
}

/** `RESTIC_TAG` → `RESTIC`; a name of one word has none that would tell it from a stranger's. */
function firstWord(name: string): string {
  const end = name.indexOf("_");
  return end < 0 ? "" : name.slice(0, end);
}
