/** How far restic has got: a bar on a terminal, a line every PROGRESS_INTERVAL in a log. */

import { terminalColumns } from "../log/stdout.ts";
import type { Run } from "../run/run.ts";
import { formatBytes, formatDuration, formatPart, plural, singleLine } from "../text.ts";
import type { StatusMessage } from "./messages.ts";

const BAR_MOST = 30;
const BAR_LEAST = 10;
/** A shorter time is too short to measure a rate over. */
const RATE_AFTER_MS = 1000;

export class Progress {
  private readonly intervalMs: number;
  private last = performance.now();
  private first: { at: number; bytes: number } | undefined;

  constructor(private readonly run: Run) {
    this.intervalMs = run.settings.seconds("PROGRESS_INTERVAL") * 1000;
  }

  show(status: StatusMessage): void {
    const { log } = this.run;
    this.run.progress(percentOf(status), status.seconds_remaining);
    const rate = this.rateOf(status);
    if (log.onTerminal) {
      log.status(formatBar(status, { rate, columns: terminalColumns(), colour: log.colour }));
    } else if (this.intervalMs > 0 && performance.now() - this.last >= this.intervalMs) {
      this.last = performance.now();
      log.info(formatStatus(status, rate));
    }
  }

  /** Bytes a second since the first message, by our clock: restic's own counts whole seconds only. */
  private rateOf({ bytes_done = 0 }: StatusMessage): number | undefined {
    const now = performance.now();
    this.first ??= { at: now, bytes: bytes_done };
    const ms = now - this.first.at;
    return ms < RATE_AFTER_MS ? undefined : Math.round(((bytes_done - this.first.bytes) * 1000) / ms);
  }
}

/**
 * The counters of restic's plain output, one line a second: `[1:03] 25.00%  1 / 4 packs`. The last of each, at 100 %,
 * is logged; of the others, one every PROGRESS_INTERVAL.
 */
export class PlainCounters {
  private intervalMs: number | undefined;
  private last = performance.now();

  constructor(private readonly run: Run) {}

  /** Returns true when the line is a counter that need not be logged. */
  takes(line: string): boolean {
    const percent = /^\[[\d:]+\] +(\d+)\.\d\d% /.exec(line)?.[1];
    if (percent === undefined || percent === "100") return false;
    const { log, settings } = this.run;
    if (log.onTerminal) {
      log.status(singleLine(line));
      return true;
    }
    // Read on first use: most calls of restic print no counters.
    this.intervalMs ??= settings.seconds("PROGRESS_INTERVAL") * 1000;
    const isDue = this.intervalMs > 0 && performance.now() - this.last >= this.intervalMs;
    if (isDue) this.last = performance.now();
    return !isDue;
  }
}

export interface BarStyle {
  /** Bytes a second; undefined while unknown. */
  readonly rate: number | undefined;
  /** The terminal's width: a longer line would wrap, and the next one could not replace it. */
  readonly columns: number;
  readonly colour: boolean;
}

/** The widest rate and remaining time of ordinary backups: room is reserved for them, so that the bar does not move. */
const WIDEST = "  999.999 MiB/s  59m59s left".length;
const RATE_WIDTH = "999.999 MiB/s".length;

/** `[#############-----------------]  45%  1.234 of 2.742 GiB   12.300 MiB/s  3m5s left` */
export function formatBar(status: StatusMessage, { rate, columns, colour }: BarStyle): string {
  const percent = percentOf(status);
  const [read = "", ...more] = amounts(status, rate);
  const head = ` ${String(percent).padStart(3)}%  ${read}`;
  const tail = [head, ...more].join("  ");
  // Two brackets, and the last column, at which some terminals already wrap.
  const room = columns - 3 - Math.max(tail.length, head.length + WIDEST);
  if (room < BAR_LEAST) return tail.trimStart().slice(0, columns - 1);
  const width = Math.min(BAR_MOST, room);
  const full = Math.floor((percent / 100) * width);
  const [done, left] = ["#".repeat(full), "-".repeat(width - full)];
  return colour ? `[\x1b[32m${done}\x1b[0;2m${left}\x1b[0m]${tail}` : `[${done}${left}]${tail}`;
}

/** `45% done, 1.234 of 2.742 GiB, 12.300 MiB/s, 3m5s left, 120 of 300 files` */
export function formatStatus(status: StatusMessage, rate: number | undefined): string {
  const { files_done = 0, total_files } = status;
  // Not every caller counts files: a tar stream has no total.
  const files = total_files === undefined ? [] : [`${files_done} of ${plural(total_files, "file")}`];
  const shown = amounts(status, rate).map((amount) => amount.trimStart());
  return [`${percentOf(status)}% done`, ...shown, ...files].join(", ");
}

/** 0 to 100, whole. */
export function percentOf({ percent_done = 0 }: StatusMessage): number {
  return Math.max(0, Math.min(100, Math.floor(percent_done * 100)));
}

/** Each is padded on the left, so that what follows it does not move. */
function amounts(status: StatusMessage, rate: number | undefined): string[] {
  const { bytes_done = 0, total_bytes = 0, seconds_remaining = 0 } = status;
  const texts = [formatPart(bytes_done, total_bytes)];
  // Everything is read; what is left is storing it, on which restic does not report.
  if (percentOf(status) === 100) return [...texts, "storing the rest"];
  if (rate !== undefined) texts.push(`${formatBytes(rate)}/s`.padStart(RATE_WIDTH));
  if (seconds_remaining > 0) texts.push(`${formatDuration(seconds_remaining)} left`);
  return texts;
}
