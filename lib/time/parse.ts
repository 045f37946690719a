// A date as a person writes it, in a zone's local time.
import type { Zone } from "./zone.ts";

const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d))?)?$/;

/**
 * Epoch milliseconds of `2026-05-11`, `2026-05-11 09:30` or `2026-05-11T09:30:00` on the zone's clock; midnight
 * without a time. A time that the clock shows twice is the earlier one; one that it skips is read as if it had not
 * been set forward yet. undefined for anything else, 30 February included.
 */
export function parseLocal(text: string, zone: Zone): number | undefined {
  const found = DATE.exec(text.trim());
  if (!found) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
    .slice(1)
    .map((part) => Number(part ?? 0));
  const clock = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  // Date.UTC carries 30 February over into March, and takes the years 0 to 99 for 1900 to 1999.
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
