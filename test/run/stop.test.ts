// SIGTERM, SIGINT and SIGHUP in each phase of a run: what ran, what is told to whom, and how it ends.
import { describe, expect, test } from "bun:test";
import { Gate } from "../support/gate.ts";
import { finish, World, waitFor } from "../support/world.ts";

const SIGNALS = [
  ["SIGTERM", 143],
  ["SIGINT", 130],
  ["SIGHUP", 129],
] as const;

/** A world whose restic and post-hook say that they ran, and with which words. */
function told(): World {
  const world = new World();
  world.restic(`echo "restic $1" >>'${world.dir}/order'`);
  world.hook("post-backup", `echo "post $1 $RBH_STATUS $RBH_EXIT_CODE" >>'${world.dir}/order'`);
  return world;
}

describe.each(SIGNALS)("%s", (signal, code) => {
  test("in a pre-hook ends the hook, leaves the work undone, and the post-hook runs", async () => {
    using world = told();
    const gate = new Gate(world);
    world.hook("pre-backup", gate.here);
    world.hook("pre-backup.d/second", `echo second >>'${world.dir}/order'`);
    const run = world.start("backup");
    await gate.reached();
    run.kill(signal);
    const { code: exit, stdout, stderr } = await finish(run);
    expect({ exit, stderr }).toEqual({ exit: code, stderr: "" });
    expect(world.read("order")).toBe(`post ${code} interrupted ${code}\n`);
    expect(world.record()).toMatchObject({
      status: "interrupted",
      signal,
      exit_code: code,
      hooks: [
        { phase: "pre-backup", exit_code: 143, signal: "SIGTERM", timed_out: false },
        { phase: "post-backup", exit_code: 0 },
      ],
    });
    expect(world.record()).not.toHaveProperty("work_exit_code");
    expect(stdout).toContain("hook pre-backup was stopped after");
    expect(stdout).toContain(`hooks/pre-backup.d/second.sh does not run: the run was stopped by ${signal}.`);
    expect(stdout).toContain(`ERROR backup  backup finished: interrupted, exit ${code}, 0s\n`);
    expect(world.processes()).toEqual([]);
  });

  test("in the work asks restic by SIGINT, and the post-hook runs", async () => {
    using world = told();
    const gate = new Gate(world);
    world.restic(`trap "echo asked >>'${world.dir}/order'; exit 130" INT; ${gate.here}`);
    const run = world.start("backup", [], {
      env: { RESTIC_FORGET_ARGS: "--keep-last 1", RESTIC_AUTO_UNLOCK: "ON" },
    });
    await gate.reached();
    run.kill(signal);
    expect(await finish(run)).toMatchObject({ code, stderr: "" });
    expect(world.read("order")).toBe(`asked\npost ${code} interrupted ${code}\n`);
    expect(world.record()).toMatchObject({ status: "interrupted", signal, exit_code: code });
    expect(world.history()).toHaveLength(1);
    expect(world.has("lock/backup.run.json")).toBe(false);
    expect(world.processes()).toEqual([]);
  });

  test("at the very end of the work is a stop too", async () => {
    using world = told();
    world.restic(`kill -${signal.slice(3)} $PPID; exit 0`);
    expect(await world.run("backup")).toMatchObject({ code, stderr: "" });
    expect(world.read("order")).toBe(`post ${code} interrupted ${code}\n`);
    expect(world.record()).toMatchObject({ status: "interrupted", signal, exit_code: code });
  });

  // strace(1) makes the disk slow: the record's fsync takes a second.
  test.skipIf(Bun.which("strace") === null)(
    "while the record is written is told to the post-hook",
    async () => {
      using world = told();
      const slow = [
        "-f",
        "-qq",
        "-o",
        "strace.out",
        "-e",
        "trace=fsync",
        "-e",
        "inject=fsync:delay_enter=1000000:when=1",
      ];
      const running = world.exec(["strace", ...slow, "backup"]);
      const marker = () => (world.has("lock/backup.run.json") ? world.read("lock/backup.run.json") : "");
      const inRecord = () => /^\{"pid":(\d+),.*"phase":"record"/.exec(marker())?.[1];
      process.kill(Number(await waitFor(inRecord, "the record")), signal);
      expect(await running).toMatchObject({ code, stderr: "" });
      expect(world.read("order")).toBe(`restic backup\npost ${code} interrupted ${code}\n`);
      expect(world.record()).toMatchObject({
        status: "interrupted",
        signal,
        exit_code: code,
        work_exit_code: 0,
      });
    },
  );

  test("in the post-hook lets it finish, and is the run's end all the same", async () => {
    using world = told();
    const gate = new Gate(world);
    world.restic("exit 3");
    world.hook("post-backup.d/slow", `${gate.here}; echo finished >>'${world.dir}/order'`);
    const run = world.start("backup");
    await gate.reached();
    expect(world.record()).toMatchObject({ status: "warning", exit_code: 3 });
    run.kill(signal);
    await Bun.sleep(100); // were the hook stopped at once, it would be by now
    gate.open();
    expect(await finish(run)).toMatchObject({ code, stderr: "" });
    expect(world.read("order")).toBe("post 3 warning 3\nfinished\n");
    expect(world.record()).toMatchObject({
      status: "interrupted",
      signal,
      exit_code: code,
      work_exit_code: 3,
      hooks: [{ exit_code: 0 }, { exit_code: 0, timed_out: false }],
    });
  });
});
