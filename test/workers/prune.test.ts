import { describe, expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { canBeAnotherHost, lockFromElsewhere, losePack, withTemplate } from "../support/repository.ts";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

const withRepository = withTemplate();

/** Bytes of all packs. */
function dataOf(repository: string): number {
  return readdirSync(join(repository, "data"), { recursive: true, encoding: "utf8" })
    .map((name) => statSync(join(repository, "data", name)))
    .reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0);
}

describe.each(restics.map(({ version, path }) => [version, path] as const))(
  "prune with restic %s",
  (_, path) => {
    test("removes what a forgotten snapshot alone needed", async () => {
      using world = withRepository(path);
      const { repository } = world;
      await world.exec(["restic", "forget", "--keep-last", "1"]);
      expect(dataOf(repository)).toBeGreaterThan(1_000_000);
      const { code, stdout, stderr } = await world.run("prune", [], {
        env: { RESTIC_PRUNE_ARGS: "--max-unused 0" },
      });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain("restic | total prune:");
      expect(stdout).toContain("prune finished: ok, exit 0");
      expect(dataOf(repository)).toBeLessThan(100_000);
      expect(world.record("prune")).toMatchObject({ job: "prune", exit_code: 0, status: "ok" });
      expect((await world.exec(["restic", "check"])).code).toBe(0);
    });

    test("a lost pack", async () => {
      using world = withRepository(path);
      const { repository } = world;
      const pack = losePack(repository);
      const { code, stdout } = await world.run("prune");
      expect(code).toBe(1);
      expect(stdout).toContain(pack);
      expect(stdout).toContain("ERROR prune  restic prune failed (exit 1).");
      expect(world.record("prune")).toMatchObject({ exit_code: 1, status: "failed" });
      expect(readdirSync(join(repository, "locks"))).toEqual([]);
    });

    test.skipIf(!canBeAnotherHost)("locked by another host (needs root, for a host name)", async () => {
      using world = withRepository(path);
      const { repository } = world;
      await lockFromElsewhere(world, path);
      const { code, stdout } = await world.run("prune", [], { env: { RESTIC_AUTO_UNLOCK: "ON" } });
      expect(code).toBe(11);
      expect(stdout).toContain("on elsewhere");
      expect(stdout).not.toContain("Removing stale locks");
      expect(readdirSync(join(repository, "locks"))).toHaveLength(1);
      expect(world.record("prune")).toMatchObject({ exit_code: 11, status: "failed" });
    });

    test("a wrong password, and no repository", async () => {
      using world = withRepository(path);
      expect((await world.run("prune", [], { env: { RESTIC_PASSWORD: "wrong and long" } })).code).toBe(12);
      expect(world.record("prune")).toMatchObject({ exit_code: 12 });
      expect(
        (await world.run("prune", [], { env: { RESTIC_REPOSITORY: `${world.dir}/nowhere` } })).code,
      ).toBe(10);
      expect(world.record("prune")).toMatchObject({ exit_code: 10 });
    });
  },
);

// check and prune share what follows. What becomes of real locks is tested in auto-unlock-stale.test.ts.
describe.each(["check", "prune"])("%s: RESTIC_AUTO_UNLOCK", (worker) => {
  test.each([
    // Is the repository there at all? Where it does not answer, no lock is looked for.
    ["ON", 1, [worker, "cat"]],
    ["OFF", 1, [worker]],
    // The locks are judged before any is removed; here they cannot be listed.
    ["ON", 11, [worker, "list"]],
    ["OFF", 11, [worker]],
    // A wrong password is not a lock.
    ["ON", 12, [worker]],
    ["ON", 0, [worker]],
  ])("%s after exit %d", async (allowed, code, calls) => {
    using world = new World();
    world.restic(`echo "$1" >>"$HOME/calls"; exit ${code}`);
    const result = await world.run(worker, [], { env: { RESTIC_AUTO_UNLOCK: allowed } });
    expect({ code: result.code, stderr: result.stderr }).toEqual({ code, stderr: "" });
    expect(world.read("calls").trim().split("\n")).toEqual(calls);
  });
});

describe("restic's counters", () => {
  const counters = [
    "[0:00] 10.00%  1 / 10 packs",
    "[0:01] 50.00%  5 / 10 packs",
    "[0:02] 100.00%  10 / 10 packs",
  ];
  const body = counters.map((line) => `echo '${line}'; sleep 1.1`).join("\n");

  test("only the last of each stands in the log", async () => {
    using world = new World();
    world.restic(body);
    const { stdout } = await world.run("prune");
    expect(stdout).not.toContain("1 / 10 packs");
    expect(stdout).not.toContain("5 / 10 packs");
    expect(stdout).toContain("restic | [0:02] 100.00%  10 / 10 packs");
  });

  test("and one every PROGRESS_INTERVAL", async () => {
    using world = new World();
    world.restic(body);
    const { stdout } = await world.run("prune", [], { env: { PROGRESS_INTERVAL: "1" } });
    expect(stdout).toContain("restic | [0:01] 50.00%  5 / 10 packs");
    expect(stdout).toContain("10 / 10 packs");
  });
});
