// RESTIC_RETRY_LOCK: a locked repository is waited for, by restic's --retry-lock or, before 0.16, by ourselves.
import { describe, expect } from "bun:test";
import { readFileSync } from "node:fs";
import { leaveDeadLock, startOwnBackup } from "../support/locks.ts";
import { needing } from "../support/needing.ts";
import { withTemplate } from "../support/repository.ts";
import { restics } from "../support/restics.ts";
import { World, waitFor } from "../support/world.ts";

const { test } = needing("restic");
const withRepository = withTemplate();
const WAITS =
  /The repository is locked by our own backup \(pid (\d+), since [-0-9: ]+\); waiting for it for up to 5m/;

/** Waits until the run's own log says so. */
const said = (world: World, worker: string, words: RegExp) =>
  waitFor(
    () => words.test(readFileSync(`${world.log}/${worker}-last.log`, { encoding: "utf8", flag: "a+" })),
    `${words}`,
    30_000,
  );

describe.each(restics.map(({ version, path }) => [version, path] as const))("with restic %s", (_, path) => {
  test("prune waits for our own backup, by its name, and then has its turn", async () => {
    using world = withRepository(path);
    const { run } = await startOwnBackup(world, 4096);
    const prune = world.run("prune", [], { env: { RESTIC_RETRY_LOCK: "5m" } });
    await said(world, "prune", WAITS);
    expect(await run.exited).toBe(0);
    const { code, stdout } = await prune;
    expect(code).toBe(0);
    expect(WAITS.exec(stdout)?.[1]).toBe(String(run.pid));
    expect(world.record("prune")).toMatchObject({ exit_code: 0, status: "ok" });
  });

  test("a stop ends the waiting at once", async () => {
    using world = withRepository(path);
    const { run } = await startOwnBackup(world);
    const prune = world.start("prune", [], { env: { RESTIC_RETRY_LOCK: "5m" } });
    await said(world, "prune", WAITS);
    const begun = performance.now();
    prune.kill("SIGTERM");
    expect(await prune.exited).toBe(143);
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(world.record("prune")).toMatchObject({ status: "interrupted" });
    run.kill("SIGKILL");
    await run.exited;
  });

  test("the work's time-out counts while it waits", async () => {
    using world = withRepository(path);
    const { run } = await startOwnBackup(world);
    const env = { RESTIC_RETRY_LOCK: "5m", PRUNE_TIMEOUT: "4" };
    const { code, stdout } = await world.run("prune", [], { env });
    expect(code).toBe(124);
    expect(stdout).toContain("it took longer than PRUNE_TIMEOUT=4");
    run.kill("SIGKILL");
    await run.exited;
  });

  test.each(["0", "OFF"])("%s: no waiting", async (RESTIC_RETRY_LOCK) => {
    using world = withRepository(path);
    const { run } = await startOwnBackup(world);
    const { code, stdout } = await world.run("prune", [], { env: { RESTIC_RETRY_LOCK } });
    expect(code).toBe(11);
    expect(stdout).not.toContain("waiting for it");
    expect(stdout).toMatch(
      /restic prune failed \(exit 11\)\. The repository \S+ is locked by our own backup \(pid \d+/,
    );
    run.kill("SIGKILL");
    await run.exited;
  });
});

test("a lock that would be dead soon is looked at again while it is waited for", async () => {
  using world = withRepository();
  const pid = await leaveDeadLock(world, 355);
  const env = { RESTIC_RETRY_LOCK: "5m", RESTIC_AUTO_UNLOCK: "STALE" };
  const { code, stdout } = await world.run("prune", [], { env });
  expect(stdout).toContain(`although its process, pid ${pid}, is gone from this host`);
  expect(stdout).toContain("Removed 1 stale lock (RESTIC_AUTO_UNLOCK is STALE).");
  expect(code).toBe(0);
});

test("what the operator has given to restic himself is not waited for a second time", async () => {
  using world = new World();
  world.restic(
    `echo "$*" >>"$HOME/calls"; echo "Fatal: unable to create lock in backend: repository is already locked by PID 1 on h by root" >&2; exit 11`,
  );
  const env = { RESTIC_RETRY_LOCK: "5m", RESTIC_PRUNE_ARGS: "--retry-lock 1s" };
  expect((await world.run("prune", [], { env })).code).toBe(11);
  expect(world.read("calls")).toBe("prune --retry-lock 1s\n");
});
