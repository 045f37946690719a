/**
 * stdout as a run writes it, how any descriptor is written that may be a full pipe, and where a pod leaves its last words.
 *
 * A reader of stdout that stands still (a log driver that blocks, a pager that somebody has left, Ctrl-S on a terminal)
 * must not make the run stand still with it: a write that waits in the kernel would keep time-outs and signals waiting
 * too. So nothing here waits: what is not taken at once is kept until it is, those who bring much are asked to wait (see
 * `full`), and while nothing is taken for a while, lines are left out and counted.
 */

import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  type Stats,
  writeSync,
  write as writeToThread,
} from "node:fs";
import { errnoOf } from "../errors.ts";
import { builtin, WRITE_MOST } from "../runtime.ts";
import { singleLine, visible } from "../text.ts";

const NEWLINE = 10;
const NOTHING = new Uint8Array(0);
/** A reader that takes nothing for this many milliseconds is not waited for any more. A stop has 8 s by default. */
const PATIENCE_MS = 2000;
/** Milliseconds after which a full pipe is tried again, and one whose reader stands still. */
const RETRY_MS = { moving: 2, still: 100 };
/** Bytes that are kept before whoever brings more is asked to wait, and before lines are left out all the same. */
const KEPT = { much: 64 * 1024, most: 4 * 1024 * 1024 };
/** Bytes that a thread is given at once: it says nothing before all of them are taken, and a reader may be slow. */
const THREAD_BYTES = 4096;

export interface StdoutEvents {
  /** The reader has stood still for this many seconds: from here on lines are left out. */
  readonly stalled: (seconds: number) => void;
  /** What stands in the place of lines that were left out, once the reader goes on. */
  readonly gap: (lines: number) => string;
}

/**
 * How a descriptor can be written without waiting: a file and the like at once; what can be opened again (a pipe, a
 * terminal) without blocking; the rest (a socket, another user's pipe) by a thread, which may be left waiting.
 */
type Way = "at once" | "reopened" | "thread";

/** Those that still keep something. */
const waiting = new Set<Stdout>();

export class Stdout {
  private readonly fd: number;
  private readonly way: Way;
  /** What has not been taken yet; of the first piece, what comes after `taken`. */
  private kept: Uint8Array[] = [];
  private keptBytes = 0;
  private taken = 0;
  private movedMs = 0;
  /** Is somebody at it already: a thread, or a timer? */
  private isBusy = false;
  /** Are lines being left out? How many were? */
  private isLeavingOut = false;
  private left = 0;
  /** Is what is kept the word about so many of them? */
  private said = 0;
  private isStill = false;
  private error: unknown;
  private room: PromiseWithResolvers<void> | undefined;

  /** Without `events` nothing is left out: for a tool, whose words are few and all that it is for. */
  constructor(
    fd: number,
    private readonly events?: StdoutEvents,
  ) {
    const { way, own } = wayTo(fd);
    this.way = way;
    this.fd = own ?? fd;
  }

  /** Writes it all, or leaves it out and counts its lines; returns the error that makes writing impossible. */
  write(content: string | Uint8Array): unknown {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    if (this.way === "at once") return writeAll(this.fd, bytes);
    if (this.error !== undefined || bytes.length === 0) return this.error;
    if (this.isLeavingOut || (this.events !== undefined && this.keptBytes + bytes.length > KEPT.most)) {
      this.isLeavingOut = true;
      this.left += countNewlines(bytes);
    } else {
      if (this.kept.length === 0) this.movedMs = performance.now();
      // A copy: the caller may use its bytes again.
      this.kept.push(Uint8Array.from(bytes));
      this.keptBytes += bytes.length;
    }
    waiting.add(this);
    this.go();
    return this.error;
  }

  /** Resolves when the reader has caught up, or is not waited for any more; undefined where there is no need to wait. */
  get full(): Promise<void> | undefined {
    if (this.keptBytes < KEPT.much || this.isLeavingOut) return undefined;
    this.room ??= Promise.withResolvers();
    return this.room.promise;
  }

  /** Is the rest not waited for any more? */
  get isGivenUp(): boolean {
    return this.isStill && this.events !== undefined;
  }

  close(): void {
    this.end(new Error("closed"));
    if (this.way === "reopened") closeSync(this.fd);
  }

  /** Gives what is kept to the reader, until it takes no more. */
  private go(): void {
    if (this.isBusy) return;
    const piece = this.next();
    if (piece === undefined) waiting.delete(this);
    else if (this.way === "thread") this.giveToThread(piece);
    else this.give(piece);
  }

  private give(piece: Uint8Array): void {
    try {
      for (let next: Uint8Array | undefined = piece; next !== undefined; next = this.next())
        this.advance(writeSync(this.fd, next));
      waiting.delete(this);
    } catch (error) {
      this.refused(error);
    }
  }

  private giveToThread(piece: Uint8Array): void {
    this.isBusy = true;
    const timer = setTimeout(() => this.stall(), PATIENCE_MS);
    writeToThread(this.fd, piece, 0, piece.length, null, (error, taken) => {
      clearTimeout(timer);
      this.isBusy = false;
      if (error) {
        this.refused(error);
        return;
      }
      this.advance(taken);
      this.go();
    });
  }

  /** What is to be written next; undefined when there is nothing. */
  private next(): Uint8Array | undefined {
    if (this.kept.length === 0 && this.isLeavingOut) this.sayGap();
    const most = this.way === "thread" ? THREAD_BYTES : WRITE_MOST;
    // Many short pieces are one.
    while (this.kept.length > 1 && (this.kept[0]?.length ?? 0) - this.taken < THREAD_BYTES) {
      const [first, second] = this.kept.splice(0, 2);
      this.kept.unshift(Buffer.concat([first?.subarray(this.taken) ?? NOTHING, second ?? NOTHING]));
      this.taken = 0;
    }
    return this.kept[0]?.subarray(this.taken, this.taken + most);
  }

  /** All that was kept has been taken: what was left out is said in its place, if the reader takes that. */
  private sayGap(): void {
    const text = Buffer.from(this.left > 0 ? (this.events?.gap(this.left) ?? "") : "");
    if (text.length === 0) {
      this.isLeavingOut = false;
      return;
    }
    this.kept = [text];
    this.keptBytes = text.length;
    this.said = this.left;
  }

  private advance(bytes: number): void {
    this.movedMs = performance.now();
    this.isStill = false;
    this.left -= this.said;
    this.said = 0;
    this.isLeavingOut &&= this.left > 0;
    this.taken += bytes;
    this.keptBytes -= bytes;
    if (this.taken >= (this.kept[0]?.length ?? 0)) {
      this.kept.shift();
      this.taken = 0;
    }
    if (this.keptBytes < KEPT.much) this.makeRoom();
  }

  private makeRoom(): void {
    this.room?.resolve();
    this.room = undefined;
  }

  /** It is full, which a descriptor that is shared with us may say, too: it is tried again. Any other error is the end. */
  private refused(error: unknown): void {
    if (errnoOf(error) !== "EAGAIN") {
      this.end(error);
      return;
    }
    if (this.said > 0) {
      this.kept = [];
      this.keptBytes = 0;
      this.said = 0;
    }
    if (performance.now() - this.movedMs >= PATIENCE_MS) this.stall();
    this.isBusy = true;
    const again = () => {
      this.isBusy = false;
      this.go();
    };
    setTimeout(again, this.isStill ? RETRY_MS.still : RETRY_MS.moving);
  }

  private end(error: unknown): void {
    this.error = error;
    this.kept = [];
    this.keptBytes = 0;
    this.isLeavingOut = false;
    this.makeRoom();
    waiting.delete(this);
  }

  /** Keeps a line that was begun, so that it can be ended, and what a thread has; leaves out the lines after it. */
  private stall(): void {
    if (this.isStill) return;
    this.isStill = true;
    if (this.events === undefined) return;
    const all = Buffer.concat(this.kept);
    const given = this.way === "thread" ? Math.min(all.length, this.taken + THREAD_BYTES) : this.taken;
    const atStart = given === 0 || all[given - 1] === NEWLINE;
    const end = atStart ? given : all.indexOf(NEWLINE, given) + 1 || all.length;
    this.kept = end > this.taken ? [all.subarray(0, end)] : [];
    this.taken = this.kept.length === 0 ? 0 : this.taken;
    this.keptBytes = this.kept.length === 0 ? 0 : end - this.taken;
    this.left += countNewlines(all.subarray(end));
    this.isLeavingOut = true;
    this.makeRoom();
    this.events.stalled(PATIENCE_MS / 1000);
  }
}

/** Resolves when all readers have caught up, or are not waited for any more; undefined where there is no need to wait. */
export function stdoutRoom(): Promise<unknown> | undefined {
  if (waiting.size === 0) return undefined;
  const full = [...waiting].map((each) => each.full).filter((each) => each !== undefined);
  return full.length === 0 ? undefined : Promise.all(full);
}

/** Milliseconds that may still be spent on a reader at the end. */
let msLeft = () => Number.POSITIVE_INFINITY;

/** A stop has come: it bounds the wait for a slow reader at the end as well. */
export function boundStdout(left: () => number): void {
  msLeft = left;
}

/** Milliseconds between two looks whether a reader has taken the last of it: doubled from the first to the most. */
const LOOK_MS = { first: 1, most: 32 };

/** Resolves to `result` when all that was written has been taken, or is not waited for any more. To be awaited before an exit. */
export async function afterStdout<T>(result: T): Promise<T> {
  let look = LOOK_MS.first;
  while ([...waiting].some(({ isGivenUp }) => !isGivenUp) && msLeft() > 0) {
    await new Promise((resolve) => setTimeout(resolve, look));
    look = Math.min(look * 2, LOOK_MS.most);
  }
  return result;
}

/**
 * Opens the pipe or terminal behind `fd` again, for us alone and non-blocking: a flag set on `fd` itself would change it
 * for everybody who shares it.
 */
function wayTo(fd: number): { way: Way; own?: number } {
  try {
    const stat = fstatSync(fd);
    if (stat.isSocket()) return { way: "thread" };
    if (!stat.isFIFO() && !isTerminalDevice(stat)) return { way: "at once" };
    const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
    return { way: "reopened", own: openSync(`/proc/self/fd/${fd}`, flags) };
  } catch (error) {
    // Another user's, or no /proc. Whatever else it is (closed, without a reader), a write fails at once with the reason.
    return { way: ["EACCES", "EPERM", "ENOENT"].includes(errnoOf(error) ?? "") ? "thread" : "at once" };
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

/**
 * Lines for a person or a pipe, whole, to stdout, without control characters. What stands within a line and may itself
 * contain a newline goes through singleLine first.
 */
export function print(text: string): void {
  writeAll(1, visible(text));
}

/** A message of one line, to stderr. */
export function complain(message: string): void {
  writeAll(2, `${singleLine(message)}\n`);
}

/** Writes all of it, however long a pipe is full; returns the error that made it impossible. */
export function writeAll(fd: number, content: string | Uint8Array): unknown {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  for (let taken = 0; taken < bytes.length; ) {
    try {
      taken += writeSync(fd, bytes.subarray(taken, taken + WRITE_MOST));
    } catch (error) {
      // A non-blocking pipe that is full: whoever shares it with us set it so.
      if (errnoOf(error) !== "EAGAIN") return error;
      pause(RETRY_MS.moving);
    }
  }
  return undefined;
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
    if (!isTerminalDevice(fstatSync(fd))) return false;
  } catch {
    // A closed descriptor is not a terminal.
    return false;
  }
  return builtin("node:tty").isatty(fd);
}

/** A character device other than /dev/null and its like is nearly always a terminal. */
const isTerminalDevice = (stat: Stats): boolean =>
  stat.isCharacterDevice() && stat.rdev >> 8 !== MEMORY_DEVICES;

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
      writeSync(fd, Buffer.from(`${singleLine(text)}\n`).subarray(0, MOST_BYTES));
    } finally {
      closeSync(fd);
    }
  } catch {
    // No Kubernetes, or not ours to write: the log says the same.
  }
}
