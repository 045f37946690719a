// Two runs of one worker never overlap, however they were started.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, symlinkSync } from "node:fs";
import { guarded } from "../support/guarded.ts";
import { alive, World } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

/** Every way to start a backup that we know of, with the exit code that a skipped one gives. */
function ways(world: World): Record<string, { command: string[]; skipped: number; env?: object }> {
  const link = `${world.dir}/lock-link`;
  symlinkSync(world.lock, link);
  const { bin, lock } = world;
  return {
    "by its link": { command: ["backup"], skipped: 75 },
    "by the link's path": { command: [`${bin}/backup`], skipped: 75 },
    "by the program's name": { command: ["restic-backup-helper", "backup"], skipped: 75 },
    "by exec -a": { command: ["bash", "-c", "exec -a backup.sh restic-backup-helper"], skipped: 75 },
    "by a shell, as crond does": { command: ["sh", "-c", "backup >>cron.log 2>&1"], skipped: 75 },
    "through another path of LOCK_DIR": { command: ["backup"], skipped: 75, env: { LOCK_DIR: link } },
    "by locked_run": { command: ["locked_run", "backup", "backup"], skipped: 0 },
    "by locked_run, with the lock file": {
      command: ["locked_run", "backup", `${lock}/backup.lock`, `${bin}/backup`],
      skipped: 0,
    },
    "by locked_run, with another path of the lock file": {
      command: ["locked_run", "backup", `${link}/../lock-link/./backup.lock`, "backup"],
      skipped: 0,
    },
    "by locked_run, with a lock file of its own": {
      command: ["locked_run", "backup", `${world.dir}/own.lock`, "backup"],
      skipped: 0,
    },
    "by locked_run of a shell": { command: ["locked_run", "backup", "sh", "-c", "exec backup"], skipped: 0 },
    "by locked_run of locked_run": {
      command: ["locked_run", "backup", "sh", "-c", "locked_run backup backup"],
      skipped: 0,
    },
  };
}

const names = (() => {
  using world = new World();
  return Object.keys(ways(world));
})();

describe("while a backup runs that was started", () => {
  test.each(names)("%s, no other begins", async (name) => {
    using world = new World();
    const gate = guarded(world);
    const all = ways(world);
    const start = ({ command, env = {} }: (typeof all)[string]) => world.exec(command, { env: { ...env } });
    const first = start(all[name]!);
    await gate.reached();
    const others = await Promise.all(Object.values(all).map(start));
    expect(others.map(({ code }) => code)).toEqual(Object.values(all).map(({ skipped }) => skipped));
    for (const { stdout } of others.filter(({ stdout }) => stdout !== "")) {
      const [, pid] = /backup skipped: previous run still active \(pid (\d+) since /.exec(stdout) ?? [];
      expect(alive(Number(pid))).toBe(true);
    }
    expect(world.history().filter(({ status }) => status === "skipped")).toHaveLength(names.length);
    gate.open();
    expect(await first).toMatchObject({ code: 0, stderr: "" });
    expect(world.has("overlaps")).toBe(false);
  });
});

describe("a lock file that somebody took away under a run", () => {
  const meddling: Record<string, (world: World) => void> = {
    deleted: (world) => rmSync(`${world.lock}/backup.lock`),
    replaced: (world) => {
      rmSync(`${world.lock}/backup.lock`);
      world.file("lock/backup.lock", "");
    },
  };
  test.each(Object.keys(meddling))("and %s does not let a second one in", async (how) => {
    using world = new World();
    const gate = guarded(world);
    const first = world.start("backup");
    await gate.reached();
    meddling[how]?.(world);
    const second = await world.run("backup");
    expect(second.code).toBe(75);
    expect(second.stdout).toContain(`backup skipped: previous run still active (pid ${first.pid} since `);
    gate.open();
    expect(await first.exited).toBe(0);
    expect(world.has("overlaps")).toBe(false);
    expect(await world.run("backup")).toMatchObject({ code: 0 });
  });
});

test("the lock file stays where it is and says who holds it, while it is held", async () => {
  using world = new World();
  const gate = guarded(world);
  const first = world.start("backup");
  await gate.reached();
  const text = world.read("lock/backup.lock");
  expect(text).toMatch(
    new RegExp(`^pid ${first.pid}\\nsince \\d{4}-\\d\\d-\\d\\d [\\d:]{8}\\nrun backup-.*-${first.pid}\\n$`),
  );
  gate.open();
  expect(await first.exited).toBe(0);
  expect(world.read("lock/backup.lock")).toBe("");
  expect(world.has("lock/backup.run.json")).toBe(false);
});
