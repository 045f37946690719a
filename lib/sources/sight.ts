/**
 * What restic is given to read, as it is named, and a short look at each: is it empty (a volume that is not mounted), a
 * link, of which restic saves nothing but the link, or does it hold a file?
 */

import { promises } from "node:fs";
import { errnoOf } from "../errors.ts";
import { demandAnswer } from "../files/mounts.ts";
import { accessWithin, silentAmong } from "../files/within.ts";
import { within } from "../process/stop.ts";
import { BadPattern, expand } from "../restic/glob.ts";
import { ENTRIES_MOST, type Source } from "../restic/lists.ts";
import type { Seen, Sight } from "./usual.ts";

/**
 * Looks at each source, side by side, for at most a few seconds; what does not answer by then is `unknown`. For a single
 * source that is a folder restic's own count tells more, so that it is not looked into.
 */
export async function lookAt(sources: readonly Source[], always = sources.length > 1): Promise<Seen[]> {
  // Each that hung would take one of the few threads that look.
  const places = sources.map(({ path, isPattern }) => (isPattern ? folderOf(path) : path));
  await silentAmong(places, true);
  const sights = await Promise.all(
    sources.map((source) =>
      bounded(source.isPattern ? lookAtPattern(source.path) : lookAtPath(source.path, always)),
    ),
  );
  return sources.map((source, at) => ({ ...source, sight: sights[at] ?? { is: "unknown" } }));
}

/** Milliseconds: a healthy file system answers at once, and a dead network mount never. */
const ANSWER_MS = 3000;

async function bounded(looking: Promise<Sight>): Promise<Sight> {
  return (await within(ANSWER_MS, looking)) ? looking : { is: "unknown" };
}

/** The folder below which a pattern finds something. */
const folderOf = (pattern: string): string =>
  pattern.slice(0, pattern.search(/[*?[\\]/)).replace(/[^/]*$/, "") || ".";

async function lookAtPattern(pattern: string): Promise<Sight> {
  const folder = folderOf(pattern);
  if ((await accessWithin(folder, "read")).isSilent) return { is: "unknown" };
  try {
    const sights = await Promise.all(
      expand(pattern)
        .slice(0, ENTRIES_MOST)
        .map((path) => lookAtPath(path, true)),
    );
    if (sights.length === 0) return { is: "no match" };
    return sights.find(({ is }) => is === "filled" || is === "unknown") ?? { is: "empty" };
  } catch (error) {
    // restic refuses such a pattern by itself.
    if (error instanceof BadPattern) return { is: "unknown" };
    throw error;
  }
}

async function lookAtPath(path: string, into: boolean): Promise<Sight> {
  try {
    demandAnswer(path);
    // Of `link/` too restic saves the link alone (0.14 to 0.19), while lstat(2) would follow it.
    const bare = path.replace(/(\/+\.?)+$/, "") || "/";
    const stat = await promises.lstat(bare);
    if (stat.isSymbolicLink())
      return { is: "link", target: await promises.realpath(bare).catch(() => "nothing") };
    return stat.isDirectory() && into ? await lookInto(bare) : { is: "filled" };
  } catch (error) {
    return { is: errnoOf(error) === "ENOENT" ? "missing" : "unknown" };
  }
}

/** Folders that are read before a tree is taken to hold a file, and the size of a folder with thousands of names. */
const FOLDERS_MOST = 1000;
const LARGE_BYTES = 1024 * 1024;

/** Looks for the first entry that is not a folder. */
async function lookInto(root: string): Promise<Sight> {
  const folders = [root];
  for (let count = 0; count < FOLDERS_MOST; count++) {
    const folder = folders.pop();
    demandAnswer(folder ?? "/");
    if (folder === undefined) return { is: count === 1 ? "empty" : "only folders" };
    if ((await promises.stat(folder)).size > LARGE_BYTES) break;
    for (const entry of await promises.readdir(folder, { withFileTypes: true })) {
      if (!entry.isDirectory()) return { is: "filled" };
      // What mkfs leaves in an empty file system.
      if (entry.name !== "lost+found") folders.push(`${folder}/${entry.name}`);
    }
  }
  return { is: "filled" };
}
