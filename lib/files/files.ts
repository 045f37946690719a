/**
 * Single files. Those of ours, in LOG_DIR, LOCK_DIR, METRICS_DIR and CRONTAB_DIR, are opened here and nowhere else:
 * others may be able to write in these folders, so that none is opened through a link, none is waited for that is a named
 * pipe, and no temporary name can be foreseen. And those of the operator, which may well be links; whether two are the
 * same; the hash of one of any size in constant memory.
 */

import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  promises,
  readFileSync,
  readSync,
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
import { demandAnswer, SILENCE, silent } from "./mounts.ts";
import { answered } from "./within.ts";

/** O_NOFOLLOW refuses a link, and with O_NONBLOCK neither a pipe nor a device is waited for. */
const OURS = constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** No errno of Linux, but of the BSDs: "inappropriate file type". See reasonOf. */
const NOT_REGULAR = "EFTYPE";

/**
 * Opens a file of ours by these flags of open(2); with O_CREAT a missing one is made, and gets `mode` whatever the umask
 * is; one that is there keeps its own, but is closed to others where `mode` is 0600. Throws the error of open(2), ELOOP
 * for a link, and EFTYPE for what is not a regular file.
 */
export function openOurs(path: string, flags: number, mode = 0o644): number {
  const plain = flags & ~constants.O_CREAT;
  for (;;) {
    try {
      return regular(openSync(path, plain | OURS), mode);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" || plain === flags) throw error;
    }
    try {
      return openNew(path, plain, mode);
    } catch (error) {
      // Another process was faster.
      if (errnoOf(error) !== "EEXIST") throw error;
    }
  }
}

/** Makes a file that nobody else has made, with exactly this mode, and opens it. Throws the error of open(2). */
export function openNew(path: string, flags: number, mode = 0o644): number {
  const fd = openSync(path, flags | OURS | constants.O_CREAT | constants.O_EXCL, mode);
  setMode(fd, mode);
  return fd;
}

/** Gives an open file this mode. Where its file system or its owner does not let us, it keeps its own. */
export function setMode(fd: number, mode: number): void {
  try {
    fchmodSync(fd, mode);
  } catch {
    // A share of another system, or another user's file: the umask may have taken rights from it, and added none.
  }
}

/** Is it the error of openOurs for something that nobody of ours has put there? */
export const isInTheWay = (error: unknown): boolean =>
  ["ELOOP", "ENXIO", NOT_REGULAR].includes(errnoOf(error) ?? "");

/** The descriptor; throws for what is not a regular file of ours, and closes it. */
function regular(fd: number, wanted: number): number {
  const stat = fstatSync(fd);
  const isPrivate = wanted === PRIVATE;
  if (!stat.isFile() || (isPrivate && stat.nlink > 1)) {
    closeSync(fd);
    throw stat.isFile() ? new Error("it has a second name (a hard link): remove it") : notRegular();
  }
  // An older release left its locks open to others, and who can open a lock can hold it.
  if (isPrivate && (stat.mode & 0o077) !== 0 && stat.uid === process.geteuid?.()) setMode(fd, PRIVATE);
  return fd;
}

/** The mode of what is its owner's alone. */
export const PRIVATE = 0o600;

const notRegular = () => Object.assign(new Error("it is not a regular file"), { code: NOT_REGULAR });

/** Makes a folder of ours, and those above it that are missing, with this mode whatever the umask is. */
export function makeFolder(path: string, mode = 0o755): void {
  const before = process.umask(0o777 & ~mode);
  try {
    mkdirSync(path, { recursive: true, mode });
  } finally {
    process.umask(before);
  }
}

export interface WriteOptions {
  /** Permission bits of the new file, whatever the umask is. */
  readonly mode?: number;
  /** Sync it to the disk before it replaces the old one. Default: true. */
  readonly durable?: boolean;
}

/**
 * Writes `text` to a temporary file beside `path` and renames it. On any failure the old file is unchanged, the
 * temporary one is removed, and the error is thrown.
 */
export function replaceFile(path: string, text: string, { mode, durable = true }: WriteOptions = {}): void {
  replace(path, mode, (fd) => {
    writeFileSync(fd, text);
    if (durable) fsyncSync(fd);
  });
}

/** Bytes that are copied at once. */
const COPIED = 1024 * 1024;

/** Copies `from` to `to` completely or not at all: on any failure the old `to` is unchanged, and the error is thrown. */
export function copyWhole(from: string, to: string): void {
  withRegularFile(from, (source) =>
    replace(to, undefined, (fd) => {
      const piece = Buffer.allocUnsafe(COPIED);
      for (;;) {
        const read = readSync(source, piece, 0, COPIED, null);
        if (read === 0) return;
        writeFileSync(fd, piece.subarray(0, read));
      }
    }),
  );
}

function replace(path: string, mode: number | undefined, write: (fd: number) => void): void {
  const temporary = temporaryOf(path);
  const fd = openNew(temporary, constants.O_WRONLY, mode);
  try {
    try {
      write(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    discard(temporary);
    throw error;
  }
}

/** A name for the file in which this process prepares the next `path`: another one each time, which nobody can guess. */
export const temporaryOf = (path: string): string => `${path}.${process.pid}-${randomHex()}.tmp`;

/** 48 random bits. Of the runtime itself: loading node:crypto would cost a tick a millisecond. */
function randomHex(): string {
  const { crypto } = globalThis as unknown as { readonly crypto: { randomUUID(): string } };
  return crypto.randomUUID().slice(-12);
}

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

/** Bytes: more than any file of ours has that is read whole. */
const OURS_MOST = 16 * 1024 * 1024;

/** The text of a file of ours, or undefined when there is none. Throws as openOurs, and for a larger one. */
export function readIfThere(path: string, most = OURS_MOST): string | undefined {
  try {
    return readOurs(path, most);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The text of a file of ours. Throws as openOurs, and for one that has more than `most` bytes. */
export const readOurs = (path: string, most: number): string =>
  withRegularFile(path, (fd, size) => textOf(fd, size, most, "utf8"));

/**
 * Opens a file of ours for reading and passes its descriptor and size to `read`. Throws as openOurs, and what `read`
 * throws.
 */
export function withRegularFile<T>(path: string, read: (fd: number, size: number) => T): T {
  return reading(path, OURS, read);
}

/**
 * The text of a file of the operator's, which may be a link, of at most `most` bytes. Throws the error of open(2), EFTYPE
 * for what is not a regular file (a pipe's data may be another reader's), and an Error for a larger one.
 */
export function readSmallFile(path: string, most: number, encoding: "utf8" | "latin1" = "utf8"): string {
  if (silent.size > 0) demandAnswer(path);
  return reading(path, constants.O_NONBLOCK, (fd, size) => textOf(fd, size, most, encoding));
}

function reading<T>(path: string, flags: number, read: (fd: number, size: number) => T): T {
  const fd = openSync(path, constants.O_RDONLY | flags);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw notRegular();
    return read(fd, stat.size);
  } finally {
    closeSync(fd);
  }
}

function textOf(fd: number, size: number, most: number, encoding: "utf8" | "latin1"): string {
  if (size > most) throw new Error(`it is larger than ${plural(most, "byte")}`);
  return readFileSync(fd, encoding);
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

const hashing = () => builtin("node:crypto");

/** Bytes of a piece: hashed in a millisecond or two, so that signals are handled in between. */
const PIECE = 1024 * 1024;

async function answeredIn<T>(work: Promise<T>): Promise<T> {
  const answer = await answered(work);
  if (answer === undefined) throw new Error(SILENCE);
  return answer;
}

/**
 * The SHA-256 in lowercase hexadecimal digits; undefined when `enough` returned true meanwhile. Throws the errors of
 * open(2) and read(2), and an Error for what is not a regular file, or does not answer within 3 s: it follows no link and
 * waits for no pipe.
 */
export async function sha256Of(path: string | Buffer, enough: () => boolean): Promise<string | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await answeredIn(promises.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  try {
    if (!(await answeredIn(file.stat())).isFile()) throw notRegular();
    const hash = hashing().createHash("sha256");
    const piece = Buffer.allocUnsafe(PIECE);
    for (;;) {
      const { bytesRead } = await answeredIn(file.read(piece, 0, PIECE, null));
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(piece.subarray(0, bytesRead));
      if (enough()) return undefined;
    }
  } finally {
    await file.close();
  }
}
