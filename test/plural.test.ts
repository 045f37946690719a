import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { plural } from "../lib/text.ts";

test.each([
  [0, "file", undefined, "0 files"],
  [1, "file", undefined, "1 file"],
  [2, "file", undefined, "2 files"],
  [1, "entry", "entries", "1 entry"],
  [3, "entry", "entries", "3 entries"],
  [1, "pack is", "packs are", "1 pack is"],
])("plural(%d, %s, %s)", (number, word, words, expected) => {
  expect(plural(number, word, words)).toBe(expected);
});

/** A number that is computed, before a word that is written in the plural: `1 files` some day. */
const BARE =
  /\$\{(?!plural\()[^{}]*[a-z][^{}]*\} (?:more |new )?(?:bytes|canaries|characters|entries|errors|fields|files|findings|folders|hooks|jobs|lines|locks|packs|rows|runs|snapshots|times|warnings|words)\b/g;
/** Never 1 where they stand, or no number. */
const FINE = ["length} runs", "count} lines", "named} runs"];

test("no message puts a number before a word that is always in the plural", () => {
  const found: string[] = [];
  for (const path of new Bun.Glob("lib/**/*.ts").scanSync(`${import.meta.dir}/..`)) {
    const text = readFileSync(`${import.meta.dir}/../${path}`, "utf8");
    for (const [words] of text.matchAll(BARE))
      if (!FINE.some((each) => words.endsWith(each))) found.push(`${path}: ${words}`);
  }
  expect(found).toEqual([]);
});
