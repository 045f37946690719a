/**
 * The word of a run that could not leave its record, since LOG_DIR is full, read-only or gone: the same record, in
 * `LOCK_DIR/<job>.unrecorded.json`, with `unrecorded`, the reason. status, doctor and the next run take it for the last
 * one (see readLastRun); the next run that leaves its record removes it. Loaded only when a record cannot be written, or
 * such a word has been found.
 */

import { replaceFile } from "../files/files.ts";
import { stamp, type Zone } from "../time/zone.ts";
import { alertsOf, type PastRecord, type RunRecord } from "./record.ts";

/** LOCK_DIR is memory mostly. Bytes from which on only the most important of a record is kept. */
const WORD_MOST = 16 * 1024;
/** Characters of each of its texts that are kept then, and the number of its alerts. */
const TEXT_MOST = 500;
const ALERTS_MOST = 5;

/** Replaces the word at `path`, whole. `record` and `reason` are masked. Throws when it cannot be written either. */
export function leaveUnrecorded(path: string, record: RunRecord, reason: string): void {
  const whole = JSON.stringify({ ...record, unrecorded: reason });
  const isShort = Buffer.byteLength(whole) <= WORD_MOST;
  replaceFile(path, `${isShort ? whole : JSON.stringify({ ...shortened(record), unrecorded: reason })}\n`);
}

/** Without lists and objects, which are what grows: what a run came to stands in its numbers and short texts. */
function shortened(record: RunRecord): Record<string, unknown> {
  const kept = Object.entries(record).flatMap(([name, value]): [string, unknown][] => {
    if (typeof value === "string") return [[name, value.slice(0, TEXT_MOST)]];
    return typeof value === "number" || typeof value === "boolean" ? [[name, value]] : [];
  });
  const alerts = alertsOf(record)
    .slice(0, ALERTS_MOST)
    .map(({ kind, message }) => ({ kind, message: message.slice(0, TEXT_MOST) }));
  return { ...Object.fromEntries(kept), ...(alerts.length === 0 ? {} : { alerts }), hooks: [] };
}

/** What the next run says of it, and `status --alive`: complete sentences but for whose run it was. */
export function unrecordedText(record: PastRecord, reason: string, logDir: string, zone: Zone): string {
  const { status, exit_code, finished_epoch, error } = record;
  const why = typeof error === "string" ? ` ${error}` : "";
  return (
    `could not leave its record in ${logDir}: ${reason}. It ended at ${stamp(finished_epoch * 1000, zone)}: ` +
    `${status}, exit ${exit_code}.${why}`
  );
}
