/**
 * stdout as a run writes it, how any descriptor is written that may be a full pipe, and where a pod leaves its last words.
 *
 * A pipe whose reader stands still (a log driver that blocks, a pager that somebody has left) must not make the run
 * stand still with it: a write that waits in the kernel would keep time-outs and signals waiting too. So a reader is
 * waited for as long as it takes something; after that, lines are left out and counted.
 */

import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { errnoOf } from "../errors.ts";
import { builtin, WRITE_MOST } from "../runtime.ts";

const NEWLINE = 10;
/** A reader that takes nothing for this many milliseconds is not waited for any more. A stop has 8 s by default. */
const PATIENCE_MS = 2000;
const NOTHING = new Uint8Array(0);

export interface StdoutEvents {
  /** The reader has stood still for this many seconds: from here on lines are left out. */
  readonly stalled: (seconds: number) => void;
  /** What stands in the place of lines that were left out, once the reader goes on. */
  readonly gap: (lines: number) => string;
}

export class Stdout {
  private readonly fd: number;
  private readonly own: boolean;
  /** The end of a line that was begun when the reader stood still. */
  private rest: Uint8Array = NOTHING;
  private left = 0;
  private isStalled = false;

  constructor(
    fd: number,
    private readonly events: StdoutEvents,
  ) {
    const opened = reopened(fd);
    this.own = opened !== undefined;
    this.fd = opened ?? fd;
  }

  /** Writes it all, or leaves it out and counts its lines; returns the error that makes writing impossible. */
  write(content: string | Uint8Array): unknown {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    try {
      if (this.isStalled && !this.resume()) this.left += countNewlines(bytes);
      else this.put(bytes);
      return undefined;
    } catch (error) {
      return error;
    }
  }

  close(): void {
    if (this.own) closeSync(this.fd);
  }

  /** Says what was left out, if the reader takes it now. True when lines can be written again. */
  private resume(): boolean {
    const said = Buffer.concat([this.rest, Buffer.from(this.left > 0 ? this.events.gap(this.left) : "")]);
    const taken = offer(this.fd, said, 0);
    if (taken > 0) {
      // A line that is half written is written to its end first; more lines may be left out until then.
      this.rest = said.subarray(taken);
      this.left = 0;
    }
    this.isStalled = taken < said.length;
    return !this.isStalled;
  }

  private put(bytes: Uint8Array): void {
    const taken = offer(this.fd, bytes, PATIENCE_MS);
    if (taken === bytes.length) return;
    const atStart = taken === 0 || bytes[taken - 1] === NEWLINE;
    const end = atStart ? taken : bytes.indexOf(NEWLINE, taken) + 1 || bytes.length;
    // A copy: the caller may use its bytes again.
    this.rest = Uint8Array.from(bytes.subarray(taken, end));
    this.left = countNewlines(bytes.subarray(end));
    this.isStalled = true;
    this.events.stalled(PATIENCE_MS / 1000);
  }
}

/**
 * Opens the pipe behind `fd` again, for us alone and non-blocking: a flag set on `fd` itself would change it for
 * everybody who shares it. undefined for what is not a pipe, and for one that may not be opened (another user's).
 */
function reopened(fd: number): number | undefined {
  try {
    if (!fstatSync(fd).isFIFO()) return undefined;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // Closed, without a reader, another user's, or no /proc: `fd` itself is written to, and that write fails with the reason.
    return undefined;
  }
}

/** How many of the first lines are looked at; they are short when they have fewer characters than this on average. */
const LOOKED_AT = 16;
const SHORT = 12;

/** Grown to the largest need, and used again by every call. */
let buffer = Buffer.alloc(0);
const encoder = new TextEncoder();

/**
 * Puts `head` before each of `lines`, which all end in a newline; the result is good until the next call. Lines of
 * ordinary length are made as one string, which the engine does four times as fast as any loop of ours; short lines byte
 * by byte: made of strings they grow twenty-five-fold and leave garbage faster than it is collected on a busy machine
 * (110 MiB where this stays at 65, measured).
 */
export function prefixLines(head: string, lines: string): Buffer {
  return areShort(lines) ? byBytes(Buffer.from(head), Buffer.from(lines)) : byText(head, lines);
}

function areShort(lines: string): boolean {
  let end = 0;
  for (let seen = 0; seen < LOOKED_AT; seen++) {
    end = lines.indexOf("\n", end) + 1;
    if (end === 0) return false;
  }
  return end < LOOKED_AT * SHORT;
}

function byText(head: string, lines: string): Buffer {
  if (lines === "") return buffer.subarray(0, 0);
  const text = `${head}${lines.slice(0, -1).replaceAll("\n", `\n${head.replaceAll("$", "$$$$")}`)}\n`;
  // UTF-8 needs three bytes for a UTF-16 unit at the most.
  if (buffer.length < text.length * 3) buffer = Buffer.alloc(text.length * 3);
  return buffer.subarray(0, encoder.encodeInto(text, buffer).written);
}

function byBytes(head: Uint8Array, lines: Uint8Array): Buffer {
  const size = lines.length + countNewlines(lines) * head.length;
  if (buffer.length < size) buffer = Buffer.alloc(size);
  let to = 0;
  let begins = true;
  for (let at = 0; at < lines.length; at++) {
    const byte = lines[at] ?? 0;
    if (begins) {
      buffer.set(head, to);
      to += head.length;
    }
    buffer[to++] = byte;
    begins = byte === NEWLINE;
  }
  return buffer.subarray(0, to);
}

export function countNewlines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < bytes.length; at++) if (bytes[at] === NEWLINE) count++;
  return count;
}

/** Text for a person or a pipe, whole, to stdout. */
export function print(text: string): void {
  writeAll(1, text);
}

/** Milliseconds after which a pipe that was full is tried again. */
const RETRY_MS = 2;

/**
 * Writes to a descriptor that may be a full pipe, waiting while its reader takes something at least every `patienceMs`
 * milliseconds. Returns how many bytes were taken. Throws what write(2) says.
 */
export function offer(fd: number, bytes: Uint8Array, patienceMs: number): number {
  let taken = 0;
  let movedMs = performance.now();
  while (taken < bytes.length) {
    try {
      taken += writeSync(fd, bytes.subarray(taken, taken + WRITE_MOST));
      movedMs = performance.now();
    } catch (error) {
      // A non-blocking pipe that is full: whoever shares it with us set it so, or we did (see Stdout).
      if (errnoOf(error) !== "EAGAIN") throw error;
      if (performance.now() - movedMs >= patienceMs) break;
      pause(RETRY_MS);
    }
  }
  return taken;
}

/** Writes all of it, however long a pipe is full; returns the error that made it impossible. */
export function writeAll(fd: number, content: string | Uint8Array): unknown {
  try {
    offer(fd, typeof content === "string" ? Buffer.from(content) : content, Number.POSITIVE_INFINITY);
    return undefined;
  } catch (error) {
    return error;
  }
}

/** Blocks this thread for `ms` milliseconds. For moments only: no signal is taken meanwhile. */
export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Major number of /dev/null and its like (Linux, devices.txt). */
const MEMORY_DEVICES = 1;

/**
 * As isatty(3) says. node:tty costs 2 ms to load (measured), more than all else that a tick does before its
 * first hook, so it is loaded only where fstat(2) leaves the answer open.
 */
export function isTerminal(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice() || stat.rdev >> 8 === MEMORY_DEVICES) return false;
  } catch {
    // A closed descriptor is not a terminal.
    return false;
  }
  return builtin("node:tty").isatty(fd);
}

/** The present width of the terminal that stdout is. Call it only for a terminal: it costs 7 ms once. */
export function terminalColumns(): number {
  return process.stdout.columns || 80;
}

const PATH = "/dev/termination-log";
/** Kubernetes cuts a message there (its documentation, "Customizing the termination message"). */
const MOST_BYTES = 4096;

/** Leaves one line there; does nothing where the file is not there already, which is everywhere else. */
export function leaveLastWords(text: string): void {
  try {
    const fd = openSync(PATH, constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!fstatSync(fd).isFile()) return;
      ftruncateSync(fd, 0);
      writeSync(fd, Buffer.from(`${text}\n`).subarray(0, MOST_BYTES));
    } finally {
      closeSync(fd);
    }
  } catch {
    // No Kubernetes, or not ours to write: the log says the same.
  }
}
