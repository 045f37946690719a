/**
 * What the channels for trouble receive: how bad a run is, from where on each of them sends, and the note of
 * what was sent, `LOG_DIR/<job>.told.json`, so that its end is announced too, once, to those who heard of it.
 */

import type { Settings } from "../config/settings.ts";
import type { Context } from "../context.ts";
import { EXIT, reasonOf } from "../errors.ts";
import { discard, readIfThere, replaceFile } from "../files/files.ts";
import { isTerminal } from "../log/stdout.ts";
import { type Attention, hasSucceeded, needsAttention, type RunRecord } from "../state/record.ts";
import { plural } from "../text.ts";
import { stamp } from "../time/zone.ts";

export type Channel = "mail" | "webhook";

const SWITCH = { mail: "MAILX_ON_ERROR", webhook: "WEBHOOK_ON_ERROR" } as const;

/** In the order of how much is sent: every run, from a warning on, failures only. */
const LEVELS = ["ALWAYS", "WARNING", "FAILURE"] as const;

/** 0: all is well. 1: a warning, with an exit code of restic's or none. 2: a failure, a death. Pure. */
export function severityOf(record: Attention): 0 | 1 | 2 {
  if (!needsAttention(record)) return 0;
  return record.exit_code === EXIT.ok || record.status === "warning" || record.status === "skipped" ? 1 : 2;
}

/** The least severity that this channel sends. Its own switch wins over ALERT_ON, which an ON leaves to say from where. */
export function thresholdOf(settings: Settings, channel: Channel): number {
  const name = SWITCH[channel];
  const from = LEVELS.indexOf(settings.choice("ALERT_ON"));
  if (settings.flag(name)) return Math.max(from, LEVELS.indexOf("WARNING"));
  return settings.configured(name) ? 0 : from;
}

/** Does a person know of it, who sits at the terminal: what they cancelled there, or mistyped? Pure. */
export function isPersonal({ status, exit_code, signal }: RunRecord, atTerminal = isAtTerminal()): boolean {
  if (status === "cancelled") return true;
  if (!atTerminal) return false;
  return (
    (status === "failed" && exit_code === EXIT.usage) || (status === "interrupted" && signal === "SIGINT")
  );
}

export const isAtTerminal = (): boolean => isTerminal(0) && isTerminal(1);

/** The trouble that was reported last, and to whom. */
export interface ReportedTrouble {
  readonly channels: readonly Channel[];
  readonly since_epoch: number;
  /** What it was, for use inside a sentence: `failed (exit 12)`. */
  readonly what: string;
}

const reportedPath = ({ logDir, job }: Context): string => `${logDir}/${job}.told.json`;

/** undefined when no reported trouble is open. Throws nothing. */
export function readReported(context: Context): ReportedTrouble | undefined {
  try {
    const reported = JSON.parse(readIfThere(reportedPath(context)) ?? "null") as ReportedTrouble | null;
    return Array.isArray(reported?.channels) && typeof reported.what === "string" ? reported : undefined;
  } catch {
    // Unreadable or torn: the end of the trouble is not reported, which does no harm.
    return undefined;
  }
}

/** Notes that `channels` have reported this trouble; its beginning stays the first one's. */
export function noteReported(context: Context, record: RunRecord, channels: readonly Channel[]): void {
  const before = readReported(context);
  const reported: ReportedTrouble = {
    channels: [...new Set([...(before?.channels ?? []), ...channels])],
    since_epoch: before?.since_epoch ?? record.finished_epoch,
    what: describe(record),
  };
  try {
    replaceFile(reportedPath(context), `${JSON.stringify(reported)}\n`, { durable: false });
  } catch (error) {
    context.log.note(
      `${reportedPath(context)} cannot be written: ${reasonOf(error)}. The end of this trouble will not be reported.`,
    );
  }
}

export const forgetReported = (context: Context): void => {
  discard(reportedPath(context));
};

/** Does this run end what was reported? A dry run, a skip and what a person cancelled do not. */
export const endsTrouble = (record: RunRecord): boolean => hasSucceeded(record) && severityOf(record) === 0;

/** `All is well again: backup succeeded. Before, it failed (exit 12); the trouble began at 2026-05-11 09:30:00.` */
export function recoveredText({ job, zone }: Context, { since_epoch, what }: ReportedTrouble): string {
  const since = stamp(since_epoch * 1000, zone);
  return `All is well again: ${job} succeeded. Before, it ${what}; the trouble began at ${since}.`;
}

function describe({ status, exit_code, alerts = [], skips_in_a_row }: RunRecord): string {
  if (status === "skipped") return `was skipped ${plural(Number(skips_in_a_row), "time")} in a row`;
  if (status === "died") return "died";
  if (exit_code !== EXIT.ok && status !== "warning") return `${status.replace("_", " ")} (exit ${exit_code})`;
  const kinds = alerts.map(({ kind }) => kind).join(", ");
  return `had a warning (${kinds === "" ? `exit ${exit_code}` : kinds})`;
}
