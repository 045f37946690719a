/**
 * Cron expressions as busybox's crond understands them, and when it will run a job. Facts from its crond.c and from
 * running the crond of 1.35 and 1.37:
 *   - It logs a field that it cannot read and keeps the line, with whatever the field held so far, often "always". So
 *     nothing may reach a crontab that crond would read differently from us.
 *   - It wakes every minute of real time and compares the local clock's fields: an hour that the clock skips never
 *     comes, and one that it repeats comes twice. (It does not start a job that still runs; that cannot be known here.)
 */

import { plural } from "../text.ts";
import type { Zone } from "../time/zone.ts";

export type CronField = "minute" | "hour" | "day of month" | "month" | "day of week";

/** Which values of each field match: index 0 is minute 0, hour 0, January, Sunday; days has 32, and 0 never comes. */
export interface Cron {
  /** The expression in five fields with single blanks: the form that every build of crond reads. */
  readonly text: string;
  readonly minutes: readonly boolean[];
  readonly hours: readonly boolean[];
  readonly days: readonly boolean[];
  readonly months: readonly boolean[];
  readonly weekdays: readonly boolean[];
  /** What is valid but probably a mistake, one sentence each. */
  readonly notes: readonly string[];
}

/** The message is a sentence about the value; the caller puts the name of the variable before it. */
export class CronError extends Error {
  override readonly name = "CronError";
  readonly field: CronField | "expression";
  readonly value: string;

  constructor(field: CronField | "expression", value: string, reason: string) {
    super(`${field} ${JSON.stringify(value)}${reason}`);
    this.field = field;
    this.value = value;
  }
}

interface FieldSpec {
  readonly field: CronField;
  readonly min: number;
  readonly max: number;
  /** crond cycles through the values from `first`: 0 to 31 for days of the month, so a step counts day 0 too. */
  readonly first: number;
  readonly names?: readonly string[];
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const SPECS: readonly FieldSpec[] = [
  { field: "minute", min: 0, max: 59, first: 0 },
  { field: "hour", min: 0, max: 23, first: 0 },
  { field: "day of month", min: 1, max: 31, first: 0 },
  { field: "month", min: 1, max: 12, first: 1, names: MONTHS },
  { field: "day of week", min: 0, max: 6, first: 0, names: WEEKDAYS },
];

/** Alpine builds busybox with FEATURE_CROND_SPECIAL_TIMES (aports, main/busybox/busyboxconfig); Debian does not. */
const SHORTCUTS: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/**
 * Reads five fields, or a shortcut such as `@daily`. A field is a list of `*`, numbers, names (jan, mon, any
 * case), ranges and steps; a range may go round the end (`22-2`, `fri-mon`). `*` steps through days of the month
 * from 0: a step of 2 is the even days. When both day fields are restricted, either is enough; `1-31` and steps
 * count as restricted, `0-6` does not. Throws CronError.
 */
export function parseCron(text: string): Cron {
  if (/[\n\r%]/.test(text)) throw new CronError("expression", text, " must not hold a line break or %");
  const given = text.replace(/^[ \t]+|[ \t]+$/g, "");
  const words = expandShortcut(given).split(/[ \t]+/);
  if (words.length !== 5) {
    const count = given === "" ? 0 : words.length;
    throw new CronError(
      "expression",
      given,
      ` has ${plural(count, "field")}, not 5: minute, hour, day of month, month, day of week`,
    );
  }

  const notes: string[] = [];
  const [minutes, hours, days, months, weekdays] = SPECS.map((spec, index) =>
    parseField(spec, words[index] ?? "", notes),
  ) as [boolean[], boolean[], boolean[], boolean[], boolean[]];

  // crond's rule: when only one of the two fields is restricted, the other one is ignored. A field is restricted
  // when it omits any of the values that crond counts, day 0 included.
  const byDay = days.includes(false);
  const byWeekday = weekdays.includes(false);
  if (byDay && !byWeekday) weekdays.fill(false);
  if (byWeekday && !byDay) days.fill(false);
  return { text: words.join(" "), minutes, hours, days, months, weekdays, notes };
}

function expandShortcut(text: string): string {
  if (!text.startsWith("@")) return text;
  const fields = Object.hasOwn(SHORTCUTS, text) ? SHORTCUTS[text] : undefined;
  if (fields !== undefined) return fields;
  const reason = text === "@reboot" ? " names no time" : " is not a shortcut that crond knows";
  throw new CronError("expression", text, `${reason}: write five fields, such as 0 3 * * *, or @daily`);
}

function parseField(spec: FieldSpec, text: string, notes: string[]): boolean[] {
  const size = spec.max - spec.first + 1;
  const matches = new Array<boolean>(size).fill(false);
  for (const item of text.split(",")) {
    const { from, to, step } = parseItem(spec, item, text);
    const length = ((to - from + size) % size) + 1;
    for (let done = 0; done < length; done += step) matches[(from + done) % size] = true;
    if (step > 1 && step >= length) {
      const value = from + spec.first;
      notes.push(
        `${spec.field} "${item}" means ${value} alone to crond: write ${value}, or a range with a step`,
      );
    }
  }
  return matches;
}

/** One item of a list, as indices into the field's values. */
function parseItem(spec: FieldSpec, item: string, text: string): { from: number; to: number; step: number } {
  const found = /^(?:\*|([a-z]+|\d+)(?:-([a-z]+|\d+))?)(?:\/(\d+))?$/i.exec(item);
  if (!found)
    throw new CronError(spec.field, text, `: ${item === "" ? "a value is missing" : expected(spec, item)}`);
  const [, first, last, stepText] = found;
  const step = Number(stepText ?? 1);
  if (step < 1) throw new CronError(spec.field, text, ": a step is 1 or more");

  if (first === undefined) return { from: 0, to: spec.max - spec.first, step };
  const from = parseValue(spec, first);
  return { from, to: last === undefined ? from : parseValue(spec, last), step };
}

function parseValue(spec: FieldSpec, text: string): number {
  if (!/^\d/.test(text)) {
    const index = spec.names?.indexOf(text.toLowerCase()) ?? -1;
    if (index < 0) throw new CronError(spec.field, text, `: ${expected(spec, text)}`);
    return index;
  }
  const value = Number(text);
  if (spec.field === "day of week" && value === 7) {
    // Measured: crond calls it a parse error and runs the job on every day.
    throw new CronError(spec.field, text, ": crond does not know 7 as Sunday, write 0 or sun");
  }
  if (value < spec.min || value > spec.max) {
    throw new CronError(spec.field, text, ` is outside of ${spec.min} to ${spec.max}`);
  }
  return value - spec.first;
}

function expected({ min, max, names }: FieldSpec, item: string): string {
  const named = names ? `, or a name (${names[0]} to ${names.at(-1)})` : "";
  return `cannot read ${JSON.stringify(item)}: write *, ${min} to ${max}${named}, a range a-b or a step */n`;
}

const DAY_MINUTES = 1440;
/** Seconds; 29 February is at most eight years away (1896 to 1904, 2096 to 2104). What takes longer never comes. */
const HORIZON_SECONDS = 9 * 366 * 86_400;

/**
 * The next times after an instant, itself excluded, in epoch seconds and in order: `count` of them, or fewer when
 * nothing matches for nine years (30 February).
 */
export function nextTimes(cron: Cron, afterEpochSeconds: number, zone: Zone, count: number): number[] {
  const times: number[] = [];
  let at = (Math.floor(afterEpochSeconds / 60) + 1) * 60;
  let limit = at + HORIZON_SECONDS;
  while (times.length < count && at < limit) {
    const { offset, until } = zone.periodAt(at);
    const end = Math.min(until, limit);
    const minute = nextLocalMinute(cron, Math.floor((at + offset) / 60), Math.ceil((end + offset) / 60));
    // Rounded up: crond wakes on full minutes of UTC, and an offset may have odd seconds (before 1972).
    at = Math.ceil((minute * 60 - offset) / 60) * 60;
    if (at >= end) {
      at = Math.ceil(end / 60) * 60;
      continue;
    }
    times.push(at);
    at += 60;
    limit = at + HORIZON_SECONDS;
  }
  return times;
}

/**
 * The first time after an instant, in epoch seconds, at which both match; undefined where there is none in nine years.
 * The fields of one that are also in the other are an expression of their own, but for the days: either of its two
 * fields is enough, so the days of one are gone through.
 */
export function firstCoincidence(
  one: Cron,
  other: Cron,
  afterEpochSeconds: number,
  zone: Zone,
): number | undefined {
  const both = (a: readonly boolean[], b: readonly boolean[]) => a.map((each, at) => each && b[at] === true);
  const shared = {
    minutes: both(one.minutes, other.minutes),
    hours: both(one.hours, other.hours),
    months: both(one.months, other.months),
  };
  if (!Object.values(shared).every((field) => field.includes(true))) return undefined;
  const daily = (cron: Cron): Cron => ({ ...cron, ...shared });
  const [a, b] = [daily(one), daily(other)];
  let at = afterEpochSeconds;
  for (let tries = 0; tries < TRIES_MOST; tries++) {
    const [first] = nextTimes(a, at, zone, 1);
    if (first === undefined) return undefined;
    const [second] = nextTimes(b, first - 60, zone, 1);
    if (second === undefined || second === first) return second;
    at = second - 60;
  }
  return undefined;
}

/** Rounds in which the two catch up with each other: a pair of one date and one weekday meets within a few hundred. */
const TRIES_MOST = 1000;

/**
 * The first minute from `minute` on that matches, or one at or after `end`: minutes since 1970 on a local clock
 * without changes.
 */
function nextLocalMinute(cron: Cron, minute: number, end: number): number {
  let at = minute;
  while (at < end) {
    const day = Math.floor(at / DAY_MINUTES);
    const matchingDay = nextDay(cron, day);
    if (matchingDay !== day) {
      at = matchingDay * DAY_MINUTES;
      continue;
    }
    const ofDay = at - day * DAY_MINUTES;
    const hour = cron.hours.indexOf(true, Math.floor(ofDay / 60));
    if (hour < 0) {
      at = (day + 1) * DAY_MINUTES;
      continue;
    }
    const start = Math.max(ofDay, hour * 60);
    const inHour = cron.minutes.indexOf(true, start % 60);
    if (inHour >= 0) return day * DAY_MINUTES + hour * 60 + inHour;
    at = day * DAY_MINUTES + (hour + 1) * 60;
  }
  return at;
}

/** The day itself when it matches; else the next day, or the next month's first, which may match. */
function nextDay(cron: Cron, day: number): number {
  const date = new Date(day * 86_400_000);
  if (!cron.months[date.getUTCMonth()]) {
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1) / 86_400_000;
  }
  return cron.days[date.getUTCDate()] || cron.weekdays[date.getUTCDay()] ? day : day + 1;
}
