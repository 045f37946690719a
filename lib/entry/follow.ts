/**
 * Copies what is appended to cron.log to stdout, so that `docker logs` shows it. By name: rotate_log renames the
 * file and begins a new one while jobs go on writing to the old, and each of their lines is shown once.
 */

import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { errnoOf } from "../errors.ts";
import { Stdout } from "../log/stdout.ts";
import { plural } from "../text.ts";

interface Followed {
  readonly fd: number;
  readonly ino: number;
  readonly dev: number;
  /** Bytes that have been shown, or wait in `rest` for their newline. */
  offset: number;
  rest: Buffer;
}

const CHUNK_BYTES = 64 * 1024;
/** A line that is longer is shown in pieces; memory stays flat. */
const LINE_MOST = 1024 * 1024;
const NEWLINE = 10;

export class Follower {
  /** The file of that name, last; before it those that had the name and may still be written to. */
  private files: Followed[] = [];
  private readonly buffer = Buffer.alloc(CHUNK_BYTES);

  constructor(
    private readonly path: string,
    private readonly show: (text: Buffer) => void = stdoutBeside(path),
  ) {
    // What was written before this container started has been shown by the one before it.
    const [current] = this.openCurrent() ? this.files : [];
    if (current !== undefined) current.offset = fstatSync(current.fd).size;
  }

  /** Shows what has come since the last look. To be called about once a second. */
  look(): void {
    this.openCurrent();
    this.files = this.files.filter((file) => {
      const { size, nlink } = fstatSync(file.fd);
      if (size < file.offset) this.restart(file);
      if (size > file.offset) this.copy(file);
      // Packed and deleted by rotate_log, which first makes sure that nobody writes to it any more.
      if (nlink > 0) return true;
      this.end(file);
      return false;
    });
  }

  /** Nothing more will come: a line without its newline is shown too. */
  close(): void {
    for (const file of this.files) this.end(file);
    this.files = [];
  }

  /** Takes the file of that name up, when it is another one than before. */
  private openCurrent(): boolean {
    try {
      const there = statSync(this.path, { throwIfNoEntry: false });
      const last = this.files.at(-1);
      if (there === undefined || (last !== undefined && last.ino === there.ino && last.dev === there.dev)) {
        return false;
      }
      const fd = openSync(this.path, "r");
      const { ino, dev } = fstatSync(fd);
      this.files.push({ fd, ino, dev, offset: 0, rest: Buffer.alloc(0) });
      return true;
    } catch (error) {
      // Between two names, or not ours to read: the next look will tell.
      if (errnoOf(error) === undefined) throw error;
      return false;
    }
  }

  private copy(file: Followed): void {
    for (;;) {
      const read = readSync(file.fd, this.buffer, 0, CHUNK_BYTES, file.offset);
      if (read === 0) return;
      file.offset += read;
      const bytes = Buffer.concat([file.rest, this.buffer.subarray(0, read)]);
      const end = bytes.length > LINE_MOST ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;
      if (end > 0) this.show(bytes.subarray(0, end));
      file.rest = Buffer.from(bytes.subarray(end));
    }
  }

  /** Somebody emptied the file: it begins anew. */
  private restart(file: Followed): void {
    file.offset = 0;
    file.rest = Buffer.alloc(0);
  }

  private end(file: Followed): void {
    if (file.rest.length > 0) this.show(Buffer.concat([file.rest, Buffer.of(NEWLINE)]));
    closeSync(file.fd);
  }
}

/** The file keeps what a reader of stdout that stands still does not take. */
function stdoutBeside(path: string): (text: Buffer) => void {
  const stdout = new Stdout(1, {
    stalled: () => {},
    gap: (lines) =>
      `${plural(lines, "line")} left out here, because nobody read stdout in time; see ${path}.\n`,
  });
  return (text) => void stdout.write(text);
}
