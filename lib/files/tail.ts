/** The lines of a file from its end on, however long the file is. */

import { readSync } from "node:fs";
import { withRegularFile } from "./files.ts";

const CHUNK_BYTES = 64 * 1024;

/** Bytes of the longest line that is held in memory; a longer one is passed over. */
const LINE_MOST = 4 * 1024 * 1024;

export interface LineFound {
  /** Without its newline. Good until the next line is asked for. */
  readonly bytes: Buffer;
  /** Where it begins in the file. */
  readonly from: number;
  /** Does it end in a newline? Only the last one of a file may not. */
  readonly isWhole: boolean;
}

/**
 * The lines of the file that is open at `fd` and has `size` bytes, the last one first; never more than `mostBytes` are
 * read, and a line that this bound cuts off is left out. Whatever the file holds, no more than one line of 4 MiB stands
 * in memory. Throws the errors of read(2).
 */
export function* linesBackwards(
  fd: number,
  size: number,
  mostBytes = Number.POSITIVE_INFINITY,
): Generator<LineFound, void, void> {
  const least = Math.max(0, size - mostBytes);
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - least));
  /** The end of a line whose beginning has not been read yet. */
  const held = new Held();
  let isWhole = false;
  for (let from = size; from > least; ) {
    const length = Math.min(chunk.length, from - least);
    from -= length;
    readAll(fd, chunk, length, from);
    let to = length;
    for (const at of newlinesIn(chunk, length).reverse()) {
      // Behind the last newline of a file there is usually nothing, which is no line.
      const isNothing = from + at + 1 === size;
      const bytes = isNothing ? undefined : held.complete(chunk.subarray(at + 1, to));
      if (bytes !== undefined) yield { bytes, from: from + at + 1, isWhole };
      isWhole = true;
      to = at;
    }
    held.add(chunk.subarray(0, to));
    if (from > 0) continue;
    const bytes = held.complete(NOTHING);
    if (bytes !== undefined) yield { bytes, from: 0, isWhole };
  }
}

export interface Tail {
  /** Complete lines, the last one last. A line that the limit cut off is left out. */
  readonly lines: readonly string[];
  /** Bytes of the whole file. */
  readonly size: number;
}

/**
 * The last `most` lines of a regular file, read backwards from its end and never more than `mostBytes` of it.
 * Throws the errors of open(2) and read(2), and an Error for what is not a regular file.
 */
export function lastLines(path: string, most: number, mostBytes: number): Tail {
  return withRegularFile(path, (fd, size) => {
    const lines: string[] = [];
    if (most > 0) {
      for (const { bytes } of linesBackwards(fd, size, mostBytes)) {
        if (lines.push(bytes.toString("utf8")) >= most) break;
      }
    }
    return { lines: lines.reverse(), size };
  });
}

const NOTHING = Buffer.alloc(0);

/** The end of a line, in pieces that were read from the last to the first. */
class Held {
  private pieces: Buffer[] = [];
  private size = 0;

  /** Copies it: the chunk is read into again. */
  add(piece: Buffer): void {
    this.size += piece.length;
    if (this.size > LINE_MOST) this.pieces = [];
    else if (piece.length > 0) this.pieces.unshift(Buffer.from(piece));
  }

  /** The line that begins with `piece`, and nothing held from then on; undefined when it is too long. */
  complete(piece: Buffer): Buffer | undefined {
    const size = this.size + piece.length;
    const bytes =
      size > LINE_MOST ? undefined : this.size === 0 ? piece : Buffer.concat([piece, ...this.pieces]);
    this.pieces = [];
    this.size = 0;
    return bytes;
  }
}

function newlinesIn(bytes: Buffer, length: number): number[] {
  const found: number[] = [];
  for (let at = bytes.indexOf(10); at >= 0 && at < length; at = bytes.indexOf(10, at + 1)) found.push(at);
  return found;
}

/** A file that has become shorter meanwhile gives zeros, which are no line of anybody's. */
function readAll(fd: number, into: Buffer, length: number, position: number): void {
  let done = 0;
  while (done < length) {
    const read = readSync(fd, into, done, length - done, position + done);
    if (read === 0) break;
    done += read;
  }
  into.fill(0, done, length);
}
