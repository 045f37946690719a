/**
 * The JSON lines that rclone prints with --use-json-log (checked with 1.60 and 1.75), and the progress that they
 * report: to `status`, as one line on a terminal, as a line every PROGRESS_INTERVAL in a log.
 */

import type { Run } from "../run/run.ts";
import { formatBytes, formatDuration, plural } from "../text.ts";

/** Everything that one call of rclone has moved so far. */
export interface Stats {
  readonly bytes: number;
  readonly totalBytes: number;
  /** Files transferred. */
  readonly transfers: number;
  readonly totalTransfers: number;
  /** Files deleted. */
  readonly deletes: number;
  /** Bytes a second. */
  readonly speed: number;
  /** Seconds; null while rclone does not know. */
  readonly eta: number | null;
}

export interface LogLine {
  /** The text as rclone's own log would show it; sometimes several lines. */
  readonly text: string;
  readonly stats?: Stats;
}

/** Errors keep their level in the text, since the log shows every line of a child at the level INFO. */
const LOUD: Readonly<Record<string, string>> = {
  error: "ERROR: ",
  critical: "CRITICAL: ",
  fatal: "CRITICAL: ",
};

/** rclone before 1.61 prints its last message as plain text all the same: a line that is not JSON is its own text. */
export function parseLine(line: string): LogLine {
  const message = line.startsWith("{") ? parseJson(line) : undefined;
  if (message === undefined) return { text: withoutColours(line) };
  const { level, msg = "", object, stats } = message;
  const loud = typeof level === "string" && Object.hasOwn(LOUD, level) ? LOUD[level] : "";
  const of = typeof object === "string" && object !== "" ? `${object}: ` : "";
  return {
    text: `${loud}${of}${withoutColours(msg)}`,
    ...(typeof stats !== "object" || stats === null ? {} : { stats: parseStats(stats) }),
  };
}

interface LogMessage {
  readonly level?: unknown;
  readonly msg?: string;
  readonly object?: unknown;
  readonly stats?: Readonly<Record<string, unknown>> | null;
}

function parseJson(line: string): LogMessage | undefined {
  try {
    const value = JSON.parse(line) as LogMessage;
    return typeof value.msg === "string" ? value : undefined;
  } catch {
    // Not JSON after all: the line is shown as it is.
    return undefined;
  }
}

function parseStats(stats: Readonly<Record<string, unknown>>): Stats {
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

/** 1e999 is a valid number in JSON. */
const finite = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;

/** Since 1.66 bisync colours its messages, even in JSON. The flag that turns colours off means something else to 1.60. */
const withoutColours = (text: string): string =>
  text
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is taken out
    .replace(/\x1b\[[0-9;]*m/g, "")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .join("\n");

/** rclone prints its statistics at the requested interval, give or take a moment. */
const SLACK = 0.9;

export class TransferProgress {
  private readonly intervalMs: number;
  private last = performance.now();

  constructor(private readonly run: Run) {
    this.intervalMs = run.settings.seconds("PROGRESS_INTERVAL") * 1000;
  }

  /** `done` rows of `all` are finished; `stats` is about the current one. */
  show(stats: Stats, done: number, all: number): void {
    const { log } = this.run;
    this.run.progress(Math.floor(((done + shareOf(stats)) / all) * 100), undefined);
    log.status(formatStats(stats));
    if (log.onTerminal) return;
    if (this.intervalMs === 0 || performance.now() - this.last < this.intervalMs * SLACK) return;
    this.last = performance.now();
    log.info(formatStats(stats));
  }
}

/** `45% done, 1.234 GiB of 2.742 GiB, 12.300 MiB/s, 3m5s left, 120 of 300 files` */
export function formatStats(stats: Stats): string {
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
