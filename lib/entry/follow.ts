/**
 * Copies what is appended to cron.log to stdout, so that `docker logs` shows it. Follows the name, like `tail -F`:
 * rotate_log renames the file and creates a new one while running jobs still append to the old one. Each line is
 * shown once.
 */

import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { errnoOf } from "../errors.ts";
import { Stdout } from "../log/stdout.ts";
import { plural } from "../text.ts";

interface Followed {
  readonly fd: number;
  readonly ino: number;
  readonly dev: number;
  /** Bytes that have been shown, or are waiting in `rest` for their newline. */
  offset: number;
  rest: Buffer;
}

const CHUNK_BYTES = 64 * 1024;
/** A longer line is shown in pieces, so that memory stays flat. */
const LINE_MOST = 1024 * 1024;
const NEWLINE = 10;

export class Follower {
  /** The file that has the name now comes last; before it, those that had the name and may still be written to. */
  private files: Followed[] = [];
  private readonly buffer = Buffer.alloc(CHUNK_BYTES);

  constructor(
    private readonly path: string,
    private readonly show: (text: Buffer) => void = stdoutBeside(path),
  ) {
    // The previous container has shown what was written before this one started.
    const [current] = this.openCurrent() ? this.files : [];
    if (current !== undefined) current.offset = fstatSync(current.fd).size;
  }

  /** Shows what was appended since the last call. To be called about once a second. */
  look(): void {
    this.openCurrent();
    this.files = this.files.filter((file) => {
      const { size, nlink } = fstatSync(file.fd);
      if (size < file.offset) this.restart(file);
      if (size > file.offset) this.copy(file);
      // Without a name: rotate_log has packed and deleted it, after it made sure that no process writes to it.
      if (nlink > 0) return true;
      this.end(file);
      return false;
    });
  }

  /** Shows the lines that still lack their newline, and closes the files. */
  close(): void {
    for (const file of this.files) this.end(file);
    this.files = [];
  }

  /** Opens the file that has the name now. Returns false when it is the known one, or cannot be opened. */
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
      // Just being renamed, or not readable: the next call tries again.
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

  /** The file was truncated: reads it from its start. */
  private restart(file: Followed): void {
    file.offset = 0;
    file.rest = Buffer.alloc(0);
  }

  private end(file: Followed): void {
    if (file.rest.length > 0) this.show(Buffer.concat([file.rest, Buffer.of(NEWLINE)]));
    closeSync(file.fd);
  }
}

/** Lines that a stalled reader of stdout does not take are dropped: the file still has them. */
function stdoutBeside(path: string): (text: Buffer) => void {
  const stdout = new Stdout(1, {
    stalled: () => {},
    gap: (lines) =>
      `${plural(lines, "line")} left out here, because stdout was not read in time; see ${path}.\n`,
  });
  return (text) => void stdout.write(text);
}
