/** How far replicate has got, for `status`, as a bar on a terminal and as a line now and then in a log. */

import { formatDuration } from "../duration.ts";
import type { Run } from "../run/run.ts";
import { formatBytes } from "../size.ts";
import type { Stats } from "./messages.ts";

/** rclone tells its statistics at the interval that it was asked for, give or take a moment. */
const SLACK = 0.9;

export class Progress {
  private readonly intervalMs: number;
  private last = performance.now();

  constructor(private readonly run: Run) {
    this.intervalMs = run.settings.seconds("PROGRESS_INTERVAL") * 1000;
  }

  /** `done` rows of `all` are behind us; `stats` tells of the one at hand. */
  show(stats: Stats, done: number, all: number): void {
    const { log } = this.run;
    this.run.progress(Math.floor(((done + shareOf(stats)) / all) * 100), undefined);
    log.status(lineOf(stats));
    if (log.onTerminal) return;
    if (this.intervalMs === 0 || performance.now() - this.last < this.intervalMs * SLACK) return;
    this.last = performance.now();
    log.info(lineOf(stats));
  }
}

/** `45% done, 1.234 GiB of 2.742 GiB, 12.300 MiB/s, 3m5s left, 120 of 300 files` */
export function lineOf(stats: Stats): string {
  const { bytes, totalBytes, speed, eta, transfers, totalTransfers } = stats;
  return [
    `${Math.floor(shareOf(stats) * 100)}% done`,
    `${formatBytes(bytes)} of ${formatBytes(totalBytes)}`,
    ...(speed > 0 ? [`${formatBytes(Math.round(speed))}/s`] : []),
    ...(eta === null ? [] : [`${formatDuration(eta)} left`]),
    `${transfers} of ${totalTransfers} files`,
  ].join(", ");
}

/** 0 to 1, of what rclone has found so far. */
function shareOf({ bytes, totalBytes }: Stats): number {
  return totalBytes > 0 ? Math.min(1, bytes / totalBytes) : 0;
}
