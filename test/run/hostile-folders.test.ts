// LOG_DIR, LOCK_DIR and METRICS_DIR that others can write: whatever they put at a name of ours, nothing is written or read
// through a link, and nobody waits for a named pipe.
import { describe, expect, test } from "bun:test";
import { linkSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { World } from "../support/world.ts";

const PRECIOUS = "precious\n";

/** What a stranger puts there. */
const things: Record<string, (world: World, path: string) => unknown> = {
  "a link to a file": (world, path) => symlinkSync(world.file("precious", PRECIOUS), path),
  "a link to nothing": (world, path) => symlinkSync(`${world.dir}/made`, path),
  "a link to a named pipe": (world, path) => {
    Bun.spawnSync(["mkfifo", `${world.dir}/pipe`]);
    symlinkSync(`${world.dir}/pipe`, path);
  },
  "a named pipe": (_, path) => Bun.spawnSync(["mkfifo", path]),
  "a folder": (_, path) => mkdirSync(path),
};

const names = [
  "log/backup-last.log",
  "log/backup-error-last.log",
  "log/backup-mail-last.log",
  "log/last-backup.json",
  "log/history.jsonl",
  "log/history.jsonl.tmp",
  "log/history.lock",
  "log/backup.told.json",
  "log/cron.log",
  "lock/backup.run.json",
  "lock/backup.skips",
  "lock/backup.metrics.lock",
  "lock/backup.pipe",
  "lock/entry.json",
  "metrics/restic_backup.testhost.prom",
  "metrics/restic_backup.prom",
];

/** A world that uses every file of ours in one failed run. */
function busy(): World {
  const world = new World();
  world.restic("echo said; exit 1");
  world.hook("pre-backup", "echo before");
  world.hook("post-backup", `echo "$1" >>'${world.dir}/after'`);
  world.program("sendmail", "cat >/dev/null; echo queued");
  const metrics = world.folder("metrics");
  Object.assign(world.env, { METRICS_DIR: metrics, MAILX_RCPT: "a@b.example", HISTORY_MAX_RUNS: "1" });
  world.file("log/history.jsonl", '{"job":"backup"}\n'.repeat(3));
  return world;
}

describe.each(Object.keys(things))("%s", (what) => {
  test.each(names)("at %s hurts nobody", async (name) => {
    using world = busy();
    if (name === "log/history.jsonl") Bun.spawnSync(["rm", `${world.dir}/${name}`]);
    things[what]?.(world, `${world.dir}/${name}`);
    // The second one finds what the first has left.
    for (const start of [["locked_run", "backup", "backup"], ["backup"]]) {
      const { code, stdout, stderr } = await world.exec(start, { timeout: 8000 });
      expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
      expect(stdout).toContain("restic | said\n");
      expect(stdout).not.toContain("bug");
    }
    expect(world.read("after")).toBe("1\n1\n");
    for (const words of [["status"], ["status", "--alive"], ["doctor", "--hooks"], ["cron-list"]]) {
      world.link(words[0] ?? "");
      const { code, stderr } = await world.exec(words, { timeout: 8000 });
      expect({ words, hung: code >= 70, stderr }).toEqual({ words, hung: false, stderr: "" });
    }
    if (world.has("precious")) expect(world.read("precious")).toBe(PRECIOUS);
    expect(world.has("made")).toBe(false);
  });
});

test("what stands in the way of the run's log is named with its remedy", async () => {
  using world = busy();
  symlinkSync(world.file("precious", PRECIOUS), `${world.log}/backup-last.log`);
  const { stdout } = await world.run("backup");
  expect(stdout).toContain(
    `WARN  backup  The run's log ${world.log}/backup-last.log cannot be written: it is a symbolic link, or there is a loop of them. Remove it. `,
  );
});

test("under umask 077 logs, records and metrics can be read by others, and under 000 not be written", async () => {
  for (const umask of ["077", "000"]) {
    using world = busy();
    for (const folder of [world.log, `${world.dir}/metrics`])
      for (const name of readdirSync(folder)) Bun.spawnSync(["rm", `${folder}/${name}`]);
    await world.exec(["sh", "-c", `umask ${umask}; exec backup`]);
    const modes = (folder: string) =>
      Object.fromEntries(
        readdirSync(folder).map((name) => [name, statSync(`${folder}/${name}`).mode & 0o777]),
      );
    expect(modes(world.log)).toEqual({
      "backup-error-last.log": 0o644,
      "backup-last.log": 0o644,
      "backup-mail-last.log": 0o644,
      "backup.told.json": 0o644,
      "history.jsonl": 0o644,
      "last-backup.json": 0o644,
    });
    expect(modes(`${world.dir}/metrics`)).toEqual({ "restic_backup.testhost.prom": 0o644 });
  }
});

describe("a marker that no run has written", () => {
  const mark = { pid: 1, ticks: 1, run_id: "x", started_epoch: 1, phase: "work" };
  const marks: Record<string, string> = {
    "an epoch beyond all time": JSON.stringify({ ...mark, started_epoch: 1e300 }),
    "a start before all time": JSON.stringify({ ...mark, started_epoch: -1 }),
    "no number": JSON.stringify({ ...mark, started_epoch: "1" }),
    "half a pid": JSON.stringify({ ...mark, pid: 1.5 }),
    "the pid of a group": JSON.stringify({ ...mark, pid: -1 }),
    "no pid that Linux gives": JSON.stringify({ ...mark, pid: 1e12 }),
    "a run id of a megabyte": JSON.stringify({ ...mark, run_id: "x".repeat(1e6) }),
    "a long run id": JSON.stringify({ ...mark, run_id: "x".repeat(1000) }),
    "a phase that is none": JSON.stringify({ ...mark, phase: "\u001b[2J" }),
    "a percentage that is a text": JSON.stringify({ ...mark, percent: "50" }),
    "an infinite rest":
      '{"pid":1,"ticks":1,"run_id":"x","started_epoch":1,"phase":"work","eta_seconds":1e999}',
    "a child of nobody": JSON.stringify({ ...mark, child: { pid: 0, ticks: 1, pid_space: "" } }),
    "a child that is null": JSON.stringify({ ...mark, child: null }),
    "debts of a number": JSON.stringify({ ...mark, owes: 7 }),
    "a list": "[]",
    "no JSON": "{",
    nothing: "",
  };
  test.each(Object.keys(marks))("(%s) is named and replaced, and stops nothing", async (what) => {
    using world = new World();
    world.restic();
    world.file("lock/backup.run.json", marks[what] ?? "");
    world.link("status");
    const status = await world.run("status");
    expect(status.code).toBeLessThan(3);
    const { code, stdout } = await world.run("backup");
    expect({ code, died: stdout.includes("died without") }).toEqual({ code: 0, died: false });
    expect(stdout).toContain(`WARN  backup  ${world.lock}/backup.run.json is no marker of a run: `);
    expect(stdout).toContain("It was replaced.");
    expect(world.has("lock/backup.run.json")).toBe(false);
    expect(world.record()).toMatchObject({ status: "ok" });
  });

  test("(six gigabytes) is not read into memory", async () => {
    using world = new World();
    world.restic();
    world.file("lock/backup.run.json", "");
    Bun.spawnSync(["truncate", "-s", "6G", `${world.lock}/backup.run.json`]);
    const { code, stdout } = await world.exec(["sh", "-c", "ulimit -v 100000000; exec backup"]);
    expect(code).toBe(0);
    expect(stdout).toContain("is no marker of a run: it is larger than 65536 bytes. It was replaced.");
  });
});

test("a lock file with a second name is not written into", async () => {
  using world = new World();
  world.restic();
  linkSync(world.file("precious", PRECIOUS), `${world.lock}/backup.lock`);
  expect(await world.run("backup")).toMatchObject({ code: 1 });
  expect(readFileSync(`${world.dir}/precious`, "utf8")).toBe(PRECIOUS);
});
