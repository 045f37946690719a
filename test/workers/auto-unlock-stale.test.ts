// RESTIC_AUTO_UNLOCK=STALE: after a locked repository only a lock of this host whose process is dead goes.
import { describe, expect } from "bun:test";
import { Forger, leaveDeadLock, lockNames, startHolder } from "../support/locks.ts";
import { needing } from "../support/needing.ts";
import { withTemplate } from "../support/repository.ts";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

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
    expect(stdout).toContain(
      "Removed 1 lock whose process on this host is dead (RESTIC_AUTO_UNLOCK is STALE).",
    );
    expect(stdout).toContain("Retrying restic prune.");
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
    expect(stdout).not.toContain("Retrying");
    expect(lockNames(world)).toHaveLength(1);
    holder.kill("SIGKILL");
    await holder.exited;
  });

  test("an exclusive one of a dead process is in backup's way", async () => {
    using world = withRepository(path);
    const pid = await leaveDeadLock(world);
    (await Forger.of(world)).forge({ pid, exclusive: true });
    const { code, stdout } = await world.run("backup", [], STALE);
    expect(code).toBe(0);
    expect(stdout).toContain("Retrying restic backup.");
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
  expect(stdout).toContain("Retrying restic prune.");
  expect(lockNames(world).map((name) => name.slice(0, 8))).toEqual([foreign]);
  // Once in a run: what is locked again is locked by somebody else.
  expect(stdout.split("Retrying restic ")).toHaveLength(2);
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

test.each(["ON", "OFF"])("%s leaves even a dead lock after 11", async (setting) => {
  using world = withRepository();
  await leaveDeadLock(world);
  const { code, stdout } = await world.run("prune", [], { env: { RESTIC_AUTO_UNLOCK: setting } });
  expect(code).toBe(11);
  expect(stdout).not.toContain("removed");
  expect(lockNames(world)).toHaveLength(1);
});

test("after another failure STALE removes nothing", async () => {
  using world = new World();
  world.restic(`echo "$1" >>"$HOME/calls"; exit 1`);
  const { code, stdout } = await world.run("prune", [], STALE);
  expect(code).toBe(1);
  expect(stdout).toContain(
    "No lock was removed (RESTIC_AUTO_UNLOCK is STALE). If a stale one is left, run unlock.",
  );
  expect(world.read("calls")).toBe("prune\n");
});
