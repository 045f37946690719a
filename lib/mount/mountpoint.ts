/** What is settled before restic mounts anything: the target, the prerequisites, the folder. */

import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { ConfigError, reasonOf } from "../errors.ts";
import { demandAnswer, isResticMounted } from "../files/mounts.ts";
import { isVacant, realPath } from "../paths.ts";
import type { Run } from "../run/run.ts";
import { judgeTarget, localFolders, namedPlaces, nameSilent, placesToKeepFree } from "../run/target.ts";
import { plural } from "../text.ts";
import { findMissing, formatMissing, surroundings, unknownProfile } from "./needs.ts";
import { unmount } from "./serve.ts";

/** The real path to mount at. --force accepts a directory that is not empty, and nothing else. Throws a ConfigError. */
export async function mountTarget(run: Run, asked: string, force: boolean): Promise<string> {
  await nameSilent(run.log, [asked, ...namedPlaces(run.settings), ...localFolders(run.context)]);
  const path = lookAt(asked, realPath);
  await clearDeadMount(run, path);
  const refusal = lookAt(asked, () => judgeTarget(path, placesToKeepFree(run.context), () => isVacant(path)));
  if (refusal === undefined || (!refusal.grave && force)) return path;
  const remedy = refusal.grave
    ? "Choose another directory with --target."
    : "Choose an empty directory with --target, or give --force to cover what is in it.";
  throw refused(asked, refusal.why, remedy);
}

function lookAt<T>(asked: string, look: (path: string) => T): T {
  try {
    return look(asked);
  } catch (error) {
    throw refused(asked, `it cannot be inspected: ${reasonOf(error)}`, "Choose another one with --target.");
  }
}

const refused = (asked: string, why: string, remedy: string) =>
  new ConfigError(`The target ${asked} is refused: ${why}. ${remedy}`);

/** A restic that was killed together with its worker leaves a mount behind that no longer works. */
async function clearDeadMount(run: Run, target: string): Promise<void> {
  if (!isResticMounted(target)) return;
  try {
    demandAnswer(target);
    statSync(target);
  } catch {
    run.log.warn(`A restic that was killed left its mount at ${target}; unmounting it.`);
    const { how } = await unmount(target, run.settings.env, () => 0);
    if (how !== "failed") return;
  }
  throw new ConfigError(
    `A repository is mounted at ${target} already. Unmount it (fusermount -u ${target}), or choose another --target.`,
  );
}

/** Logs all that is missing with its fixes, then throws a ConfigError. */
export function demandPrerequisites(run: Run, allowOther: boolean): void {
  const seen = surroundings(run.settings.env.PATH, allowOther);
  const profile = unknownProfile(seen);
  if (profile !== undefined) {
    run.log.warn(
      `The AppArmor profile ${profile} is enforced; it must allow fuse mounts, or restic's will be denied.`,
    );
  }
  const missing = findMissing(seen);
  if (missing.length === 0) return;
  for (const each of missing) for (const line of formatMissing(each)) run.log.error(line);
  throw new ConfigError(
    `${plural(missing.length, "thing is", "things are")} missing for a FUSE mount; what to write where stands above. ` +
      `Nothing was mounted. Missing: ${missing.map(({ problem }) => problem).join("; ")}`,
  );
}

/** Creates the folder if there is none, and returns a function that removes it again. Throws a ConfigError. */
export function makeFolder(run: Run, target: string): () => void {
  try {
    if (mkdirSync(target, { recursive: true, mode: 0o755 }) === undefined) return () => {};
  } catch (error) {
    throw new ConfigError(
      `The target ${target} cannot be created: ${reasonOf(error)}. Create it, or choose another.`,
    );
  }
  return () => {
    try {
      rmdirSync(target);
    } catch (error) {
      run.log.warn(`The directory ${target}, made for the mount, stays: ${reasonOf(error)}.`);
    }
  };
}
