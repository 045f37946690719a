/** What is settled before restic mounts anything: the place, the prerequisites, the folder. */

import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { ConfigError, reasonOf } from "../errors.ts";
import { isResticMounted } from "../files/mounts.ts";
import { isVacant, realPath } from "../paths.ts";
import type { Run } from "../run/run.ts";
import { placesToKeepFree, refusalOf } from "../run/target.ts";
import { plural } from "../text.ts";
import { linesOf, missingOf, surroundings, unknownProfile } from "./needs.ts";
import { unmount } from "./serve.ts";

/** The real path to mount at. --force lets a directory pass that is not empty, and nothing else. */
export async function placeFor(run: Run, asked: string, force: boolean): Promise<string> {
  const path = lookAt(asked, realPath);
  await clearDeadMount(run, path);
  const refusal = lookAt(asked, () => refusalOf(path, placesToKeepFree(run.context), () => isVacant(path)));
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
    throw refused(asked, `it cannot be looked at: ${reasonOf(error)}`, "Choose another one with --target.");
  }
}

const refused = (asked: string, why: string, remedy: string) =>
  new ConfigError(`The target ${asked} is refused: ${why}. ${remedy}`);

/** A restic that was killed together with its worker leaves a mount behind that answers nobody. */
async function clearDeadMount(run: Run, place: string): Promise<void> {
  if (!isResticMounted(place)) return;
  try {
    statSync(place);
  } catch {
    run.log.warn(`A restic that has died left its mount at ${place}; it is taken away.`);
    const { how } = await unmount(place, run.settings.env, () => 0);
    if (how !== "failed") return;
  }
  throw new ConfigError(
    `A repository is mounted at ${place} already. Unmount it (fusermount -u ${place}), or choose another --target.`,
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
  const missing = missingOf(seen);
  if (missing.length === 0) return;
  for (const each of missing) for (const line of linesOf(each)) run.log.error(line);
  throw new ConfigError(
    `${plural(missing.length, "thing is", "things are")} missing for a FUSE mount; what to write where stands above. ` +
      "Nothing was mounted.",
  );
}

/** Makes the folder where there is none; what is returned takes it away again. */
export function makeFolder(run: Run, place: string): () => void {
  try {
    if (mkdirSync(place, { recursive: true, mode: 0o755 }) === undefined) return () => {};
  } catch (error) {
    throw new ConfigError(
      `The target ${place} cannot be made: ${reasonOf(error)}. Make it, or choose another.`,
    );
  }
  return () => {
    try {
      rmdirSync(place);
    } catch (error) {
      run.log.warn(`The directory ${place}, made for the mount, stays: ${reasonOf(error)}.`);
    }
  };
}
