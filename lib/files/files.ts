/**
 * Single files: replacing one atomically, reading one safely, telling whether two are the same, hashing one of any size
 * in constant memory.
 */

import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
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
  writeSync,
} from "node:fs";
import { errnoOf } from "../errors.ts";
import { builtin } from "../runtime.ts";
import { plural } from "../text.ts";

export interface WriteOptions {
  /** Permission bits of the new file. */
  readonly mode?: number;
  /** Sync it to the disk before it replaces the old one. Default: true. */
  readonly durable?: boolean;
  /** Give it `mode` whatever the umask is. Default: false. */
  readonly isExact?: boolean;
}

/**
 * Writes `text` to a temporary file beside `path` and renames it. On any failure the old file is unchanged, the
 * temporary one is removed, and the error is thrown.
 */
export function replaceFile(
  path: string,
  text: string,
  { mode = 0o644, durable = true, isExact = false }: WriteOptions = {},
): void {
  const temporary = temporaryOf(path);
  try {
    const fd = openSync(temporary, "w", mode);
    try {
      if (isExact) fchmodSync(fd, mode);
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

/** Copies `from` to `to` completely or not at all: on any failure the old `to` is unchanged, and the error is thrown. */
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

/** The temporary file in which the process `pid` prepares the next `path`. */
export const temporaryOf = (path: string, pid = process.pid): string => `${path}.${pid}.tmp`;

/**
 * Removes a file if possible, to clean up after something that has already failed. Returns false when it may still be
 * there.
 */
export function discard(path: string): boolean {
  try {
    rmSync(path, { force: true });
    return true;
  } catch {
    // The folder is read-only or gone. The caller reports the failure that came before.
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
 * Opens a regular file for reading and passes its descriptor and size to `read`. Anything else at `path` (a named pipe,
 * a device) is refused: reading it could block for ever, or consume another reader's data. Throws the error of open(2),
 * and an Error for what is not a regular file.
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

/** Writes a short text at a place of the file. By bytes: for a string Deno (2.9) passes over the position. */
export function writeAt(fd: number, text: string, position: number): void {
  const bytes = Buffer.from(text);
  writeSync(fd, bytes, 0, bytes.length, position);
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
    // One of them is gone, closed, or not accessible: nothing shows that they are the same.
    return false;
  }
}

const crypto = () => builtin("node:crypto");

/** Bytes of a piece: hashed in a millisecond or two, so that signals are handled in between. */
const PIECE = 1024 * 1024;

/**
 * The SHA-256 in lowercase hexadecimal digits; undefined when `enough` returned true meanwhile. Throws the errors of
 * open(2) and read(2), and an Error for what is not a regular file: it follows no link and waits for no pipe.
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
