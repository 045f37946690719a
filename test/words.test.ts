import { describe, expect, test } from "bun:test";
import { quoteWord, splitWords, UnbalancedQuote } from "../lib/words.ts";

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

test("a newline is a blank like any other", () => {
  for (const [text, words] of TABLE) {
    expect(splitWords(`${text}\n${text}`)).toEqual([...words, ...words]);
  }
});
