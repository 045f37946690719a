// Durations as operators write and read them.

const MAX_SECONDS = 2 ** 31 - 1; // what a signed 32-bit number of seconds holds: 68 years
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Whole seconds of `90`, `90s`, `15m`, `6h`, `1d`, or of several units from the largest down: `1h30m`. Anything
 * else, blanks and fractions included, and more than 2^31-1 seconds: undefined.
 */
export function parseDuration(text: string): number | undefined {
  const found = /^(?:(\d+)|(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?)$/.exec(text);
  if (!found) return undefined;
  const [plain = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = found
    .slice(1)
    .map((text) => Number(text ?? 0));
  const total = plain + days * DAY + hours * HOUR + minutes * MINUTE + seconds;
  return total <= MAX_SECONDS ? total : undefined;
}

/**
 * The two largest units, rounded down to the smaller: `0s`, `59s`, `1m5s`, `2m`, `1h2m`, `6h`, `2d3h`. A day is
 * 24 hours. Rounds to whole seconds first; what is below zero (a clock set back) or no number counts as 0.
 */
export function formatDuration(seconds: number): string {
  const total = seconds > 0 ? Math.round(seconds) : 0;
  if (total < MINUTE) return `${total}s`;
  if (total < HOUR) return pair(total, MINUTE, "m", 1, "s");
  if (total < DAY) return pair(total, HOUR, "h", MINUTE, "m");
  return pair(total, DAY, "d", HOUR, "h");
}

/** From milliseconds: tenths below ten seconds (`0.2s`, `3.4s`), from there on as `formatDuration`. */
export function formatShort(ms: number): string {
  const tenths = ms > 0 ? Math.round(ms / 100) : 0;
  return tenths < 100 ? `${(tenths / 10).toFixed(1)}s` : formatDuration(ms / 1000);
}

function pair(total: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((total % large) / small);
  return `${Math.floor(total / large)}${largeName}${rest === 0 ? "" : `${rest}${smallName}`}`;
}
