/** Finds variables whose names are probably misspelt names of ours. Pure. */

import type { Environment } from "../environment.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { screaming } from "./settings.ts";
import { type Variable, variables } from "./variables.ts";

export interface Misspelt {
  readonly name: string;
  /** The name that was probably meant; undefined for a HOOK_TIMEOUT_… that resembles no phase. */
  readonly nearest: string | undefined;
}

/** Variables of restic and rclone that we do not declare (their manuals, "Environment variables"). */
const THEIRS =
  /^(RCLONE_.+|RESTIC_(FROM_.+|TEST_.+|DEBUG.*|KEY_HINT|TLS_CLIENT_CERT|HOST|PROGRESS_FPS|PACK_SIZE|READ_CONCURRENCY|FEATURES|HTTP_USER_AGENT))$/;
/** Shorter names (TZ) resemble too many others. */
const SHORTEST = 6;
/** A name of at least this length that begins with a word of ours (RESTIC_…) is hardly another program's. */
const TELLING = 12;

/** Every name that we read: declared names, old names, and those derived from a phase or a worker. */
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
    ...workers.flatMap((worker) => [pingName(worker), `${pingName(worker)}_FILE`]),
  ]);
}

const pingName = (worker: string) => `HEALTHCHECKS_URL_${screaming(worker)}`;

/** The variables of `env` whose names resemble known ones, each with the name that was probably meant. */
export function misspelt(env: Environment, known: ReadonlySet<string>): Misspelt[] {
  const candidates = [...known].filter((name) => name.length >= SHORTEST);
  const beginnings = new Set([...known].map(firstWord).filter(Boolean));
  const meant = (name: string) => {
    const begun = name.includes("_") && candidates.find((each) => each.startsWith(`${name}_`));
    if (begun) return begun;
    if (name.length >= TELLING && beginnings.has(firstWord(name))) return nearest(name, candidates);
    // Another program's variable may be close by chance (WORK_DIR, LOCK_DIR); the first letter is seldom mistyped.
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

/** The rest of a sentence that begins with the variable's name. */
export function misspeltText({ nearest }: Misspelt): string {
  return nearest === undefined
    ? "names no phase and has no effect."
    : `is not known and has no effect${didYouMean(nearest)}`;
}

/** `RESTIC_TAG` → `RESTIC`; "" for a name of one word, which says nothing about whose it is. */
function firstWord(name: string): string {
  const end = name.indexOf("_");
  return end < 0 ? "" : name.slice(0, end);
}
