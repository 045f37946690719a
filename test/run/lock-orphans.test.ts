// What outlives a worker: restic keeps the lock of a worker that was killed, a daemon of restic's does not.
import { describe, expect, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { Gate } from "../support/gate.ts";
import { alive, World, waitFor } from "../support/world.ts";

describe("a worker that is killed while restic goes on", () => {
  test("cannot be overtaken, and the skip says who still runs", async () => {
    using world = new World();
    const gate = new Gate(world);
    world.restic(gate.here);
    const first = world.start("backup");
    const restic = await gate.reached();
    first.kill("SIGKILL");
    await first.exited;
    const skipped = await world.run("backup");
    expect(skipped.code).toBe(75);
    const who = new RegExp(
      `backup skipped: previous run still active \\(pid ${first.pid} since [-\\d: ]{19}, which has died; ` +
        `what it started still runs: restic with pid ${restic}(, sleep with pid \\d+)?; lock ${world.lock}/backup.lock\\)\n`,
    );
    expect(skipped.stdout).toMatch(who);
    // Another spelling of the lock's path finds the same processes.
    symlinkSync(world.lock, `${world.dir}/other`);
    const { stdout } = await world.run("backup", [], { env: { LOCK_DIR: `${world.dir}/other` } });
    expect(stdout).toContain(`what it started still runs: restic with pid ${restic}`);
    gate.open();
    await waitFor(() => !alive(restic), "the end of restic");
    const next = await world.run("backup");
    expect(next.code).toBe(0);
    expect(next.stdout).toContain(`died without a record: run backup-`);
  });

  test("is treated the same under locked_run", async () => {
    using world = new World();
    const gate = new Gate(world);
    world.restic(gate.here);
    const first = world.start("locked_run", ["backup", `${world.dir}/own.lock`, "backup"]);
    const restic = await gate.reached();
    first.kill("SIGKILL");
    await first.exited;
    const second = await world.run("locked_run", ["backup", `${world.dir}/own.lock`, "backup"]);
    expect(second.code).toBe(0);
    expect(second.stdout).toContain(`which has died; what it started still runs: restic with pid ${restic}`);
    gate.open();
    await waitFor(() => !alive(restic), "the end of restic");
  });

  test("frees a foreign command's lock with the command", async () => {
    using world = new World();
    const gate = new Gate(world);
    const first = world.start("locked_run", ["job", "sh", "-c", gate.here]);
    const command = await gate.reached();
    first.kill("SIGKILL");
    await first.exited;
    const { stdout } = await world.run("locked_run", ["job", "true"]);
    expect(stdout).toContain(`which has died; what it started still runs: sh with pid ${command}`);
    gate.open();
    await waitFor(() => !alive(command), "the end of the command");
    expect(await world.run("locked_run", ["job", "echo", "next"])).toMatchObject({
      code: 0,
      stdout: "next\n",
    });
  });
});

describe("a daemon that restic leaves behind", () => {
  const daemons = {
    "in its group": "sleep 60 &",
    "in its group, with its output closed": "sleep 60 >/dev/null 2>&1 &",
    "in a group of its own": "setsid sleep 60 &",
    "in a session of its own, with its output closed": "setsid sleep 60 >/dev/null 2>&1 &",
  };
  const starts: Record<string, string[]> = {
    directly: ["backup"],
    "by locked_run": ["locked_run", "backup", "backup"],
    "by locked_run with a lock of its own": ["locked_run", "backup", "own.lock", "backup"],
  };
  // What holds restic's output is waited for, a second each time: one way to start will do for those.
  const cases = Object.entries(daemons).flatMap(([where, daemon]) =>
    (daemon.includes("2>&1") ? Object.keys(starts) : ["directly"]).map((start) => [where, start, daemon]),
  );

  test.each(cases)("%s lives on without the lock (started %s)", async (_, start = "", daemon = "") => {
    using world = new World();
    world.restic(`${daemon} echo $! >'${world.dir}/daemon'`);
    // restic is known to start programs when a command gives the password.
    const env = { RESTIC_PASSWORD_COMMAND: "echo password" };
    for (let round = 0; round < 2; round++) {
      expect(await world.exec(starts[start] ?? [], { env })).toMatchObject({ code: 0, stderr: "" });
      expect(alive(Number(world.read("daemon")))).toBe(true);
    }
    expect(world.history().map(({ status }) => status)).toEqual(["ok", "ok"]);
  });

  test("is named in the log when it stays in restic's session", async () => {
    using world = new World();
    world.restic(`sleep 60 >/dev/null 2>&1 & echo $! >'${world.dir}/daemon'`);
    const { code, stdout } = await world.run("backup");
    expect(code).toBe(0);
    const pid = world.read("daemon").trim();
    expect(stdout).toContain(
      `The work left running: sleep with pid ${pid}. It is left alive and holds no lock.`,
    );
  });

  test("leaves the lock with locked_run when that still has something to do", async () => {
    using world = new World();
    const gate = new Gate(world);
    world.restic("sleep 60 >/dev/null 2>&1 &");
    const outer = world.start("locked_run", ["backup", "sh", "-c", `backup; ${gate.here}`]);
    await gate.reached();
    expect(await world.run("backup")).toMatchObject({ code: 75 });
    gate.open();
    expect(await outer.exited).toBe(0);
  });
});
