/**
 * The local time zone, found as libc finds it, dates as text on its clock, and back from text that a person has written.
 * Without Date's local methods and Intl: the first use of either starts ICU (4 ms), and ICU does not know the POSIX rules
 * that libc, and so crond, takes from TZ. Dates are formatted with Date#toISOString on a shifted instant.
 */

import { readFileSync, readlinkSync } from "node:fs";
import { environment } from "../environment.ts";
import { type Period, parsePosixRule, parseTzif, rulePeriod } from "./tzif.ts";

export interface Zone {
  /** For people: `Europe/Amsterdam`, `CET-1CEST,M3.5.0,M10.5.0/3`, `UTC`; `localtime` for a file without a name. */
  readonly name: string;
  /** False when libc would not find what TZ names: the zone is then UTC, which deserves a warning. */
  readonly known: boolean;
  /** Seconds east of UTC at an instant (epoch seconds). */
  offsetAt(epochSeconds: number): number;
  /** The period of one offset around an instant (epoch seconds). */
  periodAt(epochSeconds: number): Period;
}

const LOCALTIME = "/etc/localtime";
/** The first three are musl's own list; the other two contain the zones on some older systems. */
const FOLDERS = [
  "/usr/share/zoneinfo",
  "/share/zoneinfo",
  "/etc/zoneinfo",
  "/usr/lib/zoneinfo",
  "/usr/share/lib/zoneinfo",
];
/** Names for which musl needs no file: an image without tzdata knows them too. */
const UTC_NAMES = /^(Etc\/)?(UTC|GMT|UCT|Zulu|Universal|Greenwich)$/;

let local: Zone | undefined;

/** The zone of this process. TZ is read once, at the first call. */
export function localZone(): Zone {
  local ??= loadZone(environment.TZ);
  return local;
}

/**
 * Finds a zone as libc does. Unset: /etc/localtime, or UTC where that is missing. Empty: UTC. A leading `:` is
 * dropped. An absolute path is read; a name is looked up in the zone folders; else it may be a POSIX rule; else the
 * zone is UTC, with `known` false. Reads at most one file; throws nothing.
 */
export function loadZone(tz: string | undefined): Zone {
  if (tz === undefined) {
    const find = readZone(LOCALTIME);
    return find ? makeZone(linkedName, find) : utc(true);
  }
  const text = tz.startsWith(":") ? tz.slice(1) : tz;
  if (text === "" || UTC_NAMES.test(text)) return utc(true);
  const find = text.startsWith("/") ? readZone(text) : (findNamed(text) ?? findByRule(text));
  if (find) return makeZone(() => withoutFolder(text), find);
  return utc(UTC_NAMES.test(text));
}

function findNamed(name: string): ((epochSeconds: number) => Period) | undefined {
  // With a comma or an angle bracket it is a rule; with `..` it would be read outside of the folders.
  if (/[,<\0]/.test(name) || name.split("/").includes("..")) return undefined;
  for (const folder of FOLDERS) {
    const find = readZone(`${folder}/${name}`);
    if (find) return find;
  }
  return undefined;
}

function findByRule(text: string): ((epochSeconds: number) => Period) | undefined {
  const rule = parsePosixRule(text);
  return rule && ((epochSeconds) => rulePeriod(rule, epochSeconds));
}

function readZone(path: string): ((epochSeconds: number) => Period) | undefined {
  try {
    return parseTzif(readFileSync(path));
  } catch {
    return undefined; // missing, a folder, unreadable: libc too goes on as if it did not exist
  }
}

function utc(known: boolean): Zone {
  return makeZone(
    () => "UTC",
    () => ({ from: -Infinity, until: Infinity, offset: 0 }),
    known,
  );
}

/** Keeps the last period found: it lasts for months, and answers nearly every question about log lines. */
function makeZone(name: () => string, find: (epochSeconds: number) => Period, known = true): Zone {
  let last: Period = { from: 0, until: 0, offset: 0 };
  const periodAt = (epochSeconds: number): Period => {
    if (epochSeconds < last.from || epochSeconds >= last.until) last = find(epochSeconds);
    return last;
  };
  return {
    get name() {
      return name();
    },
    known,
    periodAt,
    offsetAt: (epochSeconds) => periodAt(epochSeconds).offset,
  };
}

function linkedName(): string {
  try {
    const target = readlinkSync(LOCALTIME);
    return target.includes("/zoneinfo/") ? withoutFolder(target) : "localtime";
  } catch {
    return "localtime"; // a copy of the file rather than a link to it
  }
}

function withoutFolder(path: string): string {
  return path.replace(/^.*\/zoneinfo\//, "");
}

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
