/**
 * Copies what is appended to cron.log to stdout, so that `docker logs` shows it. Follows the name, like `tail -F`:
 * rotate_log renames the file and creates a new one while running jobs still append to the old one. Each line is
 * shown once. A reader that is slow, or stands still, makes nothing wait but the copy: the file has the rest.
 */

import { closeSync, constants, fstatSync, lstatSync, readSync } from "node:fs";
import { errnoOf } from "../errors.ts";
import { openOurs } from "../files/files.ts";
import { Stdout } from "../log/stdout.ts";
import { eventLoopTurn } from "../process/stop.ts";
import { plural, visible } from "../text.ts";

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
/** Files that lost the name and are still behind: a reader that stands still for months must not hold them all. */
const FILES_MOST = 5;
const NEWLINE = 10;

export class Follower {
  /** The file that has the name now comes last; before it, those that had the name and may still be written to. */
  private files: Followed[] = [];
  private readonly buffer = Buffer.alloc(CHUNK_BYTES);

  /** `isBusy`: does `show` take no more at the moment? It takes whole what it is given. */
  constructor(
    private readonly path: string,
    private readonly show: (text: Buffer) => void,
    private readonly isBusy: () => boolean = () => false,
  ) {
    // The previous container has shown what was written before this one started.
    const [current] = this.openCurrent() ? this.files : [];
    if (current !== undefined) current.offset = fstatSync(current.fd).size;
  }

  /** Shows what was appended since the last call, until `show` is busy. Returns false when there is more. */
  look(): boolean {
    this.openCurrent();
    for (const file of [...this.files]) {
      if (!this.copy(file)) return false;
      // Without a name: rotate_log has packed and deleted it, after it made sure that no process writes to it.
      if (fstatSync(file.fd).nlink === 0) this.end(file);
    }
    return true;
  }

  /** Shows the lines that still lack their newline, and closes the files. */
  close(): void {
    for (const file of [...this.files]) this.end(file);
  }

  /** Opens the file that has the name now. Returns false when it is the known one, or cannot be opened. */
  private openCurrent(): boolean {
    try {
      const there = lstatSync(this.path, { throwIfNoEntry: false });
      const last = this.files.at(-1);
      if (!there?.isFile() || (last !== undefined && last.ino === there.ino && last.dev === there.dev)) {
        return false;
      }
      const fd = openOurs(this.path, constants.O_RDONLY);
      const { ino, dev } = fstatSync(fd);
      this.files.push({ fd, ino, dev, offset: 0, rest: Buffer.alloc(0) });
      for (const file of this.files.slice(0, -FILES_MOST)) this.end(file);
      return true;
    } catch (error) {
      // Just being renamed, or not readable: the next call tries again.
      if (errnoOf(error) === undefined) throw error;
      return false;
    }
  }

  /** False when there is more of it than `show` takes now. */
  private copy(file: Followed): boolean {
    if (fstatSync(file.fd).size < file.offset) this.restart(file);
    for (;;) {
      if (this.isBusy()) return false;
      const read = readSync(file.fd, this.buffer, 0, CHUNK_BYTES, file.offset);
      if (read === 0) return true;
      file.offset += read;
      const bytes = Buffer.concat([file.rest, this.buffer.subarray(0, read)]);
      const end = bytes.length > LINE_MOST ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;
      file.rest = Buffer.from(bytes.subarray(end));
      if (end > 0) this.show(bytes.subarray(0, end));
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
    this.files = this.files.filter((other) => other !== file);
  }
}

/** How long the file is copied before signals and timers get their turn, in milliseconds. */
const TURN_MS = 20;

/** Whoever can make a job print something can have it print control characters, too: they are shown as such. */
function withoutControls(bytes: Buffer): Buffer | string {
  const text = bytes.toString();
  const shown = visible(text);
  // A byte that is no UTF-8 may be a control character to a terminal that expects none.
  return shown === text && !text.includes("\ufffd") ? bytes : shown;
}

/** Copies a file to stdout whenever it is told to, as fast as stdout is read. */
export class Copy {
  private turnEndsMs = 0;
  private readonly stdout: Stdout;
  private readonly follower: Follower;

  constructor(path: string) {
    // What a stalled reader of stdout does not take is left out: the file still has it.
    this.stdout = new Stdout(1, {
      stalled: () => {},
      gap: (lines) =>
        `${plural(lines, "line")} left out here, because stdout was not read in time; see ${path}.\n`,
    });
    this.follower = new Follower(
      path,
      (bytes) => void this.stdout.write(withoutControls(bytes)),
      () => this.stdout.full !== undefined || performance.now() > this.turnEndsMs,
    );
  }

  /** Copies for a turn. Returns false when there is more: to be called again after `ready`. */
  turn(): boolean {
    this.turnEndsMs = performance.now() + TURN_MS;
    return this.follower.look();
  }

  /** Resolves when stdout takes more, and signals and timers have had their turn. */
  async ready(): Promise<void> {
    await this.stdout.full;
    await eventLoopTurn();
  }

  /** Shows the lines that still lack their newline, and closes the files. */
  close(): void {
    this.follower.close();
  }
}
