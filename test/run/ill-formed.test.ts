/** Text that no Unicode encoding can hold: half a surrogate pair, which JSON may spell but no strict reader takes. */

import { expect, test } from "bun:test";
import { createMask, masked } from "../../lib/mask.ts";
import { World } from "../support/world.ts";

test("half a pair becomes the replacement character, however deep it stands; whole pairs stay", () => {
  const value = { a: "x\ud800y", list: ["\udc00", { b: "\ud83d\ude00" }], n: 1, none: null };
  expect(masked(value, createMask({}))).toEqual({
    a: "x\ufffdy",
    list: ["\ufffd", { b: "\ud83d\ude00" }],
    n: 1,
    none: null,
  });
});

test("a path that restic spells so reaches the record, the history and strict readers as text", async () => {
  using world = new World();
  const error = String.raw`{"message_type":"error","error":{"message":"denied"},"during":"archival","item":"/data/\ud800x"}`;
  world.restic(`cat <<'END'\n${error}\nEND\nexit 3`);
  expect(await world.run("backup")).toMatchObject({ code: 3, stderr: "" });
  expect(world.record().unreadable_paths).toEqual(["/data/\ufffdx"]);
  for (const file of ["log/last-backup.json", "log/history.jsonl"]) {
    // JSON.stringify writes half a pair as an escape.
    expect(world.read(file)).not.toMatch(/\\ud[89a-f]/i);
    expect(world.read(file)).toContain("/data/\ufffdx");
  }
});
