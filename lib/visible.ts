/** Makes text harmless to a terminal and to a reader of logs. */

/** Everything but tab and newline that a terminal would obey, or that makes text read in another order. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
const CONTROLS = new RegExp(CONTROL, "g");

/** `\x1b`, `\r`, `\u202e` instead of the characters; a CR before a newline belongs to the line's end. */
export function visible(text: string): string {
  if (!CONTROL.test(text)) return text;
  return text.replace(/\r+(?=\n|$)/g, "").replace(CONTROLS, (character) => {
    if (character === "\r") return "\\r";
    const code = character.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}
