/** Writing to a descriptor that may be a full pipe. */

import { writeSync } from "node:fs";
import { errnoOf } from "./errors.ts";

/** Stands still for so many milliseconds. For moments only: no signal is taken meanwhile. */
export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Writes all of it, waiting where a pipe is full; returns the error that made it impossible. */
export function writeAll(fd: number, content: string | Uint8Array): unknown {
  let rest = typeof content === "string" ? Buffer.from(content) : content;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if (errnoOf(error) !== "EAGAIN") return error;
      // A non-blocking pipe that is full: whoever shares it with us set it so. Try again in 2 ms.
      pause(2);
    }
  }
  return undefined;
}
