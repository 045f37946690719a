/**
 * stdout as a run writes it. A pipe whose reader stands still (a log driver that blocks, a pager that somebody has
 * left) must not make the run stand still with it: a write that waits in the kernel would keep time-outs and signals
 * waiting too. So a reader is waited for as long as it takes something; after that, lines are left out and counted.
 */

import { closeSync, constants, fstatSync, openSync } from "node:fs";
import { countNewlines } from "./prefix.ts";
import { offer } from "./write.ts";

/** A reader that takes nothing for so many milliseconds is not waited for any more. A stop has 8 s by default. */
const PATIENCE_MS = 2000;
const NEWLINE = 0x0a;
const NOTHING = new Uint8Array(0);

export interface OutletEvents {
  /** The reader has stood still for so many seconds: from here on lines are left out. */
  readonly stalled: (seconds: number) => void;
  /** What stands in the place of lines that were left out, once the reader goes on. */
  readonly gap: (lines: number) => string;
}

export class Outlet {
  private readonly fd: number;
  private readonly own: boolean;
  /** The end of a line that was begun when the reader stood still. */
  private rest: Uint8Array = NOTHING;
  private left = 0;
  private isStalled = false;

  constructor(
    fd: number,
    private readonly events: OutletEvents,
  ) {
    const opened = openedAnew(fd);
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

  /** Says what was left out, if the reader takes that now. */
  private resume(): boolean {
    const said = Buffer.concat([this.rest, Buffer.from(this.left > 0 ? this.events.gap(this.left) : "")]);
    const taken = offer(this.fd, said, 0);
    if (taken > 0) {
      // What is half said is said to its end first; more lines may be left out until then.
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
 * The pipe behind `fd` once more, for us alone and non-blocking: on `fd` itself that would change it for everybody
 * who shares it. undefined for what is no pipe, and for one that may not be opened (another user's).
 */
function openedAnew(fd: number): number | undefined {
  try {
    if (!fstatSync(fd).isFIFO()) return undefined;
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // Closed, without a reader, another user's, or no /proc: it is written as it is, and the write says what is wrong.
    return undefined;
  }
}
