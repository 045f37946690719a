/** Text for people: plurals, ordinals, tables, and control characters made visible. Pure. */

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

/** Escapes are cached: a hook may print megabytes of control characters. */
function show(character: string): string {
  shown[character] ??= escaped(character.charCodeAt(0));
  return shown[character];
}

function escaped(code: number): string {
  const digits = code.toString(16);
  return code < 0x100 ? `\\x${digits.padStart(2, "0")}` : `\\u${digits.padStart(4, "0")}`;
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
