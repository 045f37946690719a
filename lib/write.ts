/** Writing to a descriptor that may be a full pipe. */

import { writeSync } from "node:fs";
import { errnoOf } from "./errors.ts";
import { WRITE_MOST } from "./runtime.ts";

/** Stands still for so many milliseconds. For moments only: no signal is taken meanwhile. */
export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
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
      // A non-blocking pipe that is full: whoever shares it with us set it so, or we did (see Outlet).
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

/** Writes a short text at a place of the file. By bytes: for a string Deno (2.9) passes over the position. */
export function writeAt(fd: number, text: string, position: number): void {
  const bytes = Buffer.from(text);
  writeSync(fd, bytes, 0, bytes.length, position);
}
