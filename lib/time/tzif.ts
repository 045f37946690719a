/**
 * What is known of a zone: compiled zone files as zic writes them (RFC 8536), searched in place, so that loading one
 * costs next to nothing; and POSIX TZ rules (`CET-1CEST,M3.5.0,M10.5.0/3`), which TZ may contain instead of a zone's name
 * and every such file ends with. Their grammar: POSIX.1-2017, 8.3, and RFC 8536, 3.3.1, which allows times from -167 to
 * 167 hours. Pure.
 */

/** A stretch of time with one offset: from ≤ t < until, in epoch seconds; offset in seconds east of UTC. */
export interface Period {
  readonly from: number;
  readonly until: number;
  readonly offset: number;
}

/** A day of every year: the week-th weekday of a month (5: the last), or a number as in Jn or n. */
type Day =
  | { readonly form: "M"; readonly month: number; readonly week: number; readonly weekday: number }
  | { readonly form: "J"; readonly number: number }
  | { readonly form: "n"; readonly number: number };

/** A change of the clock: `time` is in seconds after the day's midnight, on the clock in force before the change. */
interface Change {
  readonly day: Day;
  readonly time: number;
}

export interface PosixRule {
  readonly standard: number;
  readonly summer?: { readonly offset: number; readonly start: Change; readonly end: Change };
}

const DAY = 86_400;
const NAME = "(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)";
const TIME = "([+-]?\\d{1,3}(?::\\d{1,2}){0,2})";
const CHANGE = `,(M\\d{1,2}\\.\\d\\.\\d|J?\\d{1,3})(?:/${TIME})?`;

/**
 * Parses a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`, `<+03>-3` or `JST-9`. A summer name without dates gets the
 * dates of the United States, as in glibc (TZDEFRULES); musl 1.2.5 then stays in summer time, measured with EST5EDT.
 * undefined for anything else.
 */
export function parsePosixRule(text: string): PosixRule | undefined {
  const syntax = new RegExp(`^${NAME}${TIME}(?:(${NAME})${TIME}?(?:${CHANGE}${CHANGE})?)?$`);
  const found = syntax.exec(text);
  if (!found) return undefined;
  const [, west, summerName, summerWest, startDay, startTime, endDay, endTime] = found;

  const standard = 0 - seconds(west, 24);
  if (Number.isNaN(standard)) return undefined;
  if (summerName === undefined) return { standard };

  const offset = summerWest === undefined ? standard + 3600 : 0 - seconds(summerWest, 24);
  const start = change(startDay ?? "M3.2.0", startTime);
  const end = change(endDay ?? "M11.1.0", endTime);
  return Number.isNaN(offset) || !start || !end ? undefined : { standard, summer: { offset, start, end } };
}

/** The period that contains an instant (epoch seconds, years 101 to 9999), by the rule alone. */
export function rulePeriod(rule: PosixRule, epochSeconds: number): Period {
  const { standard, summer } = rule;
  let period: Period = { from: -Infinity, until: Infinity, offset: standard };
  if (!summer) return period;

  // The end of a year's summer is listed before its start: where summer lasts all year, the end of one year's and
  // the start of the next are the same instant, and the start must win.
  const year = new Date(epochSeconds * 1000).getUTCFullYear();
  const changes = [year - 1, year, year + 1].flatMap((y) => [
    { at: instant(summer.end, y) - summer.offset, offset: standard },
    { at: instant(summer.start, y) - standard, offset: summer.offset },
  ]);
  for (const { at, offset } of changes.sort((a, b) => a.at - b.at)) {
    if (at > epochSeconds) return { ...period, until: at };
    period = { from: at, until: Infinity, offset };
  }
  return period;
}

/** Seconds of `[+-]h[:mm[:ss]]`; NaN when out of range. */
function seconds(text = "", maxHours: number): number {
  const [hours = 0, minutes = 0, rest = 0] = text.replace(/^[+-]/, "").split(":").map(Number);
  if (hours > maxHours || minutes > 59 || rest > 59) return Number.NaN;
  return (text.startsWith("-") ? -1 : 1) * (hours * 3600 + minutes * 60 + rest);
}

function change(dayText: string, timeText = "2"): Change | undefined {
  const time = seconds(timeText, 167);
  const day = parseDay(dayText);
  return Number.isNaN(time) || !day ? undefined : { day, time };
}

function parseDay(text: string): Day | undefined {
  if (text.startsWith("M")) {
    const [month = 0, week = 0, weekday = 0] = text.slice(1).split(".").map(Number);
    const ok = month >= 1 && month <= 12 && week >= 1 && week <= 5 && weekday <= 6;
    return ok ? { form: "M", month, week, weekday } : undefined;
  }
  const form = text.startsWith("J") ? "J" : "n";
  const number = Number(form === "J" ? text.slice(1) : text);
  return number <= 365 && (form === "n" || number >= 1) ? { form, number } : undefined;
}

/** When the change happens in a year: its local clock time in epoch seconds, as if that clock were UTC. */
function instant({ day, time }: Change, year: number): number {
  return dayOfEpoch(day, year) * DAY + time;
}

function dayOfEpoch(day: Day, year: number): number {
  const january = daysTo(year, 0);
  if (day.form === "n") return january + day.number;
  if (day.form === "J") {
    // Jn never counts 29 February: from 1 March (60) on, leap years are one day ahead.
    const isLeap = daysTo(year, 2) - january === 60;
    return january + day.number - (isLeap && day.number >= 60 ? 0 : 1);
  }
  const first = daysTo(year, day.month - 1);
  const weekdayOfFirst = (((first + 4) % 7) + 7) % 7; // 1970-01-01 was a Thursday
  const found = first + ((day.weekday - weekdayOfFirst + 7) % 7) + (day.week - 1) * 7;
  return found < daysTo(year, day.month) ? found : found - 7;
}

/** Days from 1970-01-01 to the first of a month; January is 0, and 12 is the next January. */
function daysTo(year: number, month: number): number {
  return Date.UTC(year, month, 1) / 1000 / DAY;
}

interface Block {
  readonly version: number;
  readonly timeSize: 4 | 8;
  readonly timeCount: number;
  readonly typeCount: number;
  readonly times: number;
  readonly indices: number;
  readonly types: number;
  readonly end: number;
}

const MAGIC = 0x545a6966; // "TZif"
const HEADER_SIZE = 44;
const TYPE_SIZE = 6;

/**
 * Parses a zone file, versions 1 to 4, to a function from epoch seconds to the period that contains them. Leap
 * seconds (the `right/` zones) are not applied. Before the first change the first type applies, after the last the
 * footer's rule. undefined when the bytes are not a zone file.
 */
export function parseTzif(bytes: Uint8Array): ((epochSeconds: number) => Period) | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let block = readBlock(view, 0, 4);
  const hasFooter = block !== undefined && block.version >= 2;
  if (block && hasFooter) block = readBlock(view, block.end, 8);
  if (!block || block.typeCount === 0 || block.end > bytes.length) return undefined;
  const { indices, types, typeCount } = block;
  if (bytes.subarray(indices, types).some((type) => type >= typeCount)) return undefined;

  const found = block;
  let rule: PosixRule | undefined;
  let isFooterRead = !hasFooter;
  return (epochSeconds) => {
    const period = findPeriod(view, found, epochSeconds);
    if (period.until < Infinity) return period;
    // Parsed on demand: many files list their changes up to 2037, and parsing a rule cold takes 0.2 ms.
    if (!isFooterRead) rule = readFooter(bytes.subarray(found.end));
    isFooterRead = true;
    if (!rule) return period;
    const ruled = rulePeriod(rule, epochSeconds);
    return { ...ruled, from: Math.max(ruled.from, period.from) };
  };
}

function readBlock(view: DataView, at: number, timeSize: 4 | 8): Block | undefined {
  if (view.byteLength < at + HEADER_SIZE || view.getUint32(at) !== MAGIC) return undefined;
  const version = view.getUint8(at + 4);
  const count = (index: number) => view.getUint32(at + 20 + index * 4);
  const [utcFlags, standardFlags, leaps] = [count(0), count(1), count(2)];
  const [timeCount, typeCount, letters] = [count(3), count(4), count(5)];

  const times = at + HEADER_SIZE;
  const indices = times + timeCount * timeSize;
  const types = indices + timeCount;
  const end = types + typeCount * TYPE_SIZE + letters + leaps * (timeSize + 4) + standardFlags + utcFlags;
  return {
    version: version === 0 ? 1 : version - 0x30,
    timeSize,
    timeCount,
    typeCount,
    times,
    indices,
    types,
    end,
  };
}

/** The rule between the two newlines after the second block; undefined when there is none. */
function readFooter(rest: Uint8Array): PosixRule | undefined {
  const text = new TextDecoder().decode(rest);
  return parsePosixRule(text.slice(1, text.indexOf("\n", 1)));
}

function findPeriod(view: DataView, block: Block, epochSeconds: number): Period {
  const passed = countPassed(view, block, epochSeconds);
  const from = passed === 0 ? -Infinity : timeAt(view, block, passed - 1);
  const until = passed === block.timeCount ? Infinity : timeAt(view, block, passed);
  const type = passed === 0 ? 0 : view.getUint8(block.indices + passed - 1);
  return { from, until, offset: view.getInt32(block.types + type * TYPE_SIZE) };
}

/** The number of changes at or before an instant, by binary search. */
function countPassed(view: DataView, block: Block, epochSeconds: number): number {
  let low = 0;
  let high = block.timeCount;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeAt(view, block, middle) <= epochSeconds) low = middle + 1;
    else high = middle;
  }
  return low;
}

function timeAt(view: DataView, { times, timeSize }: Block, index: number): number {
  const at = times + index * timeSize;
  if (timeSize === 4) return view.getInt32(at);
  return view.getInt32(at) * 2 ** 32 + view.getUint32(at + 4); // exact to 2^53, without BigInt
}
