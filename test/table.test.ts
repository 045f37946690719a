import { expect, test } from "bun:test";
import { tableLines } from "../lib/text.ts";

test.each<[string[][], string[]]>([
  [[], []],
  [
    [
      ["A", "LONG", "B"],
      ["aaa", "l", ""],
    ],
    ["A    LONG  B", "aaa  l"],
  ],
  [
    [["a"], ["b", "c"]],
    ["a", "b  c"],
  ],
])("%j", (rows, lines) => expect(tableLines(rows)).toEqual(lines));
