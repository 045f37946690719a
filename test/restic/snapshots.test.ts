import { describe, expect, test } from "bun:test";
import { parseNode, permissionsOf } from "../../lib/restic/nodes.ts";
import { isSince } from "../../lib/restic/open.ts";
import {
  chooseSnapshot,
  describeSnapshot,
  type Filter,
  filterText,
  matches,
  readId,
  type Snapshot,
  snapshotTable,
} from "../../lib/restic/snapshots.ts";
import { loadZone } from "../../lib/time/zone.ts";

const utc = loadZone("UTC");
const snapshot = (id: string, time: string, hostname: string, tags: string[] | null): Snapshot => ({
  id: id.padEnd(64, "0"),
  time,
  hostname,
  paths: ["/data"],
  tags,
});
const all = [
  snapshot("aa11", "2026-01-01T10:00:00.123456789Z", "larak", ["automated"]),
  snapshot("aa22", "2026-02-01T10:00:00+01:00", "larak", ["automated", "extra"]),
  snapshot("bb33", "2026-03-01T10:00:00Z", "other", null),
];
const any: Filter = { tag: "", host: "" };
const larak: Filter = { tag: "automated", host: "larak" };

test.each<[number, Filter, boolean]>([
  [0, any, true],
  [0, larak, true],
  [0, { tag: "extra", host: "" }, false],
  [1, { tag: "extra,automated", host: "" }, true],
  [0, { tag: "extra,automated", host: "" }, false],
  [2, { tag: "automated", host: "" }, false],
  [2, { tag: "", host: "other" }, true],
  [2, { tag: "", host: "othe" }, false],
])("snapshot %i and the filter %j: %p", (at, filter, found) => expect(matches(all[at]!, filter)).toBe(found));

describe("chooseSnapshot", () => {
  const since = (text: string) => Date.parse(text);
  test.each<[string, object, number]>([
    ["the latest of all", { filter: any }, 2],
    ["the latest that matches", { filter: larak }, 1],
    ["an id, whatever the filter says", { filter: larak, id: "bb" }, 2],
    ["the first since", { filter: any, since: since("2025-01-01") }, 0],
    ["a moment is not before itself", { filter: any, since: since("2026-02-01T09:00:00Z") }, 1],
    ["but a millisecond later it is", { filter: any, since: since("2026-02-01T09:00:00.001Z") }, 2],
  ])("%s", (_, wish, at) => expect(chooseSnapshot(all, wish as never, utc)).toBe(all[at]!));

  test.each<[object, string]>([
    [
      { filter: any, id: "aa" },
      "aa is the beginning of more than one ID, such as aa1100000000 and aa2200000000.",
    ],
    [{ filter: any, id: "cc" }, "There is no snapshot cc among the 3 in this repository."],
    [
      { filter: { tag: "x", host: "y" } },
      "There is no snapshot with tag x of host y. The repository holds 3 snapshots, of the hosts larak, other and with the tags automated, extra.",
    ],
    [
      { filter: larak, since: since("2026-02-02") },
      "There is no snapshot with tag automated of host larak from 2026-02-02 00:00:00 or later; the newest is aa220000 from 2026-02-01 09:00:00.",
    ],
  ])("%j", (wish, words) => expect(() => chooseSnapshot(all, wish as never, utc)).toThrow(words));

  test("an empty repository", () => {
    expect(() => chooseSnapshot([], { filter: any }, utc)).toThrow(
      "There is no snapshot. The repository is empty: run backup first.",
    );
  });
});

test.each<[string | undefined, string | undefined]>([
  [undefined, undefined],
  ["latest", undefined],
  ["AB12", "ab12"],
])("readId %p is %p", (text, id) => expect(readId(text)).toBe(id));

test.each(["", "xyz", "abc:/path", "g".repeat(64), "a".repeat(65)])("readId %p is refused", (text) =>
  expect(() => readId(text)).toThrow("is not a snapshot's ID"),
);

test("how snapshots are shown", () => {
  expect(filterText(larak)).toBe("with tag automated of host larak");
  expect(filterText(any)).toBe("");
  expect(describeSnapshot(all[1]!, loadZone("CET-1"))).toBe(
    "aa220000 of 2026-02-01 10:00:00 (host larak, tags automated,extra, paths /data)",
  );
  expect(snapshotTable([all[2]!, all[1]!], utc, true)).toEqual([
    "   ID        TIME                 HOST   TAGS             PATHS",
    "1  bb330000  2026-03-01 10:00:00  other  none             /data",
    "2  aa220000  2026-02-01 09:00:00  larak  automated,extra  /data",
  ]);
});

test.each([
  ["0.17.0", "0.17.0", true],
  ["0.16.5", "0.17.0", false],
  ["0.18", "0.17.0", true],
  ["1.0.0", "0.17.0", true],
  ["0.17", "0.17.1", false],
])("version %s is since %s: %p", (version, wanted, found) => expect(isSince(version, wanted)).toBe(found));

test("a node of ls, of every version", () => {
  const line =
    '{"name":"rx","type":"dir","path":"/tmp/rx","uid":0,"gid":0,"mode":2147484141,"struct_type":"node"}';
  expect(parseNode(line)).toMatchObject({ path: "/tmp/rx", type: "dir" });
  expect(parseNode('{"time":"…","struct_type":"snapshot"}')).toBeUndefined();
  expect(parseNode('{"path":7,"struct_type":"node"}')).toBeUndefined();
  expect(parseNode("repository 1234 opened")).toBeUndefined();
});

test.each([
  [2147484141, 0o755],
  [420, 0o644],
  [2155872744, 0o4750],
  [2148532735, 0o1777],
  [2151678440, 0o2750],
])("Go's mode %i is chmod's %i", (mode, bits) => expect(permissionsOf({ mode } as never)).toBe(bits));
