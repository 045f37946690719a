/**
 * The JSON lines that rclone prints with --use-json-log. Pure. Checked with 1.60 and 1.75.
 *
 * How far replicate has got, for `status`, as a bar on a terminal and as a line now and then in a log.
 */

import type { Run } from "../run/run.ts";
import { plural } from "../text.ts";
import { formatBytes, formatDuration } from "../units.ts";

/** Of everything that one call of rclone has moved so far. */
export interface Stats {
  readonly bytes: number;
  readonly totalBytes: number;
  /** Files that were transferred. */
  readonly transfers: number;
  readonly totalTransfers: number;
  /** Files that were deleted. */
  readonly deletes: number;
  /** Bytes a second. */
  readonly speed: number;
  /** Seconds; null while rclone does not know. */
  readonly eta: number | null;
}

export interface Line {
  /** In plain words, as rclone's own log would have it; several lines at times. */
  readonly text: string;
  readonly stats?: Stats;
}

/** Errors keep their level in the text, since the log shows every line of a child at the level INFO. */
const LOUD: Readonly<Record<string, string>> = {
  error: "ERROR: ",
  critical: "CRITICAL: ",
  fatal: "CRITICAL: ",
};

/** rclone before 1.61 prints its last words as plain text even so: a line that is no JSON is its own text. */
export function parseLine(line: string): Line {
  const message = line.startsWith("{") ? parse(line) : undefined;
  if (message === undefined) return { text: plain(line) };
  const { level, msg = "", object, stats } = message;
  const loud = typeof level === "string" && Object.hasOwn(LOUD, level) ? LOUD[level] : "";
  const of = typeof object === "string" && object !== "" ? `${object}: ` : "";
  return {
    text: `${loud}${of}${plain(msg)}`,
    ...(typeof stats !== "object" || stats === null ? {} : { stats: statsOf(stats) }),
  };
}

interface LogMessage {
  readonly level?: unknown;
  readonly msg?: string;
  readonly object?: unknown;
  readonly stats?: Readonly<Record<string, unknown>> | null;
}

function parse(line: string): LogMessage | undefined {
  try {
    const value = JSON.parse(line) as LogMessage;
    return typeof value.msg === "string" ? value : undefined;
  } catch {
    // Not JSON after all: the line is shown as it is.
    return undefined;
  }
}

function statsOf(stats: Readonly<Record<string, unknown>>): Stats {
  const number = (name: string) => finite(stats[name]) ?? 0;
  return {
    bytes: number("bytes"),
    totalBytes: number("totalBytes"),
    transfers: number("transfers"),
    totalTransfers: number("totalTransfers"),
    deletes: number("deletes"),
    speed: number("speed"),
    eta: finite(stats.eta) ?? null,
  };
}

/** 1e999 is a number of JSON, too. */
const finite = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

/** bisync colours its words since 1.66, in JSON too. The flag that forbids it means another thing to 1.60. */
const plain = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is taken out
    .replace(/\x1b\[[0-9;]*m/g, "")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .join("\n");

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
    `${transfers} of ${plural(totalTransfers, "file")}`,
  ].join(", ");
}

/** 0 to 1, of what rclone has found so far. */
function shareOf({ bytes, totalBytes }: Stats): number {
  return totalBytes > 0 ? Math.min(1, bytes / totalBytes) : 0;
}
