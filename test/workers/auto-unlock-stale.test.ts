// RESTIC_AUTO_UNLOCK: after a locked repository, STALE removes locks of dead processes of this host, ON also old ones.
import { describe, expect } from "bun:test";
import { rmSync } from "node:fs";
import {
  Forger,
  killOwnBackup,
  leaveDeadLock,
  lockNames,
  startHolder,
  startOwnBackup,
} from "../support/locks.ts";
import { needing } from "../support/needing.ts";
import { withTemplate } from "../support/repository.ts";
import { restics } from "../support/restics.ts";
import { World, waitFor } from "../support/world.ts";

const { test } = needing("restic");

const withRepository = withTemplate();
const STALE = { env: { RESTIC_AUTO_UNLOCK: "STALE", RESTIC_FORGET_ARGS: "--keep-last 1" } };

describe.each(restics.map(({ version, path }) => [version, path] as const))("with restic %s", (_, path) => {
  test("a killed backup is in prune's way: its lock goes, and prune is tried once more", async () => {
    using world = withRepository(path);
    const pid = await leaveDeadLock(world);
    const { code, stdout, stderr } = await world.run("prune", [], STALE);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`stale: its process, pid ${pid}, is gone from this host.`);
    expect(stdout).toContain("Removed 1 stale lock (RESTIC_AUTO_UNLOCK is STALE).");
    expect(stdout).toContain("Trying again.");
    expect(world.record("prune")).toMatchObject({ exit_code: 0, status: "ok" });
    expect(lockNames(world)).toEqual([]);
  });

  test("a living one stays, and the run fails with 11", async () => {
    using world = withRepository(path);
    const holder = await startHolder(world);
    const { code, stdout } = await world.run("prune", [], STALE);
    expect(code).toBe(11);
    expect(stdout).toContain(`in use: restic (pid ${holder.pid}) is running on this host.`);
    expect(stdout).toContain(
      "No lock was removed (RESTIC_AUTO_UNLOCK is STALE): none of them was left by a dead process of this host.",
    );
    expect(stdout).not.toContain("Trying again");
    expect(lockNames(world)).toHaveLength(1);
    holder.kill("SIGKILL");
    await holder.exited;
  });

  test("an exclusive one of a dead process is in backup's way", async () => {
    using world = withRepository(path);
    const pid = await leaveDeadLock(world);
    (await Forger.of(world)).forge({ pid, exclusive: true, age: 400 });
    const { code, stdout } = await world.run("backup", [], STALE);
    expect(code).toBe(0);
    expect(stdout).toContain("Trying again.");
    expect(world.record()).toMatchObject({ status: "ok", forget_exit_code: 0 });
    expect(lockNames(world)).toEqual([]);
  });
});

test("another host's lock stays, and the run still fails with 11", async () => {
  using world = withRepository();
  await leaveDeadLock(world);
  const foreign = (await Forger.of(world)).forge({ hostname: "elsewhere", age: 60 });
  const { code, stdout } = await world.run("prune", [], STALE);
  expect(code).toBe(11);
  expect(stdout).toContain("Trying again.");
  expect(lockNames(world).map((name) => name.slice(0, 8))).toEqual([foreign]);
  // Once in a run: what is locked again is locked by somebody else.
  expect(stdout.split("Trying again.")).toHaveLength(2);
});

test("an old one of another host, which restic unlock would take away too, keeps all of them", async () => {
  using world = withRepository();
  await leaveDeadLock(world);
  const foreign = (await Forger.of(world)).forge({ hostname: "elsewhere", age: 3600 });
  const { code, stdout } = await world.run("prune", [], STALE);
  expect(code).toBe(11);
  expect(stdout).toContain(`restic unlock would also remove lock ${foreign}`);
  expect(lockNames(world)).toHaveLength(2);
});

test("OFF leaves even a dead lock after 11", async () => {
  using world = withRepository();
  await leaveDeadLock(world);
  const { code, stdout } = await world.run("prune", [], { env: { RESTIC_AUTO_UNLOCK: "OFF" } });
  expect(code).toBe(11);
  expect(stdout).not.toContain("emoved");
  expect(lockNames(world)).toHaveLength(1);
});

describe.each(restics.map(({ version, path }) => [version, path] as const))("with restic %s", (_, path) => {
  test("ON removes what nobody has refreshed for 30 minutes, of whichever host", async () => {
    using world = withRepository(path);
    const forger = await Forger.of(world);
    const env = { RESTIC_AUTO_UNLOCK: "ON", RESTIC_FORGET_ARGS: "--keep-last 1" };
    for (const worker of ["backup", "check", "prune", "forget"]) {
      forger.forge({ hostname: "dead-pod", age: 2000, exclusive: true });
      const { code, stdout } = await world.run(worker, [], { env });
      expect({ worker, code, stdout }).toMatchObject({
        code: 0,
        stdout: expect.stringContaining("Removed 1 stale lock (RESTIC_AUTO_UNLOCK is ON).") as never,
      });
      expect(world.record(worker)).toMatchObject({ status: "ok" });
    }
    expect(lockNames(world)).toEqual([]);
  });

  test.each(["STALE", "ON"])(
    "a lock that was refreshed seconds ago is alive to %s, and to unlock",
    async (setting) => {
      using world = withRepository(path);
      // Another machine of this one's name holds it: its pid is nobody's here.
      const id = (await Forger.of(world)).forge({ pid: 4_000_000, age: 5 });
      const { code, stdout } = await world.run("prune", [], { env: { RESTIC_AUTO_UNLOCK: setting } });
      expect(code).toBe(11);
      expect(stdout).toContain(`lock ${id}: shared`);
      expect(stdout).toContain("possibly in use: it was refreshed ");
      expect(stdout).toContain("another machine or container may be named");
      expect((await world.run("unlock")).code).toBe(0);
      expect(lockNames(world)).toHaveLength(1);
    },
  );

  test("but for the restic of a run of ours that died here: its marker and the history name it", async () => {
    using world = withRepository(path);
    const pid = await killOwnBackup(world);
    expect(lockNames(world)).toHaveLength(1);
    // Another worker, so that only the marker tells.
    const { code, stdout } = await world.run("prune", [], STALE);
    expect(stdout).toMatch(
      new RegExp(`stale: its process, pid ${pid}, was started by the run backup-\\S+, and died here`),
    );
    expect({ code, locks: lockNames(world) }).toEqual({ code: 0, locks: [] });
  });

  test("the same by the history, once the next run has taken the marker over", async () => {
    using world = withRepository(path);
    const pid = await killOwnBackup(world);
    rmSync(`${world.source}/slow.bin`);
    expect((await world.run("backup")).code).toBe(0);
    expect(world.history()[0]).toMatchObject({ status: "died", killed_child: { pid } });
    expect(lockNames(world)).toHaveLength(1);
    const { code, stdout } = await world.run("prune", [], STALE);
    expect(stdout).toContain(`stale: its process, pid ${pid}, was started by the run backup-`);
    expect({ code, locks: lockNames(world) }).toEqual({ code: 0, locks: [] });
  });

  test("and by the record of a run that lived on when its restic was killed", async () => {
    using world = withRepository(path);
    const { run, resticPid } = await startOwnBackup(world);
    process.kill(resticPid, "SIGKILL");
    expect(await run.exited).toBe(137);
    expect(world.record()).toMatchObject({ exit_code: 137, killed_child: { pid: resticPid } });
    const { code } = await world.run("prune", [], STALE);
    expect({ code, locks: lockNames(world) }).toEqual({ code: 0, locks: [] });
  });

  test.each(["STALE", "ON"])("%s sends SIGHUP to no stranger that has the pid now", async (setting) => {
    using world = withRepository(path);
    const script = `trap 'echo hit >"${world.dir}/hit"' HUP; echo up >"${world.dir}/up"; while :; do sleep 0.1; done`;
    const stranger = Bun.spawn(["sh", "-c", script], { env: world.env });
    await waitFor(() => world.has("up"), "the stranger");
    const forger = await Forger.of(world);
    forger.forge({ pid: stranger.pid, age: 600 });
    forger.forge({ hostname: "elsewhere", age: 2400 });
    const RESTIC_PRUNE_ARGS = "--max-unused nonsense";
    for (const env of [{}, { RESTIC_PRUNE_ARGS }]) {
      const { stdout } = await world.run("prune", [], { env: { ...env, RESTIC_AUTO_UNLOCK: setting } });
      if (setting === "ON" || !("RESTIC_PRUNE_ARGS" in env))
        expect(stdout).toContain(`restic unlock is not safe: it would send SIGHUP to `);
    }
    expect(world.has("hit")).toBe(false);
    expect(lockNames(world)).toHaveLength(2);
    stranger.kill("SIGKILL");
    await stranger.exited;
  });
});

test("after another failure ON asks first whether the repository can be opened", async () => {
  using world = new World();
  world.restic(`echo "$1" >>"$HOME/calls"; echo "Fatal: unable to load index: $1 failed" >&2; exit 1`);
  const { code, stdout } = await world.run("prune", [], { env: { RESTIC_AUTO_UNLOCK: "ON" } });
  expect(code).toBe(1);
  expect(stdout).toContain("No lock was removed, since the repository cannot be opened: ");
  expect(world.read("calls")).toBe("prune\ncat\n");
});

test("where it could not be reached, ON asks nothing", async () => {
  using world = new World();
  world.restic(
    `echo "$1" >>"$HOME/calls"; echo 'Fatal: unable to open config file: Head "http://h/config": dial tcp 10.0.0.1:443: i/o timeout' >&2; exit 1`,
  );
  const { code, stdout } = await world.run("prune", [], { env: { RESTIC_AUTO_UNLOCK: "ON" } });
  expect(code).toBe(1);
  expect(stdout).toContain(`The repository ${world.repository} could not be reached.`);
  expect(world.read("calls")).toBe("prune\n");
});

test("after another failure STALE removes nothing", async () => {
  using world = new World();
  world.restic(`echo "$1" >>"$HOME/calls"; exit 1`);
  const { code, stdout } = await world.run("prune", [], STALE);
  expect(code).toBe(1);
  expect(stdout).toContain("No lock was removed (RESTIC_AUTO_UNLOCK is STALE).");
  expect(world.read("calls")).toBe("prune\n");
});
