/**
 * Text for people: plurals, ordinals and tables, durations as operators write and read them, sizes as restic prints
 * them, control characters made visible, long lines broken. Pure.
 */

/**
 * `1 file`, `7 files`. `words`: the plural where it is more than an added s (`3 entries`), or where a verb follows
 * (`2 files are`).
 */
export const plural = (number: number, word: string, words = `${word}s`): string =>
  `${number} ${number === 1 ? word : words}`;

/** 1 → `1st`, 2 → `2nd`, 11 → `11th`. */
export function formatOrdinal(n: number): string {
  const tens = n % 100;
  const suffix = tens >= 11 && tens <= 13 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th");
  return `${n}${suffix}`;
}

/** Rows of text as a table: columns as wide as their widest cell, two blanks between them, no trailing blanks. */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** Control characters but tab and newline, and those that change the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it finds control characters
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const CONTROLS = new RegExp(CONTROL, "g");
/** CRs at the end of a line. Without the lookbehind a long run of CRs takes time by the square of its length. */
const LINE_END = /(?<!\r)\r+(?=\n|$)/g;

const shown: Record<string, string> = { "\r": "\\r" };

/** Replaces control characters by `\x1b`, `\r`, `\u202e`; a CR before a newline is part of the line's end and removed. */
export function visible(text: string): string {
  if (!CONTROL.test(text)) return text;
  return text.replace(LINE_END, "").replace(CONTROLS, show);
}

/**
 * The same for what must stay within its line (a name, an argument, a message with a name in it): a newline is shown as
 * `\n`, and a CR at the end as `\r`. A text that went through it is not changed by it again.
 */
export const singleLine = (text: string): string =>
  text.includes("\n") || CONTROL.test(text) ? text.replace(CONTROLS, show).replaceAll("\n", "\\n") : text;

/** `value` as JSON for a terminal or a program: JSON itself leaves DEL, C1 and the marks of direction as they are. */
export const visibleJson = (value: unknown): string =>
  JSON.stringify(value, null, 2).replace(
    CONTROLS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

/** Escapes are cached: a hook may print megabytes of control characters. */
function show(character: string): string {
  shown[character] ??= escaped(character.charCodeAt(0));
  return shown[character];
}

function escaped(code: number): string {
  const digits = code.toString(16);
  return code < 0x100 ? `\\x${digits.padStart(2, "0")}` : `\\u${digits.padStart(4, "0")}`;
}

/** Characters after which a line of a child's output is broken (hooks.md). */
export const LINE_MOST = 16 * 1024;

/** Whole lines, masked already, fit to be shown: no control character, none too long. */
export const visibleLines = (lines: string): string => broken(visible(lines));

/** Breaks what is longer than LINE_MOST. Looks at a few characters of every 16 KiB only: most text has no such line. */
function broken(lines: string): string {
  let pieces = "";
  let from = 0;
  while (lines.length - from > LINE_MOST) {
    const end = lines.lastIndexOf("\n", from + LINE_MOST) + 1;
    const at = end > from ? end : between(lines, from + LINE_MOST);
    pieces += end > from ? lines.slice(from, at) : `${lines.slice(from, at)}\n`;
    from = at;
  }
  return pieces + lines.slice(from);
}

/** `at`, or the place before it where that would cut a character of two UTF-16 units in half. */
export function between(text: string, at: number): number {
  const unit = text.charCodeAt(at - 1);
  return unit >= 0xd800 && unit < 0xdc00 ? at - 1 : at;
}

/** `p%40ss` → `p@ss`. A text that is not percent-encoded throughout (a lone %) is returned unchanged. */
export function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // URIError: a lone percent sign means that the text is meant literally.
    return text;
  }
}

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

/** `DRY-RUN · 12 files (3.000 MiB) → /restore`: what a run moved and where to, for the subject of its mail. */
export function amountText(moved: {
  readonly files: number | undefined;
  readonly bytes: number | undefined;
  readonly dry_run: string | undefined;
  readonly target: string | undefined;
}): string | undefined {
  const { files, bytes = 0, dry_run, target } = moved;
  const parts = [
    files === undefined ? undefined : `${plural(files, "file")} (${formatBytes(bytes)})`,
    target === undefined ? undefined : `→ ${target}`,
  ];
  const amount = parts.filter(Boolean).join(" ");
  return [dry_run === "ON" ? "DRY-RUN" : "", amount].filter(Boolean).join(" · ") || undefined;
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
