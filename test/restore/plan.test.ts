import { describe, expect, test } from "bun:test";
import type { Snapshot } from "../../lib/restic/snapshots.ts";
import { parseChoice } from "../../lib/restore/prompts.ts";
import { type RestoreFlags, readRestorePlan } from "../../lib/restore/restore-plan.ts";
import { Unusable } from "../../lib/run/prompt.ts";
import { restoreRefusal } from "../../lib/run/target.ts";
import { loadZone } from "../../lib/time/zone.ts";

const none: RestoreFlags = {
  id: undefined,
  tag: undefined,
  host: undefined,
  since: undefined,
  target: undefined,
  "in-place": false,
  include: [],
  exclude: [],
  owner: undefined,
  "dry-run": false,
  verify: false,
  verbose: false,
  force: false,
  yes: false,
  list: false,
  all: false,
};
const plan = (flags: Partial<RestoreFlags>) => readRestorePlan({ ...none, ...flags }, loadZone("CET-1"));

test.each<[Partial<RestoreFlags>, object]>([
  [{}, { id: undefined, since: undefined, target: "/restore", owner: undefined, dryRun: false }],
  [{ id: "latest" }, { id: undefined }],
  [{ id: "5CE8" }, { id: "5ce8" }],
  [{ since: "2026-05-11" }, { since: Date.UTC(2026, 4, 10, 23) }],
  [{ "in-place": true }, { target: "/", inPlace: true }],
  [{ target: "/a/../b//c/" }, { target: "/b/c" }],
  [{ target: "x" }, { target: `${process.cwd()}/x` }],
  [{ owner: "0:4294967294" }, { owner: { uid: 0, gid: 4294967294 } }],
  [
    { include: ["a"], exclude: ["b"], verify: true },
    { include: ["a"], exclude: ["b"], verify: true },
  ],
])("%j", (flags, found) => expect(plan(flags)).toMatchObject(found));

test.each<[Partial<RestoreFlags>, string]>([
  [{ id: "5ce8", since: "2026-05-11" }, "--id 5ce8 names a snapshot and --since 2026-05-11 another"],
  [{ owner: "1:2:3" }, "--owner 1:2:3 is not UID:GID"],
  [{ owner: "-1:2" }, "is not UID:GID"],
  [{ exclude: [" "] }, "need a pattern"],
  [
    { "in-place": true, target: "/a" },
    "--in-place puts the files back where they were, and --target /a elsewhere",
  ],
  [{ "in-place": true, owner: "1:2" }, "leave out --owner"],
  [{ "dry-run": true, verify: true }, "--dry-run writes nothing"],
])("%j is refused", (flags, words) => expect(() => plan(flags)).toThrow(words));

describe("a number or an id of the list", () => {
  const offered = ["aa11", "aa22", "3333", "bb44"].map(
    (id): Snapshot => ({ id: id.padEnd(64, "0"), time: "2026-01-01T00:00:00Z", hostname: "h", paths: [] }),
  );
  test.each([
    ["1", 0],
    ["4", 3],
    ["bb", 3],
    ["BB44", 3],
    ["333", 2],
    ["3", 2],
  ])("%p is number %i", (answer, at) => expect(parseChoice(answer, offered)).toBe(offered[at]!));

  test.each([
    ["0", "0 is neither a number from 1 to 4 nor one of these IDs."],
    ["5", "5 is neither"],
    ["-1", "-1 is neither"],
    ["aa", "aa is the beginning of aa110000 and of aa220000."],
    ["cc", "cc is neither"],
  ])("%p is none", (answer, complaint) => {
    const found = parseChoice(answer, offered);
    expect(found).toBeInstanceOf(Unusable);
    expect((found as Unusable).complaint).toStartWith(complaint);
  });
});

test("all of a system may be a source: then only / itself is refused", () => {
  expect(restoreRefusal("/", ["/"], false)?.why).toBe("it is the root of the file system");
  expect(restoreRefusal("/nonexistent/target", ["/"], false)).toBeUndefined();
});
