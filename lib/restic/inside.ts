/**
 * Does the repository lie inside what is backed up? Then each backup saves the packs of the one before, and grows by
 * all of the repository every time. Paths are resolved; what the excludes leave out is looked up (left-out.ts) only when
 * it does. Asked by the run, config-check and doctor alike.
 */

import { promises } from "node:fs";
import { isKnownSilent, silent } from "../files/mounts.ts";
import { within } from "../process/stop.ts";
import { quoteWord } from "../words.ts";

/** The folder of a repository on a local disk; undefined for any other repository. */
export function localFolder(repository: string): string | undefined {
  if (repository.startsWith("local:")) return repository.slice("local:".length);
  // A scheme, or restic's own idea of one: `s3:…`, `sftp:…`, `rclone:…`.
  return repository === "" || /^[a-z0-9]+:/i.test(repository) ? undefined : repository;
}

/**
 * The sentence to say when the repository lies in one of the sources; undefined when it does not.
 */
export async function repositoryInside(
  repository: string,
  sources: readonly string[],
  jobArgs: readonly string[],
): Promise<string | undefined> {
  const folder = localFolder(repository);
  if (folder === undefined) return undefined;
  const source = await sourceAround(folder, sources, jobArgs);
  if (source === undefined) return undefined;
  return (
    `The repository ${folder} lies in the source ${source}: each backup saves the repository too, and grows by all of it. ` +
    `Move it elsewhere, or leave it out with --exclude ${quoteWord(folder)} in RESTIC_JOB_ARGS.`
  );
}

/** Milliseconds: a healthy file system answers at once. */
const ANSWER_MS = 3000;

/**
 * The source that holds the folder, all of it read by restic; undefined when none does, or it cannot be known. Waits for
 * a few seconds at most, however dead a mount is.
 */
export async function sourceAround(
  folder: string,
  sources: readonly string[],
  jobArgs: readonly string[],
): Promise<string | undefined> {
  const found = findAround(folder, sources, jobArgs);
  return (await within(ANSWER_MS, found)) ? found : undefined;
}

async function findAround(
  folder: string,
  sources: readonly string[],
  jobArgs: readonly string[],
): Promise<string | undefined> {
  const real = await realPathIfThere(folder);
  if (real === undefined) return undefined;
  for (const source of sources) {
    // restic saves a source that is a link as the link.
    if ((await lstatIfThere(source))?.isSymbolicLink() !== false) continue;
    const root = await realPathIfThere(source);
    if (root === undefined) continue;
    const top = root === "/" ? "" : root;
    if (!`${real}/`.startsWith(`${top}/`)) continue;
    const below = real.slice(top.length);
    const { isLeftOut } = await import("./left-out.ts");
    if (!(await isLeftOut(source, root, below, jobArgs))) return source;
  }
  return undefined;
}

// What cannot be inspected decides nothing here: restic itself will say what it could not read.
const unknown = () => undefined;
const isSilent = (path: string) => silent.size > 0 && isKnownSilent(path);
const realPathIfThere = async (path: string) =>
  isSilent(path) ? undefined : promises.realpath(path).catch(unknown);
const lstatIfThere = async (path: string) =>
  isSilent(path) ? undefined : promises.lstat(path).catch(unknown);
