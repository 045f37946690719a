/** Makes text harmless to a terminal and to a reader of logs. */

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

/** Rows of text as a table: columns as wide as their widest cell, two blanks between them, nothing at the end. */
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

/** Everything but tab and newline that a terminal would obey, or that makes text read in another order. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const CONTROLS = new RegExp(CONTROL, "g");
/** CRs at the end of a line. Without the lookbehind a long run of them costs the square of its length. */
const LINE_END = /(?<!\r)\r+(?=\n|$)/g;

const shown: Record<string, string> = { "\r": "\\r" };

/** `\x1b`, `\r`, `\u202e` instead of the characters; a CR before a newline belongs to the line's end. */
export function visible(text: string): string {
  if (!CONTROL.test(text)) return text;
  return text.replace(LINE_END, "").replace(CONTROLS, show);
}

/** Remembered: a hook may print megabytes of them. */
function show(character: string): string {
  shown[character] ??= escaped(character.charCodeAt(0));
  return shown[character];
}

function escaped(code: number): string {
  const digits = code.toString(16);
  return code < 0x100 ? `\\x${digits.padStart(2, "0")}` : `\\u${digits.padStart(4, "0")}`;
}
