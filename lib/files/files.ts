/**
 * Files that are either the old ones or the new ones, never half of one.
 *
 * The SHA-256 of a file of any size: read piece by piece, so that memory stays flat.
 */

import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  fsyncSync,
  openSync,
  promises,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { errnoOf } from "../errors.ts";
import { builtin } from "../runtime.ts";
import { plural } from "../text.ts";

export interface WriteOptions {
  /** Permission bits of the new file. */
  readonly mode?: number;
  /** Force it to the disk before it takes the old one's place. Default: true. */
  readonly durable?: boolean;
}

/**
 * Writes `text` to a temporary file beside `path` and renames it. On any failure the old file stands as it
 * was, the temporary one is gone, and the error is thrown.
 */
export function replaceFile(
  path: string,
  text: string,
  { mode = 0o644, durable = true }: WriteOptions = {},
): void {
  const temporary = temporaryOf(path);
  try {
    const fd = openSync(temporary, "w", mode);
    try {
      writeFileSync(fd, text);
      if (durable) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    discard(temporary);
    throw error;
  }
}

/** Copies `from` to `to` whole or not at all: on any failure the old `to` stands, and the error is thrown. */
export function copyWhole(from: string, to: string): void {
  const temporary = temporaryOf(to);
  try {
    copyFileSync(from, temporary);
    renameSync(temporary, to);
  } catch (error) {
    discard(temporary);
    throw error;
  }
}

/** Where the process `pid` prepares the file that is to become `path`. */
export const temporaryOf = (path: string, pid = process.pid): string => `${path}.${pid}.tmp`;

/**
 * Removes a file if it can be removed; for what is left behind by something that has failed already. False when it
 * may still be there.
 */
export function discard(path: string): boolean {
  try {
    rmSync(path, { force: true });
    return true;
  } catch {
    // The folder is read-only or gone. The failure before this one is what the caller reports.
    return false;
  }
}

/** The file's text, or undefined when there is none. Other errors are thrown. */
export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Opens a regular file for reading and hands its descriptor and its size to `read`. What else may be at `path` (a
 * named pipe, a device) is refused: reading one would wait for ever, or take from it what is another's. Throws
 * what open(2) says, and an Error for what is no regular file.
 */
export function withRegularFile<T>(path: string, read: (fd: number, size: number) => T): T {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new Error("it is not a regular file");
    return read(fd, stat.size);
  } finally {
    closeSync(fd);
  }
}

/** The text of a regular file of at most `most` bytes. Throws as withRegularFile, and for one that is larger. */
export function readSmallFile(path: string, most: number, encoding: "utf8" | "latin1" = "utf8"): string {
  return withRegularFile(path, (fd, size) => {
    if (size > most) throw new Error(`it is larger than ${plural(most, "byte")}`);
    return readFileSync(fd, encoding);
  });
}

/** Do two paths lead to the same file? */
export const isSameFile = (a: string, b: string): boolean => areSame(() => [statSync(a), statSync(b)]);

/** Does the path lead to the file that is open at the descriptor? */
export const isFileAt = (path: string, fd: number): boolean => areSame(() => [fstatSync(fd), statSync(path)]);

function areSame(look: () => readonly [Stats, Stats]): boolean {
  try {
    const [one, two] = look();
    return one.ino === two.ino && one.dev === two.dev;
  } catch {
    // One of them is gone, closed, or not ours to look at: nothing says that they are the same.
    return false;
  }
}

const crypto = () => builtin("node:crypto");

/** Bytes of a piece: hashed in a millisecond or two, so that signals find their turn in between. */
const PIECE = 1024 * 1024;

/**
 * In small hexadecimal digits; undefined when `enough` said so on the way. Throws what open(2) and read(2) say, and an
 * Error for what is no regular file: no link is followed, and no pipe waited for.
 */
export async function sha256Of(path: string | Buffer, enough: () => boolean): Promise<string | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await promises.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new Error("it is not a regular file");
    const hash = crypto().createHash("sha256");
    const piece = Buffer.allocUnsafe(PIECE);
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, PIECE, null);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(piece.subarray(0, bytesRead));
      if (enough()) return undefined;
    }
  } finally {
    await file.close();
  }
}
