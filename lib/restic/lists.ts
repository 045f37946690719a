/** The files that name what to back up and what not to, read as restic reads them. */

import { reasonOf } from "../errors.ts";
import { readSmallFile } from "../files/files.ts";
import { type NamedFile, namedFiles, pathsIn } from "./backup-args.ts";
import { BadPattern, expand } from "./glob.ts";

/** Millions of paths; a larger file is hardly a list. */
const MOST_BYTES = 512 * 1024 * 1024;

export interface FileList {
  /** `--files-from`, `--files-from-verbatim`, `--files-from-raw`. */
  readonly flag: string;
  readonly path: string;
  /** Why it cannot be read. */
  readonly problem?: string;
  /** Lines, or names, that are meant as something to back up. */
  readonly entries: number;
  readonly comments: number;
  /** What these lines mean, patterns expanded. */
  readonly targets: readonly string[];
  /** Patterns that match nothing. */
  readonly unmatched: readonly string[];
  /** Patterns that make no sense: restic then makes no backup. */
  readonly malformed: readonly string[];
}

export function readFileList(flag: string, path: string): FileList {
  const nothing = { flag, path, entries: 0, comments: 0, targets: [], unmatched: [], malformed: [] };
  try {
    const { entries, comments } = parseList(flag, readSmallFile(path, MOST_BYTES));
    const read = { ...nothing, entries: entries.length, comments };
    return flag === "--files-from" ? { ...read, ...expandAll(entries) } : { ...read, targets: entries };
  } catch (error) {
    return { ...nothing, problem: reasonOf(error) };
  }
}

/** What the text of such a file names. Pure. */
export function parseList(flag: string, text: string): { entries: string[]; comments: number } {
  if (flag === "--files-from-raw") return { entries: text.split("\0").filter(Boolean), comments: 0 };
  const lines = splitLines(text);
  if (flag === "--files-from-verbatim") return { entries: lines.filter(Boolean), comments: 0 };
  const trimmed = lines.map((line) => line.trim()).filter(Boolean);
  const entries = trimmed.filter((line) => !line.startsWith("#"));
  return { entries, comments: trimmed.length - entries.length };
}

function expandAll(patterns: readonly string[]) {
  const targets: string[] = [];
  const unmatched: string[] = [];
  const malformed: string[] = [];
  for (const pattern of patterns) {
    try {
      const found = expand(pattern);
      if (found.length === 0) unmatched.push(pattern);
      for (const each of found) targets.push(each);
    } catch (error) {
      if (!(error instanceof BadPattern)) throw error;
      malformed.push(pattern);
    }
  }
  return { targets, unmatched, malformed };
}

export interface ExcludeFile {
  readonly flag: string;
  readonly path: string;
  readonly problem?: string;
  readonly patterns: number;
}

export function readExcludeFile(flag: string, path: string): ExcludeFile {
  try {
    const { entries } = parseList("--files-from", readSmallFile(path, MOST_BYTES));
    return { flag, path, patterns: entries.length };
  } catch (error) {
    return { flag, path, patterns: 0, problem: reasonOf(error) };
  }
}

/** A byte order mark in front does not belong to the first name, nor a CR at its end to any name. */
const splitLines = (text: string): string[] =>
  text
    .replace(/^\ufeff/, "")
    .split("\n")
    .map((line) => line.replace(/\r$/, ""));

/** A source as it was named: a path, or an entry of a list, which may be a pattern of several. */
export interface Source {
  readonly path: string;
  /** What names it: `BACKUP_ROOT_DIR`, `--files-from /list`. */
  readonly origin: string;
  readonly isPattern?: true;
}

/** Bytes of a list, and entries of it, that are looked at; restic reads all. */
const SEEN_BYTES = 1024 * 1024;
export const ENTRIES_MOST = 1000;

/** All that restic is given to read. A list that cannot be read is restic's to complain of. */
export function namedSources(roots: readonly string[], jobArgs: readonly string[]): Source[] {
  const lists = namedFiles(jobArgs).filter(({ flag }) => flag.startsWith("--files-from"));
  return [
    ...roots.map((path) => ({ path, origin: "BACKUP_ROOT_DIR" })),
    ...pathsIn(jobArgs).map((path) => ({ path, origin: "RESTIC_JOB_ARGS" })),
    ...(lists.length === 0 ? [] : entriesOfLists(lists)),
  ];
}

function entriesOfLists(lists: readonly NamedFile[]): Source[] {
  return lists.flatMap(({ flag, path: list }) => {
    try {
      const { entries } = parseList(flag, readSmallFile(list, SEEN_BYTES));
      return entries.slice(0, ENTRIES_MOST).map((path) => ({
        path,
        origin: `${flag} ${list}`,
        ...(flag === "--files-from" && /[*?[\\]/.test(path) ? { isPattern: true as const } : {}),
      }));
    } catch {
      return [];
    }
  });
}
