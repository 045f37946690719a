/**
 * Dates as text in a zone's local time, and back from text that a person has written. Formats with Date#toISOString
 * on a shifted instant, which does not start ICU. Pure.
 */

import type { Zone } from "./zone.ts";

/** `2026-05-11 09:30:00`, for logs. epochMs: years 0 to 9999; throws a RangeError for what is not a date. */
export function stamp(epochMs: number, zone: Zone): string {
  const text = shifted(epochMs, zone);
  return `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}

/**
 * `2026-05-11T09:30:00+02:00`, for records: ISO 8601 with the offset, `+00:00` in UTC. Range and error as for
 * `stamp`. The seconds of an offset (no zone has had any since 1972) are left out: ISO 8601 has no place for them.
 */
export function iso(epochMs: number, zone: Zone): string {
  const offset = zone.offsetAt(Math.floor(epochMs / 1000));
  const minutes = Math.trunc(Math.abs(offset) / 60);
  const clock = `${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
  return `${shiftedBy(epochMs, offset).slice(0, 19)}${offset < 0 ? "-" : "+"}${clock}`;
}

/** `20260511-093000`, for file names: sorts by time within one offset. Range and error as for `stamp`. */
export function compact(epochMs: number, zone: Zone): string {
  const text = shifted(epochMs, zone);
  return `${text.slice(0, 10).replaceAll("-", "")}-${text.slice(11, 19).replaceAll(":", "")}`;
}

/** Is the value an epoch second that every zone can show, from 1970 to 9998? For values from files. */
export const isEpoch = (value: unknown): value is number =>
  typeof value === "number" && value >= 0 && value < 253_370_764_800;

const shifted = (epochMs: number, zone: Zone): string =>
  shiftedBy(epochMs, zone.offsetAt(Math.floor(epochMs / 1000)));

const shiftedBy = (epochMs: number, offsetSeconds: number): string =>
  new Date(epochMs + offsetSeconds * 1000).toISOString();

function two(number: number): string {
  return String(number).padStart(2, "0");
}

const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d))?)?$/;

/**
 * Epoch milliseconds of `2026-05-11`, `2026-05-11 09:30` or `2026-05-11T09:30:00` on the zone's clock; midnight
 * without a time. Of a time that the clock shows twice, the first; a time that it skips is read as if the clock had
 * not been set forward yet. undefined for anything else, 30 February included.
 */
export function parseLocal(text: string, zone: Zone): number | undefined {
  const found = DATE.exec(text.trim());
  if (!found) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
    .slice(1)
    .map((part) => Number(part ?? 0));
  const clock = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  // Date.UTC turns 30 February into a day of March, and the years 0 to 99 into 1900 to 1999.
  const isReal =
    clock.getUTCFullYear() === year &&
    clock.getUTCMonth() === month - 1 &&
    clock.getUTCDate() === day &&
    hour < 24 &&
    minute < 60 &&
    second < 60;
  return isReal ? instant(clock.getTime() / 1000, zone) * 1000 : undefined;
}

const DAY = 86_400;

/** The first instant at which the zone's clock shows `clock` (epoch seconds, as if it were UTC). */
function instant(clock: number, zone: Zone): number {
  const [before, after] = [zone.offsetAt(clock - DAY), zone.offsetAt(clock + DAY)];
  const candidates = [clock - before, clock - after].filter((at) => at + zone.offsetAt(at) === clock);
  return candidates.length > 0 ? Math.min(...candidates) : clock - before;
}
