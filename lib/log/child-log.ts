/**
 * The one way of what a child prints into the log, whether a hook or restic printed it: masked, made visible, broken,
 * set under the name of its source, and bounded in the run's own file.
 */

import type { Mask } from "../mask.ts";
import { visible } from "../text.ts";

/** Characters after which a line of a child's output is broken (hooks.md). */
export const LINE_MOST = 16 * 1024;

/** Whole lines, fit to be shown. Masked together, so that a secret of several lines is seen too. */
export const safeText = (mask: Mask, lines: string): string => visibleLines(mask(lines));

/** The same for what has been masked already. */
export const visibleLines = (lines: string): string => broken(visible(lines));

/** Breaks what is longer than LINE_MOST. Looks at a few characters of every 16 KiB only: most text has no such line. */
function broken(lines: string): string {
  let pieces = "";
  let from = 0;
  while (lines.length - from > LINE_MOST) {
    const end = lines.lastIndexOf("\n", from + LINE_MOST) + 1;
    const at = end > from ? end : between(lines, from + LINE_MOST);
    pieces += end > from ? lines.slice(from, at) : `${lines.slice(from, at)}\n`;
    from = at;
  }
  return pieces + lines.slice(from);
}

/** `at`, or the place before it where that would cut a character of two UTF-16 units in half. */
export function between(text: string, at: number): number {
  const unit = text.charCodeAt(at - 1);
  return unit >= 0xd800 && unit < 0xdc00 ? at - 1 : at;
}

/** Bytes of log lines. */
export interface Written {
  readonly inFile: number;
  readonly leftOut: number;
}

/** Writes safe lines to stdout, and those that fit in `fileMost` bytes into the run's own file too. */
export type WriteLines = (source: string, lines: string, fileMost: number) => Written;

export class ChildLog {
  /** Bytes of log lines that went to stdout only. */
  leftOut = 0;

  /** `room`: bytes that may go into the run's own file. */
  constructor(
    private readonly writeLines: WriteLines,
    private room = Number.POSITIVE_INFINITY,
  ) {}

  /** Whole lines that are safe; true when they are the first that did not fit in the run's own file. */
  write(source: string, lines: string): boolean {
    // After the first line that did not fit, none goes there any more, however short it is.
    const isFull = this.leftOut > 0;
    const { inFile, leftOut } = this.writeLines(source, lines, isFull ? 0 : this.room);
    this.room -= inFile;
    this.leftOut += leftOut;
    return !isFull && leftOut > 0;
  }
}
