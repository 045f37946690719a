import { expect, test } from "bun:test";
import {
  decisionTable,
  filtersBy,
  keepsAnything,
  previewArgs,
  readDecisions,
} from "../../lib/restic/policy.ts";
import { patternText, type RestoreWords, restoreArgs } from "../../lib/restic/restore-tree.ts";
import type { Snapshot } from "../../lib/restic/snapshots.ts";
import { loadZone } from "../../lib/time/zone.ts";

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

test.each<[string, string[]]>([
  ["", []],
  ["--keep-last 5 --prune", ["--keep-last", "5"]],
  ["--keep-last 5 --prune=true --max-unused 0", ["--keep-last", "5", "--max-unused", "0"]],
  ["--dry-run=false --keep-last 5", ["--keep-last", "5"]],
  ["-n=false -cn=false -vn -l 5", ["-l", "5"]],
  ["--keep-tag never --keep-within 1y", ["--keep-tag", "never", "--keep-within", "1y"]],
  ["--no-lock --no-cache", ["--no-lock", "--no-cache"]],
])("the policy %p is tried out as %j", (policy, tried) => {
  const given = policy.split(" ").filter(Boolean);
  expect(previewArgs(given, { host: undefined, tag: undefined })).toEqual([
    ...["forget", "--dry-run", "--json"],
    ...tried,
  ]);
});

test("the filter goes before the policy", () => {
  expect(previewArgs(["-l5"], { host: "h", tag: "a,b" })).toEqual([
    ...["forget", "--dry-run", "--json", "--host=h", "--tag=a,b", "-l5"],
  ]);
});

test.each<[string[], boolean]>([
  [[], false],
  [["--group-by", "host"], false],
  [["--prune"], false],
  [["--keep-daily", "7"], true],
  [["-y1"], true],
  [["--unsafe-allow-remove-all"], true],
])("%j keeps anything: %p", (policy, found) => expect(keepsAnything(policy)).toBe(found));

test("a policy that filters by itself", () => {
  expect(filtersBy(["--host", "a"], "--host")).toBe(true);
  expect(filtersBy(["--tag=a"], "--tag")).toBe(true);
  expect(filtersBy(["--tags"], "--tag")).toBe(false);
});

test("decisions, as restic 0.14 and as restic 0.19 tells them", () => {
  const snapshot = (id: string, time: string): Snapshot => ({
    id,
    time,
    hostname: "h",
    paths: ["/d"],
    tags: null,
  });
  const [one, two, three] = [
    snapshot("11111111", "2026-01-01T00:00:00.5Z"),
    snapshot("22222222", "2026-01-02T00:00:00Z"),
    snapshot("33333333", "2026-01-03T00:00:00Z"),
  ];
  const reason = (of: Snapshot, ...matches: string[]) => ({ snapshot: of, matches });
  const nameless = ({ id: _, ...rest }: Snapshot) => rest as Snapshot;
  const tail = { host: "h", paths: ["/d"], tags: null };
  const groups = [
    { ...tail, host: "z", keep: null, remove: [three], reasons: null },
    {
      ...tail,
      keep: [two, one],
      remove: null,
      reasons: [reason(nameless(two), "last snapshot", "daily snapshot"), reason(one, "weekly snapshot")],
    },
  ];
  expect(decisionTable(readDecisions(groups), loadZone("UTC"))).toEqual([
    "        ID        TIME                 HOST  TAGS  PATHS  KEPT AS",
    "keep    11111111  2026-01-01 00:00:00  h     none  /d     weekly snapshot",
    "keep    22222222  2026-01-02 00:00:00  h     none  /d     last snapshot, daily snapshot",
    "remove  33333333  2026-01-03 00:00:00  h     none  /d",
  ]);
});
