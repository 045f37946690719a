/** Durations as operators write and read them, and sizes as restic prints them. Pure. */

const MAX_SECONDS = 2 ** 31 - 1; // what a signed 32-bit number of seconds holds: 68 years
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * The whole seconds of `90`, `90s`, `15m`, `6h`, `1d`, or of several units in descending order: `1h30m`. undefined for
 * anything else, including blanks and fractions, and for more than 2^31-1 seconds.
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
 * 24 hours. Rounds to whole seconds first; NaN and values below zero (a clock set back) count as 0.
 */
export function formatDuration(seconds: number): string {
  const total = seconds > 0 ? Math.round(seconds) : 0;
  if (total < MINUTE) return `${total}s`;
  if (total < HOUR) return pair(total, MINUTE, "m", 1, "s");
  if (total < DAY) return pair(total, HOUR, "h", MINUTE, "m");
  return pair(total, DAY, "d", HOUR, "h");
}

/** From milliseconds: in tenths below ten seconds (`0.2s`, `3.4s`), then like `formatDuration`. */
export function formatShort(ms: number): string {
  const tenths = ms > 0 ? Math.round(ms / 100) : 0;
  return tenths < 100 ? `${(tenths / 10).toFixed(1)}s` : formatDuration(ms / 1000);
}

function pair(total: number, large: number, largeName: string, small: number, smallName: string): string {
  const rest = Math.floor((total % large) / small);
  return `${Math.floor(total / large)}${largeName}${rest === 0 ? "" : `${rest}${smallName}`}`;
}

const UNITS = [
  [2 ** 40, "TiB"],
  [2 ** 30, "GiB"],
  [2 ** 20, "MiB"],
  [2 ** 10, "KiB"],
] as const;

/**
 * Bytes as restic formats them (its `ui.FormatBytes`): `0 B`, `512 B`, `1.234 MiB`; three decimals, binary units up
 * to TiB. n: a whole number of bytes from 0 to 2^53; NaN and values below 0 give `0 B`.
 */
export function formatBytes(n: number): string {
  for (const [size, unit] of UNITS) {
    if (n >= size) return `${thousandths(n / size)} ${unit}`;
  }
  return `${n > 0 ? Math.trunc(n) : 0} B`;
}

/** `0.625 of 2.750 GiB`: a part in the unit of its whole, padded so that the text keeps its width as the part grows. */
export function formatPart(part: number, whole: number): string {
  const text = formatBytes(whole);
  const size = UNITS.find(([size]) => whole >= size)?.[0];
  const number = size === undefined ? `${part > 0 ? Math.trunc(part) : 0}` : thousandths(part / size);
  return `${number.padStart(text.indexOf(" "))} of ${text}`;
}

/** Rounds as Go does: a tie goes to the even digit, where toFixed rounds up. Only odd multiples of 1/16 are ties. */
function thousandths(value: number): string {
  const isTie = (value * 16) % 2 === 1;
  const floor = Math.floor(value * 1000);
  return isTie ? ((floor + (floor % 2)) / 1000).toFixed(3) : value.toFixed(3);
}
