// When crond will run a job. It wakes every minute of real time and compares the local clock's fields: an hour
// that the clock skips never comes, and one that it repeats comes twice. (A job that still runs is not started
// again; that cannot be known here.)
import type { Zone } from "../time/zone.ts";
import type { Cron } from "./expression.ts";

const DAY_MINUTES = 1440;
/** 29 February is eight years away at most (1896 to 1904, 2096 to 2104). What takes longer never comes. */
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
    // Rounded up, as crond looks on full minutes of UTC and an offset may have odd seconds (before 1972).
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
