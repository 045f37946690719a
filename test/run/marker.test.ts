/** The marker of a run that is alive, and what the next run makes of one that was left behind. */

import { expect, test } from "bun:test";
import { copyFileSync } from "node:fs";
import { Marker, markerPath, readMark } from "../../lib/state/marker.ts";
import { recordAt } from "../../lib/state/record.ts";
import { World } from "../support/world.ts";

test("a shorter mark takes all of the place of a longer one", () => {
  using world = new World();
  const marker = new Marker(world.lock, "backup", "backup-1", 1_778_484_600);
  expect(marker.claim(() => false)).toEqual({});
  const path = markerPath(world.lock, "backup");
  const said = { pid: process.pid, run_id: "backup-1", started_epoch: 1_778_484_600 };
  for (const change of [
    { phase: "post-hooks", percent: 100, eta_seconds: 1_000_000 },
    { phase: "work", percent: 5, eta_seconds: 1 },
  ] as const) {
    marker.update(change);
    expect(readMark(path)).toEqual({ ...said, ...change, ticks: expect.any(Number) });
  }
  marker.release();
  expect(readMark(path)).toBeUndefined();
});

test("a run that was killed after its line in the history has not died without a record", async () => {
  using world = new World();
  world.restic();
  world.hook("post-backup", `cp '${world.lock}/backup.run.json' '${world.dir}/mark'`);
  expect((await world.run("backup")).code).toBe(0);
  // As SIGKILL leaves it, between that line and the removal of the marker.
  copyFileSync(`${world.dir}/mark`, `${world.lock}/backup.run.json`);
  const { code, stdout } = await world.run("backup");
  expect(code).toBe(0);
  expect(stdout).not.toContain("died");
  expect(world.history().map(({ status }) => status)).toEqual(["ok", "ok"]);
  expect(world.has("lock/backup.run.json")).toBe(false);
});

test("what is too large for a record is not read into memory as one", () => {
  using world = new World();
  const record = { started_epoch: 1, finished_epoch: 2, exit_code: 0, status: "ok" };
  const write = (bytes: number) => {
    const text = JSON.stringify({ ...record, pad: "" });
    return world.file("log/last-backup.json", text.replace('""', `"${"x".repeat(bytes - text.length)}"`));
  };
  const most = 4 * 2 ** 20;
  expect(recordAt(write(most))).toMatchObject({ size: most, record });
  const found = recordAt(write(most + 1));
  expect(found?.record).toBeUndefined();
  expect(found?.problem).toBe(`it is larger than ${most} bytes`);
});
