/** Is a descriptor a terminal? */

import { fstatSync } from "node:fs";
import { builtin } from "./runtime.ts";

/** Major number of /dev/null and its like (Linux, devices.txt). */
const MEMORY_DEVICES = 1;

/**
 * As isatty(3) says. node:tty costs 2 ms to load (measured), more than all else that a tick does before its
 * first hook, so it is asked only where the answer is not already no.
 */
export function isTerminal(fd: number): boolean {
  try {
    const stat = fstatSync(fd);
    if (!stat.isCharacterDevice() || stat.rdev >> 8 === MEMORY_DEVICES) return false;
  } catch {
    // A descriptor that is closed is no terminal.
    return false;
  }
  return builtin("node:tty").isatty(fd);
}

/** Of the terminal that stdout is, as wide as it is now. To be asked only of a terminal: it costs 7 ms once. */
export function terminalColumns(): number {
  return process.stdout.columns || 80;
}
