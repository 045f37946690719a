/**
 * Splits a command line into words as a POSIX shell would, and quotes words for a shell. Nothing is expanded: a
 * variable such as RESTIC_JOB_ARGS is data, and no shell ever sees it. Pure.
 */

/**
 * A quote that is never closed, or a backslash with nothing after it. The message does not repeat the text, which may
 * contain a secret.
 */
export class UnbalancedQuote extends Error {
  override readonly name = "UnbalancedQuote";
  /** The open quote, or the backslash. */
  readonly quote: "'" | '"' | "\\";
  /** Its position; the first character is 1. */
  readonly at: number;

  constructor(quote: "'" | '"' | "\\", at: number) {
    super(
      quote === "\\"
        ? `the backslash at character ${at} has nothing after it: remove it, or write two`
        : `the ${quote} at character ${at} is never closed: close it, or write \\${quote} for a literal one`,
    );
    this.quote = quote;
    this.at = at;
  }
}

/**
 * Splits at spaces, tabs and newlines. `'…'` is literal; in `"…"` a backslash escapes only $ ` " and \; unquoted, it
 * escapes any character; a backslash before a newline removes both, except in single quotes. `$`, `` ` ``, `*`, `~`,
 * `#`, `|`, `;` and the like have no meaning. Throws UnbalancedQuote.
 */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined; // undefined between words: "" is a word too
  let at = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    if (char === " " || char === "\t" || char === "\n") {
      if (word !== undefined) words.push(word);
      word = undefined;
      at += 1;
      continue;
    }
    if (char === "\\" && text[at + 1] === "\n") {
      at += 2; // joins the text on both sides, and begins no word
      continue;
    }
    const piece = readPiece(text, at);
    word = (word ?? "") + piece.value;
    at = piece.end;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** The word as it can be pasted into a shell: unquoted where that is safe, else in single quotes. */
export function quoteWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** One quoted part, one escaped character, or one plain character; `end` is the index after it. */
function readPiece(text: string, at: number): { value: string; end: number } {
  const char = text.charAt(at);
  if (char === "'") {
    const close = text.indexOf("'", at + 1);
    if (close < 0) throw new UnbalancedQuote("'", position(text, at));
    return { value: text.slice(at + 1, close), end: close + 1 };
  }
  if (char === '"') return readDoubleQuoted(text, at);
  if (char !== "\\") return { value: char, end: at + 1 };
  const next = text[at + 1];
  if (next === undefined) throw new UnbalancedQuote("\\", position(text, at));
  return { value: next, end: at + 2 };
}

function readDoubleQuoted(text: string, open: number): { value: string; end: number } {
  let value = "";
  for (let at = open + 1; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === '"') return { value, end: at + 1 };
    const next = text[at + 1];
    if (char !== "\\" || next === undefined || !'$`"\\\n'.includes(next)) {
      value += char;
      continue;
    }
    if (next !== "\n") value += next;
    at += 1;
  }
  throw new UnbalancedQuote('"', position(text, open));
}

/** Counts characters, as people do, not UTF-16 units. */
function position(text: string, index: number): number {
  return [...text.slice(0, index)].length + 1;
}
