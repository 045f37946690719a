// Ticks that come while a run still goes on: one runs, the others are skipped and counted.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Gate } from "../support/gate.ts";
import { finish, World, waitFor } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

const AT_ONCE = 50;

describe(`${AT_ONCE} ticks at once are one run`, () => {
  const starts: Record<string, { words: string[]; skipped: number }> = {
    "by locked_run": { words: ["locked_run", "backup", "backup"], skipped: 0 },
    directly: { words: ["backup"], skipped: 75 },
    "by locked_run of a shell": {
      words: ["locked_run", "backup", "sh", "-c", "backup; exit $?"],
      skipped: 0,
    },
  };
  test.each(Object.keys(starts))("%s", async (how) => {
    using world = new World();
    const { words, skipped } = starts[how]!;
    const gate = new Gate(world);
    world.restic(`echo once >>'${world.dir}/calls'; ${gate.here}`);
    let ended = 0;
    const ticks = Array.from({ length: AT_ONCE }, () => world.exec(words).finally(() => ended++));
    await gate.reached();
    await waitFor(() => ended === AT_ONCE - 1, "the end of all ticks but one", 50_000);
    expect(world.history()).toHaveLength(AT_ONCE - 1);
    gate.open();
    const results = await Promise.all(ticks);
    const codes = results.map(({ code }) => code).sort((a, b) => a - b);
    expect(codes).toEqual([0, ...Array(AT_ONCE - 1).fill(skipped)]);
    expect(world.read("calls")).toBe("once\n");
    expect(world.history().map(({ status }) => status)).toEqual([
      ...Array(AT_ONCE - 1).fill("skipped"),
      "ok",
    ]);
    expect(world.read("lock/backup.skips").split("\n")).toHaveLength(AT_ONCE);
    expect(results.filter(({ stdout }) => stdout.includes("backup skipped:"))).toHaveLength(AT_ONCE - 1);
    expect(results.map(({ stderr }) => stderr).join("")).toBe("");
  });
});

test("skips in a row are numbered from the second on, and the next run forgets them", async () => {
  using world = new World();
  const gate = new Gate(world);
  world.restic(gate.here);
  for (const round of [1, 2]) {
    const first = world.start("backup");
    await gate.reached();
    const said: string[] = [];
    for (let tick = 0; tick < 3; tick++) {
      said.push((await world.run("locked_run", ["backup", "backup"])).stdout);
    }
    const line = (end: string) =>
      expect.stringMatching(
        new RegExp(
          "^\\d{4}-\\d\\d-\\d\\d [\\d:]{8} WARN  backup  backup skipped: previous run still active " +
            `\\(pid ${first.pid} since [-\\d]{10} [:\\d]{8}, lock ${world.lock}/backup\\.lock\\)${end}\n$`,
        ),
      );
    expect(said).toEqual([line(""), line("; the 2nd time in a row"), line("; the 3rd time in a row")]);
    expect(world.read("lock/backup.skips").split("\n")).toHaveLength(4);
    gate.open();
    expect((await finish(first)).code).toBe(0);
    const skips = world.history().filter(({ status }) => status === "skipped");
    expect(skips.map(({ skips_in_a_row }) => skips_in_a_row)).toEqual(Array(round).fill([1, 2, 3]).flat());
    expect(skips[0]).toMatchObject({ job: "backup", exit_code: 0, hooks: [], duration_seconds: 0 });
    gate.reset();
  }
});

test("a skip leaves the log and the record of the run that goes on alone", async () => {
  using world = new World();
  const gate = new Gate(world);
  world.restic(gate.here);
  const first = world.start("backup");
  await gate.reached();
  const before = world.read("log/backup-last.log");
  await world.run("backup");
  expect(world.read("log/backup-last.log")).toBe(before);
  expect(world.has("log/last-backup.json")).toBe(false);
  gate.open();
  expect(await first.exited).toBe(0);
});

test("skips of another job's lock are counted for that job", async () => {
  using world = new World();
  const gate = new Gate(world);
  const first = world.start("locked_run", ["nightly", "sh", "-c", gate.here]);
  await gate.reached();
  const { code, stdout } = await world.run("locked_run", ["nightly", "backup"]);
  expect(code).toBe(0);
  expect(stdout).toContain(" WARN  nightly  nightly skipped: previous run still active (pid ");
  expect(world.has("lock/nightly.skips")).toBe(true);
  gate.open();
  expect(await first.exited).toBe(0);
});
