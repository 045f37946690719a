import { expect, test } from "bun:test";
import { decisionTable, emptied, GroupsOutput, removedText } from "../../lib/restic/forget-groups.ts";
import type { Snapshot } from "../../lib/restic/snapshots.ts";
import { loadZone } from "../../lib/time/zone.ts";

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
  expect(decisionTable(groups, loadZone("UTC"))).toEqual([
    "        ID        TIME                 HOST  TAGS  PATHS  KEPT AS",
    "keep    11111111  2026-01-01 00:00:00  h     none  /d     weekly snapshot",
    "keep    22222222  2026-01-02 00:00:00  h     none  /d     last snapshot, daily snapshot",
    "remove  33333333  2026-01-03 00:00:00  h     none  /d",
  ]);
});

const snapshot = (id: string) => ({ id, time: "2026-01-01T00:00:00Z", hostname: "h" });
const group = { host: "h", paths: ["/d"], tags: null, reasons: null };

test("the list is found between the lines of --prune, wherever the bytes are cut", () => {
  const list = [{ ...group, keep: null, remove: [snapshot("ab")] }];
  const text = `repository opened\n${JSON.stringify(list)}\n[0:00] 100.00%  4 / 4 packs\ndoné`;
  const bytes = new TextEncoder().encode(text);
  for (const step of [1, 7, bytes.length]) {
    const lines: string[] = [];
    const output = new GroupsOutput((line) => lines.push(line));
    for (let at = 0; at < bytes.length; at += step) output.take(bytes.subarray(at, at + step));
    output.end();
    expect(output.groups).toEqual(list);
    expect(lines).toEqual(["repository opened", "[0:00] 100.00%  4 / 4 packs", "doné"]);
  }
});

test("what is no list of groups is a line, and then nothing is known", () => {
  const lines: string[] = [];
  const output = new GroupsOutput((line) => lines.push(line));
  output.take(new TextEncoder().encode('[{"keep": 7}]\n[{\n'));
  expect([output.groups, output.hasMore, lines]).toEqual([undefined, true, ['[{"keep": 7}]', "[{"]]);
});

test("a group of which nothing is left", () => {
  const gone = { ...group, keep: null, remove: [snapshot("ab")] };
  expect(
    emptied([{ ...gone, keep: [snapshot("cd")] }, gone, { ...group, keep: null, remove: null }]),
  ).toEqual([gone]);
});

test("the ids of many snapshots are cut short", () => {
  const remove = Array.from({ length: 22 }, (_, at) => snapshot(`${at + 10}abcdef00`));
  expect(removedText({ ...group, keep: null, remove })).toMatch(
    /^host h, \/d: 0 kept, 22 removed \(10abcdef, .*, 29abcdef and 2 more\)\.$/,
  );
});
