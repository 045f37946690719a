/**
 * `LOG_DIR/history.jsonl`: a line for every run, skip and death; how it is appended to, trimmed and read. It is never in
 * memory as a whole, however long it has become.
 *
 * Any number of processes append at once, each by one write(2), without a lock: a tick should not pay for one. Only a
 * process that trims the file takes one (`history.lock`). It puts a new file in the place of the old one, and a line
 * that was appended to the old one too late to be copied would be lost. Therefore
 *   - trimming creates the temporary file before it reads the old one; the rename removes the temporary file and the
 *     old one in one step;
 *   - a process that has appended a line looks afterwards: if there is no temporary file, and the path still leads to
 *     the file that it wrote to, the line stands or has been copied. Otherwise it takes the lock, after which nobody
 *     else is trimming, looks for its line, and appends it again if it is not there.
 * A process that is killed at any moment leaves at worst a temporary file, which the next one to get the lock removes.
 */

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import type { ChildEnvironment } from "../environment.ts";
import { discard, isFileAt, openNew, openOurs, withRegularFile } from "../files/files.ts";
import { lastLines, linesBackwards } from "../files/tail.ts";
import { sleep } from "../process/stop.ts";
import { lockShortly } from "./lock.ts";
import { NEITHER, type PastRecord, parseRecord, SKIPS } from "./record.ts";

/** Bytes of the shortest line, `{}` and its end. A file that cannot hold enough of them is not read to be counted. */
const LINE_LEAST = 3;
/** Bytes that a line seldom exceeds: how much of a history is read for each line that is asked for. */
const LINE_LONG = 4096;
/** A long history is counted once each time it has grown by this number of bytes: counting 1000 lines costs a tick 0.6 ms. */
const BLOCK_BYTES = 16 * 1024;
/** A history that keeps this many lines, or more, is long. */
const LONG = 500;
/** Milliseconds to wait for a process that trims: after them it is taken to hang. Trimming 1000 lines takes about 5. */
const TRIM_MS = 5000;
/** Milliseconds in which another process finishes the line that it is writing. */
const WRITE_MS = 5;
const NEWLINE = 0x0a;
/** Bytes of a piece when lines are copied. */
const COPY_BYTES = 64 * 1024;
/** Bytes at the end of the history among which a line that was just appended is looked for. */
const JUST_APPENDED = 64 * 1024 * 1024;
/** Bytes of the history that are read at the most, however many of its lines are skips. */
const SKIPS_READ_MOST = 16 * 1024 * 1024;

const APPEND = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT;

export const historyPath = (logDir: string): string => `${logDir}/history.jsonl`;
const temporaryPath = (logDir: string) => `${logDir}/history.jsonl.tmp`;
const lockPath = (logDir: string) => `${logDir}/history.lock`;

/**
 * Appends one object as one line, and resolves to the bytes that the file had before. Throws when the line cannot be
 * written, or may have been lost.
 */
export async function appendHistory(logDir: string, entry: object, env: ChildEnvironment): Promise<number> {
  const line = `${JSON.stringify(entry)}\n`;
  const fd = openOurs(historyPath(logDir), APPEND);
  try {
    const size = await writeLine(fd, line);
    const stands = !isThere(temporaryPath(logDir)) && isFileAt(historyPath(logDir), fd);
    if (!stands) await settle(logDir, fd, line, env);
    return size;
  } finally {
    closeSync(fd);
  }
}

/**
 * Cuts the history down to its newest `most` runs, and at most as many skips between them, once it has more. A long one
 * is cut a fiftieth late, so that not every tick of a full history rewrites it, and is counted only if it has grown into
 * another block since it had `before` bytes. Does nothing while another process trims it. Throws what writing throws.
 */
export async function trimHistory(
  logDir: string,
  most: number,
  env: ChildEnvironment,
  before = 0,
): Promise<void> {
  const keep = Math.max(1, most);
  const isLong = keep >= LONG;
  if (isLong && blockOf(before) === blockOf(sizeOf(logDir))) return;
  if (!hasMoreLines(logDir, keep + (isLong ? Math.floor(keep / 50) : 0))) return;
  const lock = await lockShortly(lockPath(logDir), 0, env);
  if (lock === undefined) return;
  const temporary = temporaryPath(logDir);
  try {
    // Left by a process that died while it trimmed, or put there by a stranger.
    discard(temporary);
    const fd = openNew(temporary, constants.O_WRONLY);
    try {
      withRegularFile(historyPath(logDir), (from, size) => copyNewest(from, size, fd, keep));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, historyPath(logDir));
  } catch (error) {
    discard(temporary);
    throw error;
  } finally {
    closeSync(lock);
  }
}

/** The newest lines that fit in `bytes`, the newest last; none where there is no history, or it cannot be read. */
export function readHistoryEnd(logDir: string, bytes: number): readonly string[] {
  try {
    return lastLines(historyPath(logDir), Number.POSITIVE_INFINITY, bytes).lines;
  } catch {
    // There was no run yet, or we may not read it: nothing is known of earlier runs.
    return [];
  }
}

/** The newest `most` lines of runs, the newest last. */
export const newestRuns = (logDir: string, most: number): readonly string[] =>
  readRunsEnd(logDir, most * LINE_LONG, most);

/**
 * The newest lines of runs that fit in `bytes`, at most `most` of them, the newest last: however many skips there are
 * between them, they hide none. None where there is no history, or it cannot be read.
 */
export function readRunsEnd(
  logDir: string,
  bytes: number,
  most = Number.POSITIVE_INFINITY,
): readonly string[] {
  try {
    return withRegularFile(historyPath(logDir), (fd, size) => {
      const lines: string[] = [];
      let left = bytes;
      for (const line of linesBackwards(fd, size, SKIPS_READ_MOST)) {
        if (isSkip(line.bytes)) continue;
        left -= line.bytes.length + 1;
        if (left < 0) break;
        if (lines.push(line.bytes.toString("utf8")) >= most) break;
      }
      return lines.reverse();
    });
  } catch {
    // As readHistoryEnd.
    return [];
  }
}

/**
 * The newest runs, at most `most` of each of these jobs, the newest last, from lines of the history. What did nothing (a
 * skip, a dry run, what a person cancelled) is no run here: it must not take the place of one. Pure.
 */
export function runsByJob(
  lines: readonly string[],
  jobs: readonly string[],
  most: number,
): ReadonlyMap<string, readonly PastRecord[]> {
  const runs = new Map<string, PastRecord[]>(jobs.map((job) => [job, []]));
  // Backwards, and a line is parsed only if it is used: JSON of a thousand lines costs more than all the rest.
  for (let at = lines.length - 1; at >= 0; at--) {
    const line = lines[at] ?? "";
    const of = runs.get(parseJobName(line) ?? "");
    if (of === undefined || of.length >= most) continue;
    const run = parseRecord(line);
    if (run !== undefined && !NOTHING_DONE.includes(run.status)) of.push(run);
  }
  for (const of of runs.values()) of.reverse();
  return runs;
}

const NOTHING_DONE: readonly string[] = NEITHER;

/** The job of a line: the first thing that looks like it, as a record's own field stands before any that could imitate it. */
export function parseJobName(line: string): string | undefined {
  return /"job":"([^"\\]*)"/.exec(line)?.[1];
}

const STATUS = '"status":"';

/** Is it the line of a skip? By the first field that looks like its status, as parseJobName. */
function isSkip(line: Buffer): boolean {
  const at = line.indexOf(STATUS);
  if (at < 0) return false;
  const from = at + STATUS.length;
  return SKIPS.some((status) => line.toString("latin1", from, from + status.length + 1) === `${status}"`);
}

/** Appends the line at the end of `fd`. Resolves to the bytes that the file had before. */
async function writeLine(fd: number, line: string): Promise<number> {
  // A disk that was full or a power cut may have left half a line; ours must not become a part of it.
  let torn = !endsInNewline(fd);
  if (torn) {
    await sleep(WRITE_MS);
    torn = !endsInNewline(fd);
  }
  const bytes = Buffer.from(torn ? `\n${line}` : line);
  const { size } = fstatSync(fd);
  const written = writeSync(fd, bytes);
  if (written === bytes.length) return size;
  // Cut off again if nobody has written behind it; otherwise it stays, and readers skip it.
  if (fstatSync(fd).size === size + written) ftruncateSync(fd, size);
  throw new Error("there was room for only a part of the line");
}

/** After another process has trimmed, is trimming or died while it did: makes sure that the line is in the file. */
async function settle(logDir: string, fd: number, line: string, env: ChildEnvironment): Promise<void> {
  const lock = await lockShortly(lockPath(logDir), TRIM_MS, env);
  if (lock === undefined) throw new Error(`${lockPath(logDir)} was held for ${TRIM_MS / 1000} seconds`);
  try {
    discard(temporaryPath(logDir));
    if (isFileAt(historyPath(logDir), fd)) return;
    const now = openOurs(historyPath(logDir), APPEND);
    try {
      if (!hasLine(now, line)) await writeLine(now, line);
    } finally {
      closeSync(now);
    }
  } finally {
    closeSync(lock);
  }
}

const sizeOf = (logDir: string): number =>
  lstatSync(historyPath(logDir), { throwIfNoEntry: false })?.size ?? 0;

/** The number of the block that a file ends in; from 1 on, so that a size of 0 (unknown) is always in another one. */
const blockOf = (size: number): number => (size === 0 ? 0 : 1 + Math.floor(size / BLOCK_BYTES));

/** Among the newest lines of the file. */
function hasLine(fd: number, line: string): boolean {
  const wanted = Buffer.from(line.slice(0, -1));
  for (const { bytes, isWhole } of linesBackwards(fd, fstatSync(fd).size, JUST_APPENDED)) {
    if (isWhole && bytes.equals(wanted)) return true;
  }
  return false;
}

/** Are there more than `count` runs, or more than `count` skips? */
function hasMoreLines(logDir: string, count: number): boolean {
  if (sizeOf(logDir) < count * LINE_LEAST) return false;
  return withRegularFile(historyPath(logDir), (fd, size) => {
    let [runs, skips] = [0, 0];
    for (const { bytes } of linesBackwards(fd, size)) {
      if ((isSkip(bytes) ? ++skips : ++runs) > count) return true;
    }
    return false;
  });
}

/**
 * Copies the newest `keep` runs, and the skips between and after them, at most as many. What a full disk or a power cut
 * has left of a line is dropped, and so is a last line without its end: the process that is writing it looks afterwards.
 */
function copyNewest(from: number, size: number, to: number, keep: number): void {
  /** Adjacent lines are one part; the newest first. */
  const parts: { from: number; to: number }[] = [];
  let [runs, skips] = [0, 0];
  for (const line of linesBackwards(from, size)) {
    const skipped = isSkip(line.bytes);
    if (!line.isWhole || (skipped && skips >= keep) || !isObject(line.bytes.toString("utf8"))) continue;
    const end = line.from + line.bytes.length + 1;
    const last = parts.at(-1);
    if (last?.from === end) last.from = line.from;
    else parts.push({ from: line.from, to: end });
    if (skipped) skips++;
    else if (++runs >= keep) break;
  }
  for (const part of parts.reverse()) copyPart(from, part, to);
}

function copyPart(from: number, part: { readonly from: number; readonly to: number }, to: number): void {
  const piece = Buffer.allocUnsafe(COPY_BYTES);
  for (let at = part.from; at < part.to; ) {
    const read = readSync(from, piece, 0, Math.min(piece.length, part.to - at), at);
    if (read === 0) throw new Error("it has become shorter while it was cut");
    writeFileSync(to, piece.subarray(0, read));
    at += read;
  }
}

function isObject(line: string): boolean {
  try {
    return line.startsWith("{") && JSON.parse(line) !== null;
  } catch {
    // Half a line, or two run together: no reader can use it.
    return false;
  }
}

function endsInNewline(fd: number): boolean {
  const { size } = fstatSync(fd);
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  readSync(fd, last, 0, 1, size - 1);
  return last[0] === NEWLINE;
}

const isThere = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;
