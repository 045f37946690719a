/** Skips are forgotten by the next run, but not those that this very run has caused. */

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { countSkip, forgetSkips, skipsInARow } from "../../lib/state/holder.ts";
import { Gate } from "../support/gate.ts";
import { finish, World } from "../support/world.ts";

const STAMP = "2026-05-11 09:00:00";

describe("forgetSkips", () => {
  test.each([
    { before: 0, since: 0 },
    { before: 0, since: 2 },
    { before: 3, since: 0 },
    { before: 3, since: 2 },
  ])("$before before the run and $since since: the latter remain", ({ before, since }) => {
    using world = new World();
    for (let n = 0; n < before; n++) countSkip(world.lock, "backup", STAMP);
    const asked = skipsInARow(world.lock, "backup");
    for (let n = 0; n < since; n++) countSkip(world.lock, "backup", STAMP);
    forgetSkips(world.lock, "backup", asked);
    expect(skipsInARow(world.lock, "backup")).toBe(since);
    expect(countSkip(world.lock, "backup", STAMP)).toBe(since + 1);
  });
});

test("a tick that comes when a run has its lock, but has not begun, counts as the first skip of that run", async () => {
  using world = new World();
  world.restic();
  writeFileSync(`${world.lock}/backup.skips`, `${STAMP}\n${STAMP}\n`);
  const gate = new Gate(world);
  // The run has its lock and waits for flock(1) to exit.
  world.program("slow/flock", `"${Bun.which("flock")}" "$@" || exit; ${gate.here}`);
  const run = world.start("backup", [], { env: { PATH: `${world.bin}/slow:${world.env.PATH}` } });
  await gate.reached();
  const { code, stdout } = await world.run("locked_run", ["backup", "backup"]);
  expect({ code, third: stdout.includes("; the 3rd time in a row") }).toEqual({ code: 0, third: true });
  gate.open();
  expect((await finish(run)).code).toBe(0);
  expect(readFileSync(`${world.lock}/backup.skips`, "utf8").split("\n")).toHaveLength(1 + 1);
});
