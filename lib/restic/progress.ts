/** restic's status messages as a bar on a terminal and as a line now and then in a log. */

import { formatDuration } from "../duration.ts";
import type { Run } from "../run/run.ts";
import { formatBytes } from "../size.ts";
import type { StatusMessage } from "./messages.ts";

const BAR_WIDTH = 30;

export class Progress {
  private readonly intervalMs: number;
  private last = performance.now();

  constructor(private readonly run: Run) {
    this.intervalMs = run.settings.seconds("PROGRESS_INTERVAL") * 1000;
  }

  show(status: StatusMessage): void {
    const { log } = this.run;
    this.run.progress(percentOf(status), status.seconds_remaining);
    if (log.onTerminal) log.status(barOf(status));
    else if (this.intervalMs > 0 && performance.now() - this.last >= this.intervalMs) {
      this.last = performance.now();
      log.info(lineOf(status));
    }
  }
}

/**
 * The counters of restic's plain output, a line a second: `[1:03] 25.00%  1 / 4 packs`. The last of each, at 100 %,
 * belongs to the log; of the others it gets one now and then.
 */
export class Counter {
  private intervalMs: number | undefined;
  private last = performance.now();

  constructor(private readonly run: Run) {}

  /** True when the line is a counter that the log need not show. */
  takes(line: string): boolean {
    const percent = /^\[[\d:]+\] +(\d+)\.\d\d% /.exec(line)?.[1];
    if (percent === undefined || percent === "100") return false;
    const { log, settings } = this.run;
    if (log.onTerminal) {
      log.status(line);
      return true;
    }
    // Read where it is needed first: most calls of restic count nothing.
    this.intervalMs ??= settings.seconds("PROGRESS_INTERVAL") * 1000;
    const isDue = this.intervalMs > 0 && performance.now() - this.last >= this.intervalMs;
    if (isDue) this.last = performance.now();
    return !isDue;
  }
}

/** `[######------]  45%  1.234 GiB of 2.742 GiB  12.300 MiB/s  3m5s left` */
export function barOf(status: StatusMessage): string {
  const percent = percentOf(status);
  const full = Math.round((percent / 100) * BAR_WIDTH);
  const bar = "#".repeat(full) + "-".repeat(BAR_WIDTH - full);
  return [`[${bar}] ${String(percent).padStart(3)}%`, ...amounts(status)].join("  ");
}

/** `45% done, 1.234 GiB of 2.742 GiB, 12.300 MiB/s, 3m5s left, 120 of 300 files` */
export function lineOf(status: StatusMessage): string {
  const { files_done = 0, total_files } = status;
  // Not every tool that shows its progress here counts files.
  const files = total_files === undefined ? [] : [`${files_done} of ${total_files} files`];
  return [`${percentOf(status)}% done`, ...amounts(status), ...files].join(", ");
}

/** 0 to 100, whole. */
export function percentOf({ percent_done = 0 }: StatusMessage): number {
  return Math.max(0, Math.min(100, Math.floor(percent_done * 100)));
}

function amounts(status: StatusMessage): string[] {
  const { bytes_done = 0, total_bytes = 0, seconds_elapsed = 0, seconds_remaining = 0 } = status;
  const texts = [`${formatBytes(bytes_done)} of ${formatBytes(total_bytes)}`];
  if (seconds_elapsed > 0) texts.push(`${formatBytes(Math.round(bytes_done / seconds_elapsed))}/s`);
  if (seconds_remaining > 0) texts.push(`${formatDuration(seconds_remaining)} left`);
  return texts;
}
