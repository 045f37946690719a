/** The life of a run in its order, told by one file that the hooks and restic append to. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { World } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

const STATUS = [
  [0, "ok"],
  [1, "failed"],
  [3, "warning"],
  [10, "failed"],
  [11, "failed"],
  [12, "failed"],
  [130, "failed"],
] as const;

/** A world whose hooks and restic write `who: …` lines into its file `trace`. */
function traced(resticExit: number): World {
  const world = new World();
  const trace = `${world.dir}/trace`;
  const lock = `flock -n ${world.lock}/backup.lock true && lock=free || lock=held`;
  const record = `[ -e ${world.log}/last-backup.json ] && record=there || record=absent`;
  const log = `[ -s ${world.log}/backup-last.log ] && log=open || log=missing`;
  const tell = (who: string) =>
    `${lock}; ${record}; ${log}; echo "${who}: lock $lock, record $record, log $log" >> ${trace}`;
  world.hook("pre-backup", `${tell("pre-backup with $# arguments")}; exit 9`);
  world.restic(`${tell("restic $1")}; exit ${resticExit}`);
  world.hook(
    "post-backup",
    `${tell("post-backup with $1")}; cp ${world.log}/last-backup.json ${world.dir}/seen.json; exit 8`,
  );
  return world;
}

describe("restic exits with", () => {
  test.each(STATUS)("%d", async (resticExit, status) => {
    using world = traced(resticExit);
    const { code, stdout, stderr } = await world.run("backup");
    expect({ code, stderr }).toEqual({ code: resticExit, stderr: "" });
    expect(world.read("trace").trimEnd().split("\n")).toEqual([
      "pre-backup with 0 arguments: lock held, record absent, log open",
      "restic backup: lock held, record absent, log open",
      `post-backup with ${resticExit}: lock held, record there, log open`,
    ]);
    expect(stdout).toContain(`backup finished: ${status}, exit ${resticExit}, 0s`);
    expect((await world.exec(["flock", "-n", `${world.lock}/backup.lock`, "true"])).code).toBe(0);

    const seen = JSON.parse(world.read("seen.json"));
    const [pre, post] = world.record().hooks;
    expect(seen).toMatchObject({
      schema: "restic-backup-helper.run/1",
      job: "backup",
      exit_code: resticExit,
      status,
    });
    expect(seen.hooks).toEqual([
      expect.objectContaining({ phase: "pre-backup", exit_code: 9, timed_out: false }),
    ]);
    expect(post).toMatchObject({ phase: "post-backup", path: `${world.hooks}/post-backup.sh`, exit_code: 8 });
    // Complete but for the post-hooks, and what their failure adds to the alerts.
    const failing = expect.arrayContaining([expect.objectContaining({ kind: "hook-failed" })]);
    expect(seen.alerts).toEqual(failing);
    expect({ ...world.record(), hooks: [] }).toEqual({ ...seen, hooks: [], alerts: failing });
    expect(pre).toEqual(seen.hooks[0]);
    expect(world.history()).toEqual([world.record()]);
  });
});

test("the log tells it in the same order, and a failure's log is kept", async () => {
  using world = traced(1);
  const { stdout } = await world.run("backup");
  const said = [
    "backup started (run backup-",
    `hook pre-backup started: ${world.hooks}/pre-backup.sh`,
    "hook pre-backup failed in",
    `Backing up to ${world.env.RESTIC_REPOSITORY}.`,
    "restic backup failed (exit 1)",
    `hook post-backup started: ${world.hooks}/post-backup.sh 1`,
    "hook post-backup failed in",
    "backup finished: failed, exit 1",
  ];
  const places = said.map((words) => stdout.indexOf(words));
  expect(places).toEqual([...places].sort((a, b) => a - b));
  expect(places[0]).toBeGreaterThanOrEqual(0);
  for (const line of stdout.trimEnd().split("\n")) {
    expect(line).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (INFO |WARN |ERROR) backup {2}./);
  }
  expect(world.read("log/backup-last.log")).toBe(stdout);
  expect(world.read("log/backup-error-last.log")).toBe(stdout);
});

test("a success leaves no log of a failure, and begins its own log anew", async () => {
  using world = traced(0);
  await world.run("backup");
  const { stdout } = await world.run("backup");
  expect(world.read("log/backup-last.log")).toBe(stdout);
  expect(world.has("log/backup-error-last.log")).toBe(false);
  expect(world.history().length).toBe(2);
});

test("times are those of the work, hooks not counted", async () => {
  using world = new World();
  world.hook("pre-backup", "sleep 1.2");
  world.hook("post-backup", "sleep 1.2");
  world.restic("exit 0");
  await world.run("backup");
  const record = world.record();
  expect(record.duration_seconds).toBe(0);
  expect(record.finished_epoch - record.started_epoch).toBeLessThanOrEqual(1);
  expect(Date.parse(record.started_at) / 1000).toBe(record.started_epoch);
  expect(record.started_at).toEndWith("+00:00");
  for (const hook of record.hooks) expect(hook.duration_ms).toBeGreaterThanOrEqual(1200);
});

test("restic is killed, or prints what we do not understand", async () => {
  using world = new World();
  world.hook("post-backup", `echo "post $1"`);
  world.restic("kill -KILL $$");
  const killed = await world.run("backup");
  expect(killed.code).toBe(137);
  expect(killed.stdout).toContain("restic backup failed (exit 137). restic was killed (SIGKILL)");
  // Nothing that restic prints may make us stop reading: it would wait for ever on a full pipe.
  world.restic(`echo '{"message_type":"summary","snapshot_id":5}'\nseq 30000\nexit 0`);
  const odd = await world.run("backup", [], { timeout: 20_000 });
  expect({ code: odd.code, stderr: odd.stderr }).toEqual({ code: 0, stderr: "" });
  expect(odd.stdout).toContain("post-backup | post 0");
  expect(world.record()).toMatchObject({ exit_code: 0, status: "ok" });
  expect(world.record()).not.toHaveProperty("snapshot_id");
});

test("a bug of our own is recorded, and post-hooks run", async () => {
  using world = new World();
  world.hook("post-backup", `echo "post $1"`);
  const bug = await world.exec([process.execPath, join(import.meta.dir, "../support/buggy-worker.ts")]);
  expect({ code: bug.code, stderr: bug.stderr }).toEqual({ code: 70, stderr: "" });
  expect(bug.stdout).toContain("This is a bug in restic-backup-helper; please report it with these lines: ");
  expect(bug.stdout).toContain("post-backup | post 70");
  const record = { exit_code: 70, status: "failed", error: "undefined is not a snapshot" };
  expect(world.record()).toMatchObject(record);
});

test("a restic that succeeds without a word of a snapshot: a warning, and no retention", async () => {
  using world = new World();
  world.program("restic", `echo "$1" >> ${world.dir}/calls`);
  const { code, stdout } = await world.run("backup", [], { env: { RESTIC_FORGET_ARGS: "--keep-last 1" } });
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /WARN {2}backup {2}restic reported no snapshot; run restic snapshots to see whether/,
  );
  expect(world.read("calls")).toBe("backup\n");
  expect(world.record()).toMatchObject({
    status: "warning",
    retention_withheld: "restic reported no snapshot.",
    alerts: [{ kind: "no-summary" }, { kind: "retention-withheld" }],
  });
});

test("what restic prints fills no disk: the run's own log keeps 64 MiB of it", async () => {
  using world = new World();
  world.restic("yes 'a line that restic may print, of the ordinary length of such lines' | head -n 1000000");
  const { code, stdout } = await world.exec(["sh", "-c", "backup | wc -l"]);
  expect({ code, lines: Number(stdout) > 1_000_000 }).toEqual({ code: 0, lines: true });
  const { size } = statSync(join(world.log, "backup-last.log"));
  expect(size).toBeGreaterThan(60 * 1024 * 1024);
  expect(size).toBeLessThan(66 * 1024 * 1024);
  const log = world.read("log/backup-last.log");
  expect(log).toContain("restic printed more than 64.000 MiB; the rest is on stdout only.");
  expect(log).toContain("backup finished: ok, exit 0");
});
