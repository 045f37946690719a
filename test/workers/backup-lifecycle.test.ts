/** The life of a run in its order, told by one file that the hooks and restic append to. */

import { describe, expect, test } from "bun:test";
import { World } from "../support/world.ts";

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
    expect({ ...world.record(), hooks: [] }).toEqual({ ...seen, hooks: [] });
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
  expect(killed.stdout).toContain("restic backup failed (exit 137). It was killed (SIGKILL)");
  // Nothing that restic prints may make us stop reading: it would wait for ever on a full pipe.
  world.restic(`echo '{"message_type":"summary","snapshot_id":5}'\nseq 30000\nexit 0`);
  const odd = await world.run("backup", [], { timeout: 20_000 });
  expect(odd.code).toBe(70);
  expect(odd.stdout).toContain("This is a bug in restic-backup-helper; please report it with these lines: ");
  expect(odd.stdout).toContain("post-backup | post 70");
  expect(world.record()).toMatchObject({ exit_code: 70, status: "failed", error: expect.any(String) });
  expect(odd.stderr).toBe("");
});
