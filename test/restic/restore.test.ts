import { expect, test } from "bun:test";
import { patternText, type RestoreWords, restoreArgs } from "../../lib/restic/restore-tree.ts";

const words = (rest: Partial<RestoreWords>): RestoreWords => ({
  snapshot: "abc",
  target: "/restore",
  include: [],
  exclude: [],
  ...rest,
});

test.each<[Partial<RestoreWords>, string[]]>([
  [{}, ["restore", "--json", "--target=/restore", "abc"]],
  [{ target: "-x" }, ["restore", "--json", "--target=-x", "abc"]],
  [
    { include: ["/a", "-b"] },
    ["restore", "--json", "--include=/a", "--include=-b", "--target=/restore", "abc"],
  ],
  [{ exclude: ["*.tmp"] }, ["restore", "--json", "--exclude=*.tmp", "--target=/restore", "abc"]],
  [
    { include: ["/a"], exclude: ["*.tmp", "!keep.tmp"] },
    [
      "restore",
      "--json",
      "--include=/a",
      "--include=!*.tmp",
      "--include=keep.tmp",
      "--target=/restore",
      "abc",
    ],
  ],
  [
    { dryRun: true, verbose: true },
    ["restore", "--json", "--dry-run", "--verbose=2", "--target=/restore", "abc"],
  ],
  [{ verify: true }, ["restore", "--json", "--verify", "--target=/restore", "abc"]],
])("restore %j", (rest, args) => expect(restoreArgs(words(rest))).toEqual(args));

test.each<[string[], string[], string]>([
  [[], [], "everything"],
  [["/a", "*.b"], [], "only /a, *.b"],
  [[], ["c"], "everything, without c"],
  [["/a"], ["b", "c"], "only /a, without b, c"],
])("%j and %j: %p", (include, exclude, text) => expect(patternText({ include, exclude })).toBe(text));
