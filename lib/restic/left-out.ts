/**
 * What the excludes of RESTIC_JOB_ARGS leave out of a source, heard as restic hears them: patterns, lists of patterns,
 * marks such as CACHEDIR.TAG, and the border of a file system. Most runs never ask, so it is loaded on demand.
 */

import { promises } from "node:fs";
import { readSmallFile } from "../files/files.ts";
import { absolute } from "../paths.ts";
import { readFlags, staysOnOneFileSystem } from "./backup-args.ts";
import { BadPattern, partPattern } from "./glob.ts";
import { parseList } from "./lists.ts";

/** Bytes of an exclude file; a longer one is not looked into. */
const EXCLUDES_MOST = 1024 * 1024;

/**
 * Is a folder inside a source left out of its backup? `root` is the source's real path; `below` the folder's path below
 * it, "" or beginning with a slash.
 */
export async function isLeftOut(
  source: string,
  root: string,
  below: string,
  jobArgs: readonly string[],
): Promise<boolean> {
  const named = absolute(source);
  // A file of the folder, so that patterns of what is in it (`repository/*`) match as well.
  const path = `${named === "/" ? "" : named}${below}/data/00/0`;
  if (isExcluded(path, patternsIn(jobArgs))) return true;
  if (staysOnOneFileSystem(jobArgs)) {
    const [here, there] = [await statIfThere(root), await statIfThere(`${root}${below}`)];
    if (here !== undefined && there !== undefined && here.dev !== there.dev) return true;
  }
  const marks = marksIn(jobArgs);
  for (let folder = below; marks.length > 0; folder = folder.slice(0, folder.lastIndexOf("/"))) {
    for (const mark of marks) if ((await lstatIfThere(`${root}${folder}/${mark}`)) !== undefined) return true;
    if (folder === "") return false;
  }
  return false;
}

interface Pattern {
  readonly text: string;
  readonly ignoresCase: boolean;
}

function patternsIn(jobArgs: readonly string[]): Pattern[] {
  return readFlags(jobArgs).flatMap(({ flag, value = "" }) => {
    const ignoresCase = flag.startsWith("--i");
    if (flag === "-e" || flag === "--exclude" || flag === "--iexclude") return [{ text: value, ignoresCase }];
    if (flag !== "--exclude-file" && flag !== "--iexclude-file") return [];
    try {
      return parseList("--files-from", readSmallFile(value, EXCLUDES_MOST)).entries.map((line) => ({
        text: line.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, a, b) => process.env[a ?? b] ?? ""),
        ignoresCase,
      }));
    } catch {
      // restic says itself that it cannot read the file, and makes no backup.
      return [];
    }
  });
}

/** Names of files that leave out the folder which holds one of them. */
function marksIn(jobArgs: readonly string[]): string[] {
  return readFlags(jobArgs).flatMap(({ flag, value = "" }) => {
    if (flag === "--exclude-caches") return ["CACHEDIR.TAG"];
    // `.nobackup:header` looks into the file too.
    return flag === "--exclude-if-present" && value !== "" ? [value.replace(/:.*/, "")] : [];
  });
}

/**
 * Would restic leave out this absolute path? As its filter does: a pattern that begins with a slash is matched from the
 * root on, another one anywhere; what lies below a match is left out too, `**` is any number of folders, and `!` takes
 * back what stood before. Pure.
 */
export function isExcluded(path: string, patterns: readonly Pattern[]): boolean {
  let isOut = false;
  for (const { text, ignoresCase } of patterns) {
    const [pattern, wanted] = text.startsWith("!") ? [text.slice(1), false] : [text, true];
    const fold = (word: string) => (ignoresCase ? word.toLowerCase() : word);
    if (matches(fold(pattern), fold(path))) isOut = wanted;
  }
  return isOut;
}

function matches(pattern: string, path: string): boolean {
  const cleaned = pattern.replace(/\/+/g, "/").replace(/(.)\/$/, "$1");
  if (cleaned === "") return false;
  const isRooted = cleaned.startsWith("/");
  const parts = cleaned.split("/").filter(Boolean);
  const names = path.split("/").filter(Boolean);
  try {
    const tests = parts.map((part) => (part === "**" ? undefined : partPattern(part)));
    const begins = isRooted ? [0] : names.map((_, at) => at);
    return begins.some((at) => fits(tests, names, at));
  } catch (error) {
    // restic refuses such a pattern by itself.
    if (error instanceof BadPattern) return false;
    throw error;
  }
}

/** Do the tests fit the names from `at` on? Names that are left over lie below the match. */
function fits(tests: readonly (RegExp | undefined)[], names: readonly string[], at: number): boolean {
  const [test, ...others] = tests;
  if (tests.length === 0) return true;
  if (test === undefined)
    return names.slice(at).some((_, skip) => fits(others, names, at + skip)) || others.length === 0;
  return at < names.length && test.test(names[at] ?? "") && fits(others, names, at + 1);
}

// What cannot be inspected decides nothing here: restic itself will say what it could not read.
const unknown = () => undefined;
const statIfThere = (path: string) => promises.stat(path).catch(unknown);
const lstatIfThere = (path: string) => promises.lstat(path).catch(unknown);
