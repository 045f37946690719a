// Dates as text, in a zone's local time, by way of Date#toISOString on a shifted instant: no ICU.
import type { Zone } from "./zone.ts";

export { localZone } from "./zone.ts"; // most who format a date want it in the local zone

/** `2026-05-11 09:30:00`, for logs. epochMs: years 0 to 9999; anything that is no date throws RangeError. */
export function stamp(epochMs: number, zone: Zone): string {
  const text = shifted(epochMs, zone);
  return `${text.slice(0, 10)} ${text.slice(11, 19)}`;
}

/**
 * `2026-05-11T09:30:00+02:00`, for records: ISO 8601 with the offset, `+00:00` in UTC. Range and error as in
 * `stamp`. An offset's odd seconds (no zone has had any since 1972) are left out, as ISO 8601 has no place for them.
 */
export function iso(epochMs: number, zone: Zone): string {
  const offset = zone.offsetAt(Math.floor(epochMs / 1000));
  const minutes = Math.trunc(Math.abs(offset) / 60);
  const clock = `${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
  return `${shifted(epochMs, zone).slice(0, 19)}${offset < 0 ? "-" : "+"}${clock}`;
}

/** `20260511-093000`, for file names: sorts by time within one offset. Range and error as in `stamp`. */
export function compact(epochMs: number, zone: Zone): string {
  const text = shifted(epochMs, zone);
  return `${text.slice(0, 10).replaceAll("-", "")}-${text.slice(11, 19).replaceAll(":", "")}`;
}

/** Is it an epoch second that every zone can show, from 1970 to 9998? What was read from a file may be anything. */
export const isEpoch = (value: unknown): value is number =>
  typeof value === "number" && value >= 0 && value < 253_370_764_800;

function shifted(epochMs: number, zone: Zone): string {
  const offset = zone.offsetAt(Math.floor(epochMs / 1000));
  return new Date(epochMs + offset * 1000).toISOString();
}

function two(number: number): string {
  return String(number).padStart(2, "0");
}
