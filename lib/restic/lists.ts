/** The files that name what to back up and what not to, read as restic reads them. */

import { reasonOf } from "../errors.ts";
import { readSmallFile } from "../files/files.ts";
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
    const { entries, comments } = entriesOf(flag, readSmallFile(path, MOST_BYTES));
    const read = { ...nothing, entries: entries.length, comments };
    return flag === "--files-from" ? { ...read, ...expandAll(entries) } : { ...read, targets: entries };
  } catch (error) {
    return { ...nothing, problem: reasonOf(error) };
  }
}

/** What the text of such a file names. Pure. */
export function entriesOf(flag: string, text: string): { entries: string[]; comments: number } {
  if (flag === "--files-from-raw") return { entries: text.split("\0").filter(Boolean), comments: 0 };
  const lines = linesOf(text);
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
    const { entries } = entriesOf("--files-from", readSmallFile(path, MOST_BYTES));
    return { flag, path, patterns: entries.length };
  } catch (error) {
    return { flag, path, patterns: 0, problem: reasonOf(error) };
  }
}

/** A mark of byte order in front is no part of the first name, a CR at the end none of any. */
const linesOf = (text: string): string[] =>
  text
    .replace(/^\ufeff/, "")
    .split("\n")
    .map((line) => line.replace(/\r$/, ""));
