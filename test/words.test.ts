import { describe, expect, test } from "bun:test";
import { quoteWord, splitWords, UnbalancedQuote } from "../lib/words.ts";
import { seeded } from "./time/dates.ts";

const TABLE: [string, string[]][] = [
  ["", []],
  ["   \t\n ", []],
  ["a", ["a"]],
  [" a\t b\nc  ", ["a", "b", "c"]],
  ["--tag 'two words' x", ["--tag", "two words", "x"]],
  ['--tag "two words" x', ["--tag", "two words", "x"]],
  ["two\\ words", ["two words"]],
  ["''", [""]],
  ['""', [""]],
  ["a '' b", ["a", "", "b"]],
  [`a''"b"\\c`, ["abc"]],
  [`'it'\\''s'`, ["it's"]],
  [`"it's"`, ["it's"]],
  [`'say "x"'`, ['say "x"']],
  [`'a\\b'`, ["a\\b"]],
  [`"a\\b"`, ["a\\b"]],
  [`"\\$ \\\` \\" \\\\ \\n"`, ['$ ` " \\ \\n']],
  ["a\\bc", ["abc"]],
  ["a\\\\b", ["a\\b"]],
  ["a\\\nb", ["ab"]],
  ["a \\\n b", ["a", "b"]],
  ["\\\n", []],
  ['"a\\\nb"', ["ab"]],
  ['"\\\n"', [""]],
  ["'a\\\nb'", ["a\\\nb"]],
  ["'a\nb'", ["a\nb"]],
  ['"a\nb"', ["a\nb"]],
  ["\\'", ["'"]],
  ['\\"', ['"']],
  ["# a #b c#d", ["#", "a", "#b", "c#d"]],
  ["$HOME `id` $(id) * ? [a] ~ {a,b} !x", ["$HOME", "`id`", "$(id)", "*", "?", "[a]", "~", "{a,b}", "!x"]],
  ["a|b;c&d>e <f (g)", ["a|b;c&d>e", "<f", "(g)"]],
  ['"$HOME" \\$x', ["$HOME", "$x"]],
  ["--exclude='*.tmp' --exclude \"a b\"/*", ["--exclude=*.tmp", "--exclude", "a b/*"]],
  ["a\rb", ["a\rb"]],
  ["é\u00a0ü 😀", ["é\u00a0ü", "😀"]],
];

test.each(TABLE)("%j", (text, words) => expect(splitWords(text)).toEqual(words));

describe("unbalanced", () => {
  test.each<[string, "'" | '"' | "\\", number]>([
    ["'", "'", 1],
    ["a 'b", "'", 3],
    ['a "b', '"', 3],
    ["'a' 'b' 'c", "'", 9],
    ['"a\\"', '"', 1],
    ['"a\\', '"', 1],
    ["a\\", "\\", 2],
    ["'a'\\", "\\", 4],
    ["it's", "'", 3],
    ["😀 'x", "'", 3],
  ])("%j", (text, quote, at) => {
    let error: unknown;
    try {
      splitWords(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(UnbalancedQuote);
    expect(error).toMatchObject({ quote, at });
    expect((error as Error).message).toContain(`${quote === "\\" ? "backslash" : quote} at character ${at}`);
  });
});

test.each<[string, string]>([
  ["--tag=automated", "--tag=automated"],
  ["/mnt/restic", "/mnt/restic"],
  ["", "''"],
  ["two words", "'two words'"],
  ["it's", "'it'\\''s'"],
  ["$HOME", "'$HOME'"],
  ["*.tmp", "'*.tmp'"],
  ["~", "'~'"],
  ["#x", "'#x'"],
  ["a\\b", "'a\\b'"],
  ["a\nb", "'a\nb'"],
  ["é", "'é'"],
])("quoteWord %j", (word, quoted) => expect(quoteWord(word)).toBe(quoted));

/** What `sh` makes of many command lines at once: for each the number of words, then the words. */
async function shellWords(lines: readonly string[]): Promise<string[][]> {
  const script = `set -f\np() { printf '%s\\0' "$#" "$@"; }\n${lines.map((line) => `p ${line}\n`).join("")}`;
  const child = Bun.spawn(["sh"], { stdin: new Blob([script]), stderr: "pipe" });
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
}

describe("as `sh` does", () => {
  // Half of the lines are signs at random: none that a shell would expand, run or end the line at, once a quote
  // before it has turned everything inside out. The other half are whole pieces, and those may hold anything.
  const SIGNS = [..."abc =-:*?[]!{}^%@,./\té     ", ..."''''\"\"\"\"\\\\\\\\"];
  const PIECES = [
    ...[..."abc =-:*?[]!{}^%@,./\té        "],
    ...[
      "'a\nb'",
      '"\n"',
      "'$x `y` #;'",
      '"\\$x \\`y\\` |"',
      "''",
      '""',
      "'\\\n'",
      '"\\\n"',
      '"a\\\n b"',
      "'\"'",
      '"\'"',
    ],
    ...["\\\n", "\\$", "\\`", "\\'", '\\"', "\\\\", "\\ ", "\\\t", "\\;", "\\#", "\\a", '"\\a\\\\\\""'],
  ];

  function randomLine(random: () => number, pool: readonly string[]): string {
    const length = Math.floor(random() * 14);
    return Array.from({ length }, () => pool[Math.floor(random() * pool.length)]).join("");
  }

  /** Closes what is open, so that the shell can read the line too: proof that just that was open. */
  function completed(line: string): string {
    try {
      splitWords(line);
      return line;
    } catch (error) {
      if (!(error instanceof UnbalancedQuote)) throw error;
      return completed(line + (error.quote === "\\" ? "z" : error.quote));
    }
  }

  test("the table", async () => {
    const lines = TABLE.map(([text]) => text).filter((text) => !/\n(?!b)|a\nb\s|[#$|]/.test(text));
    expect(lines.length).toBeGreaterThan(20);
    expect(await shellWords(lines)).toEqual(lines.map(splitWords));
  });

  test("20,000 random lines", async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seeded(seed);
    const lines = Array.from({ length: 20_000 }, (_, index) =>
      completed(randomLine(random, index % 2 === 0 ? SIGNS : PIECES)),
    );
    const wanted = await shellWords(lines);
    const wrong = lines.flatMap((line, index) => {
      const [got, sh] = [JSON.stringify(splitWords(line)), JSON.stringify(wanted[index])];
      return got === sh ? [] : [{ line, got, sh }];
    });
    expect({ seed, wrong: wrong.slice(0, 5) }).toEqual({ seed, wrong: [] });
  });

  test("quoteWord is undone by both", async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const random = seeded(seed);
    const signs = [..."ab '\"\\$`*?~#|&;<>(){}!=\n\t%é-"];
    const words = Array.from({ length: 5000 }, () => randomLine(random, signs));
    const lists = words.map((word) => [word]);
    expect({ seed, words: words.map((word) => splitWords(quoteWord(word))) }).toEqual({ seed, words: lists });
    expect({ seed, words: await shellWords(words.map(quoteWord)) }).toEqual({ seed, words: lists });
  });
});

test("a newline is a blank like any other", () => {
  for (const [text, words] of TABLE) {
    expect(splitWords(`${text}\n${text}`)).toEqual([...words, ...words]);
  }
});
