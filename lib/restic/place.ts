/**
 * Where a repository would lie, read from its name before restic sees it: is it a name that was meant, and does a local
 * one outlive the container?
 */

import { type Mount, readMounts } from "../files/mounts.ts";
import { maskRepository } from "../mask.ts";
import { realPath } from "../paths.ts";
import { localFolder } from "./inside.ts";

/** The kinds of repository that restic knows (0.14 to 0.19). */
const KINDS = /^(local|sftp|rest|s3|b2|azure|gs|swift|rclone):/;

/** Why `repository` cannot be the name that was meant, with what was read in quotes; undefined where it can. Pure. */
export function misreadRepository(repository: string): string | undefined {
  const problem = checkPlace(repository);
  if (problem === undefined) return undefined;
  return `The repository was read as "${maskRepository(repository)}": ${problem}`;
}

function checkPlace(repository: string): string | undefined {
  if (repository.trim() !== repository)
    return "there are blanks around it, which belong to its name. Take them out.";
  if (/^["'“”‘’]|["'“”‘’]$/.test(repository))
    return "the quotation marks belong to its name, since no shell reads this value. Take them out.";
  const path = repository.replace(/^local:/, "");
  if (path.startsWith("~"))
    return "only a shell knows what ~ means, and none reads this value. Give the absolute path.";
  if (/^[a-z]:[\\/]/i.test(path))
    return "it begins with a drive letter of Windows. Mount that folder into the container, and give its path there.";
  if (path.startsWith("/") || (path === repository && KINDS.test(repository))) return undefined;
  if (path === repository && /^[a-z][a-z0-9+]*:/i.test(repository))
    return "restic knows no such kind of repository. Is rest:, s3: or sftp: missing before it?";
  return "a relative path is another folder for everyone who starts restic. Give the absolute path, such as /mnt/restic.";
}

/** File systems that a container runtime lays over its image for the container itself. */
const LAYERS = new Set(["overlay", "aufs", "fuse.fuse-overlayfs"]);

/** Does `path`, a real path, lie in the container's own layer: nothing mounted at it, above it or below it? Pure. */
export function isInOwnLayer(path: string, mounts: readonly Mount[]): boolean {
  if (mounts.some(({ at }) => at.startsWith(`${path}/`))) return false;
  const above = mounts.filter(({ at }) => at === "/" || path === at || path.startsWith(`${at}/`));
  // Of several at one point the last one is seen.
  const nearest = above.reduce<Mount | undefined>(
    (best, each) => (best === undefined || each.at.length >= best.at.length ? each : best),
    undefined,
  );
  return nearest?.at === "/" && LAYERS.has(nearest.type);
}

/** Is it a local repository, in the container's own layer? */
export function goesWithContainer(repository: string): boolean {
  const folder = localFolder(repository)?.replace(/(.)\/+$/, "$1");
  if (!folder?.startsWith("/")) return false;
  const mounts = readMounts();
  // By its name first: the way to a path below a mount is not walked, as a dead mount would never answer.
  if (!isInOwnLayer(folder, mounts)) return false;
  try {
    return isInOwnLayer(realPath(folder), mounts);
  } catch {
    // A loop of links, or a folder that we may not search: restic will say what is wrong with it.
    return false;
  }
}

export const OWN_LAYER =
  "lies in the container's own file system and goes with it. Mount a volume or a folder of the host there.";
