// The post-hooks of a run that died are run once: by entry within seconds, else by the next run before its pre-hooks.
import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { processesHolding } from "../../lib/state/holder.ts";
import { Gate } from "../support/gate.ts";
import { World, waitFor } from "../support/world.ts";

/** A world whose hooks say in `order` what they were told. */
function told(): World {
  const world = new World();
  world.restic(`echo "restic $1" >>'${world.dir}/order'`);
  world.hook("pre-backup", `echo pre >>'${world.dir}/order'`);
  world.hook("post-backup", `echo "$1 $RBH_STATUS $RBH_EXIT_CODE $RBH_RUN_ID" >>'${world.dir}/order'`);
  return world;
}

const order = (world: World) => (world.has("order") ? world.read("order").trimEnd().split("\n") : []);

/** Kills the worker while somebody stands at the gate; `orphan` too, unless it is to live on. */
async function killAt(world: World, gate: Gate, spares = false): Promise<string> {
  const run = world.start("backup");
  const orphan = await gate.reached();
  const { run_id } = JSON.parse(world.read("lock/backup.run.json"));
  run.kill("SIGKILL");
  await run.exited;
  if (!spares) {
    process.kill(orphan, "SIGKILL");
    // The sleep(1) that it waited with has the lock, too.
    await waitFor(() => processesHolding(`${world.lock}/backup.lock`).length === 0, "the lock");
  }
  return run_id;
}

/** Dies in the work. */
async function dieInWork(world: World, spares = false): Promise<string> {
  const gate = new Gate(world, "restic");
  world.restic(gate.here);
  const id = await killAt(world, gate, spares);
  world.restic(`echo "restic $1" >>'${world.dir}/order'`);
  rmSync(`${world.dir}/order`);
  return id;
}

describe("by the next run", () => {
  test("before its own pre-hooks, and once", async () => {
    using world = told();
    const record = await world.run("backup").then(() => world.record());
    const died = await dieInWork(world);
    world.hook("post-backup.d/2", `[ $1 = 137 ] && env | grep ^RBH_ >'${world.dir}/env'; true`);
    expect((await world.run("backup")).code).toBe(0);
    const { run_id } = world.record();
    expect(order(world)).toEqual([`137 died 137 ${died}`, "pre", "restic backup", `0 ok 0 ${run_id}`]);
    const env = world.read("env");
    expect(env).toContain("RBH_HOOK=post-backup\n");
    expect(env).toMatch(/^RBH_DURATION_SECONDS=\d+$/m);
    // The record there is tells of the success before.
    expect(record.status).toBe("ok");
    expect(env).not.toContain("RBH_RECORD=");
    expect(world.record().hooks).toHaveLength(3);

    rmSync(`${world.dir}/order`);
    await world.run("backup");
    expect(order(world)[0]).toBe("pre");
  });

  test("of a run that died in its pre-hook", async () => {
    using world = told();
    const gate = new Gate(world);
    world.hook("pre-backup", gate.here);
    const died = await killAt(world, gate);
    world.hook("pre-backup", `echo pre >>'${world.dir}/order'`);
    await world.run("backup");
    expect(order(world).slice(0, 2)).toEqual([`137 died 137 ${died}`, "pre"]);
  });

  test("not those that had begun", async () => {
    using world = told();
    const gate = new Gate(world);
    world.hook("post-backup", gate.here);
    await killAt(world, gate);
    world.hook("post-backup", `echo "post $1" >>'${world.dir}/order'`);
    rmSync(`${world.dir}/order`);
    await world.run("backup");
    expect(order(world)).toEqual(["pre", "restic backup", "post 0"]);
  });

  test("not again when that run is killed in them", async () => {
    using world = told();
    await dieInWork(world);
    const gate = new Gate(world);
    world.hook("post-backup", gate.here);
    await killAt(world, gate);
    world.hook("post-backup", `echo "post $1" >>'${world.dir}/order'`);
    await world.run("backup");
    expect(order(world)).toEqual(["pre", "restic backup", "post 0"]);
  });

  test("still when that run was killed before it came to them", async () => {
    using world = told();
    const died = await dieInWork(world);
    const mark = JSON.parse(world.read("lock/backup.run.json"));
    world.file(
      "lock/backup.run.json",
      JSON.stringify({ ...mark, phase: "starting", run_id: "other", owes: died }),
    );
    await world.run("backup");
    expect(order(world)[0]).toBe(`137 died 137 ${died}`);
  });

  test.each(["starting", "post-hooks", "notifications"])(
    "not of one that died in the phase %s",
    async (phase) => {
      using world = told();
      const mark = { pid: process.pid, ticks: 1, run_id: "backup-x", started_epoch: 1, phase };
      world.file("lock/backup.run.json", JSON.stringify(mark));
      const { stdout } = await world.run("backup");
      expect(stdout).toContain("died without a record: run backup-x");
      expect(order(world)[0]).toBe("pre");
    },
  );

  test("one that fails is an alert of the run, and no hook of its own", async () => {
    using world = told();
    await dieInWork(world);
    world.hook("post-backup", '[ "$1" != 137 ]');
    const { code, stdout } = await world.run("backup");
    expect(code).toBe(0);
    expect(stdout).toMatch(/finished: ok, exit 0, \d+s; 1 of 3 hooks failed: post-backup\n$/);
    expect(world.record()).toMatchObject({
      status: "ok",
      hooks: [{ exit_code: 0 }, { exit_code: 0 }],
      alerts: [{ kind: "hook-failed" }],
    });
  });

  test("not without LOCK_DIR, which knew of them", async () => {
    using world = told();
    await dieInWork(world);
    rmSync(world.lock, { recursive: true });
    world.folder("lock");
    await world.run("backup");
    expect(order(world)[0]).toBe("pre");
  });
});

describe("by entry", () => {
  const start = (world: World) =>
    world.start("entry", [], {
      env: {
        RESTIC_CHECK_REPOSITORY_STATUS: "OFF",
        BACKUP_CRON: "0 0 1 1 *",
        CRONTAB_DIR: world.folder("crontabs"),
        STOP_TIMEOUT: "3",
      },
    });

  test.each([
    ["within seconds", false],
    ["within seconds, although what it had started goes on", true],
  ])("%s, and once", async (_, spares) => {
    using world = told();
    const entry = start(world);
    await waitFor(() => world.has("crontabs/root") || world.processes().length > 1, "entry");
    const died = await dieInWork(world, spares);
    const begun = performance.now();
    await waitFor(() => order(world).length > 0, "the post-hook");
    expect(performance.now() - begun).toBeLessThan(8000);
    expect(order(world)).toEqual([`137 died 137 ${died}`]);
    await waitFor(() => world.read("lock/backup.lock") === "" || spares, "entry to let the lock go");
    if (spares) world.file("restic.open", "");
    const next = await waitFor(async () => {
      const run = await world.run("backup");
      return run.code !== 75 && run;
    }, "the lock");
    // entry has reported it by then.
    expect(next ? next.stdout : "died").not.toContain("died");
    expect(order(world).slice(0, 3)).toEqual([`137 died 137 ${died}`, "pre", "restic backup"]);
    entry.kill("SIGTERM");
    expect(await entry.exited).toBe(0);
    const said = await new Response(entry.stdout).text();
    expect(said).toContain(`died without a record: run ${died}`);
    expect(world.history().map(({ status, run_id }) => status === "died" && run_id)).toContain(died);
    expect(said).toContain(
      `Run ${died} died after its pre-hooks: its post-hooks run now, with the exit code 137.`,
    );
    expect(said.includes("do not wait for what its dead run left running: ")).toBe(spares);
  });

  test("also of one that died before entry started", async () => {
    using world = told();
    const died = await dieInWork(world);
    const entry = start(world);
    await waitFor(() => order(world).length > 0, "the post-hook");
    expect(order(world)).toEqual([`137 died 137 ${died}`]);
    entry.kill("SIGTERM");
    expect(await entry.exited).toBe(0);
    // A second container on the same folders, after a reboot: the marker remembers.
    const again = start(world);
    await Bun.sleep(2500); // it looks every second
    again.kill("SIGTERM");
    await again.exited;
    expect(order(world)).toHaveLength(1);
  });
});
