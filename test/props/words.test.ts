// Words against real shells.
import { expect } from "bun:test";
import { quoteWord, splitWords, UnbalancedQuote } from "../../lib/words.ts";
import { agrees, differ, property, type Random, SIGNS } from "../support/property.ts";

/** What a shell makes of many command lines at once: for each its words. */
const wordsOf =
  (shell: readonly string[]) =>
  async (lines: readonly string[]): Promise<string[][]> => {
    const script = `set -f\np() { printf '%s\\0' "$#" "$@"; }\n${lines.map((line) => `p ${line}\n`).join("")}`;
    const child = Bun.spawn([...shell], { stdin: new Blob([script]), stderr: "pipe" });
    const [fields, complaint] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect(complaint).toBe("");
    const found = fields.split("\0");
    const words: string[][] = [];
    for (let at = 0; at < found.length - 1; ) {
      const count = Number(found[at]);
      words.push(found.slice(at + 1, at + 1 + count));
      at += 1 + count;
    }
    return words;
  };

// Half of the lines are signs at random: none that a shell would expand, run or end the line at, once a quote
// before it has turned everything inside out. The other half are whole pieces, and those may hold anything.
const PLAIN = [..."abc =-:*?[]!{}^%@,./\té     ", ..."''''\"\"\"\"\\\\\\\\"];
const QUOTED = [
  "'a\nb'",
  '"\n"',
  "'$x `y` #;'",
  '"\\$x \\`y\\` |"',
  "''",
  '""',
  "'\\\n'",
  '"\\\n"',
  '"a\\\n b"',
];
const ESCAPED = [
  "\\\n",
  "\\$",
  "\\`",
  "\\'",
  '\\"',
  "\\\\",
  "\\ ",
  "\\\t",
  "\\;",
  "\\#",
  "\\a",
  '"\\a\\\\\\""',
];
const PIECES = [..."abc =-:*?[]!{}^%@,./\té        ", ...QUOTED, "'\"'", '"\'"', ...ESCAPED];

const line = (random: Random) => completed(random.text(random.chance(0.5) ? PLAIN : PIECES, 14));

/** Closes what is open, so that the shell can read the line too: proof that just that was open. */
function completed(text: string): string {
  try {
    splitWords(text);
    return text;
  } catch (error) {
    if (!(error instanceof UnbalancedQuote)) throw error;
    return completed(text + (error.quote === "\\" ? "z" : error.quote));
  }
}

const SHELLS = [["sh"], ["busybox", "sh"]];
for (const shell of SHELLS) {
  const skip = Bun.which(shell[0] ?? "") === null;
  agrees(`the words of a line are those of ${shell.join(" ")}`, line, splitWords, wordsOf(shell), { skip });
  const word = (random: Random) => random.text([..."ab '\"\\$`*?~#|&;<>(){}!=\n\t%é-"], 12);
  const quoted = async (words: readonly string[]) =>
    (await wordsOf(shell)(words.map(quoteWord))).map((each) => each[0]);
  agrees(`a quoted word is one word to ${shell.join(" ")}`, word, (each) => each, quoted, { skip });
}

property(
  "any text has words or says which quote is open, and its words quoted are the same words",
  (random) => random.text(SIGNS, 30),
  (text) => {
    try {
      const words = splitWords(text);
      return differ(splitWords(words.map(quoteWord).join(" ")), words);
    } catch (error) {
      return error instanceof UnbalancedQuote && error.at >= 1 && error.at <= text.length
        ? undefined
        : `${error}`;
    }
  },
);
