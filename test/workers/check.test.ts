import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import {
  canBeAnotherHost,
  flipByte,
  lockFromElsewhere,
  losePack,
  withTemplate,
} from "../support/repository.ts";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

const withRepository = withTemplate();

describe.each(restics.map(({ version, path }) => [version, path] as const))(
  "check with restic %s",
  (version, path) => {
    const tellsFacts = Bun.semver.order(version, "0.18.0") >= 0;

    test("a healthy repository", async () => {
      using world = withRepository(path);
      const { code, stdout, stderr } = await world.run("check");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain("restic | no errors were found");
      expect(stdout).toContain("check finished: ok, exit 0");
      expect(stdout).not.toContain("message_type");
      expect(world.record("check")).toMatchObject({ job: "check", exit_code: 0, status: "ok" });
      const facts = { num_errors: 0, broken_packs_count: 0, broken_packs: [], suggest_prune: false };
      if (tellsFacts) expect(world.record("check")).toMatchObject(facts);
      else expect(world.record("check")).not.toHaveProperty("num_errors");
    });

    test("a lost pack", async () => {
      using world = withRepository(path);
      const { repository } = world;
      const pack = losePack(repository);
      const { code, stdout, stderr } = await world.run("check");
      expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
      expect(stdout).toContain(`restic | pack ${pack}: does not exist`);
      expect(stdout).toContain("ERROR check  restic check failed (exit 1).");
      expect(stdout).toContain("No lock was removed (RESTIC_AUTO_UNLOCK is OFF)");
      expect(stdout).not.toMatch(/restic \| *\n/);
      expect(world.record("check")).toMatchObject({ exit_code: 1, status: "failed" });
      if (tellsFacts) expect(world.record("check").num_errors).toBeGreaterThan(0);
      expect(world.read("log/check-error-last.log")).toContain(`pack ${pack}: does not exist`);
    });

    test("a flipped byte, found by the words of RESTIC_CHECK_ARGS", async () => {
      using world = withRepository(path);
      const { repository } = world;
      const pack = flipByte(repository);
      expect((await world.run("check")).code).toBe(0);
      const { code, stdout } = await world.run("check", [], { env: { RESTIC_CHECK_ARGS: "'--read-data'" } });
      expect(code).toBe(1);
      expect(stdout).toContain(pack);
      if (!tellsFacts) return;
      expect(stdout).toContain("ERROR check  restic | 1 error was found; 1 pack is damaged");
      expect(world.record("check")).toMatchObject({
        num_errors: 1,
        broken_packs_count: 1,
        broken_packs: [pack],
      });
    });

    test.skipIf(!canBeAnotherHost)("locked by another host (needs root, for a host name)", async () => {
      using world = withRepository(path);
      const { repository } = world;
      await lockFromElsewhere(world, path);
      // What is nobody's to take stays, whatever the operator allows.
      const { code, stdout } = await world.run("check", [], { env: { RESTIC_AUTO_UNLOCK: "ON" } });
      expect(code).toBe(11);
      expect(stdout).toMatch(/restic \| .*already locked.* by PID \d+ on elsewhere/);
      expect(stdout).toMatch(/is locked by another restic \(pid \d+ on elsewhere\)\. Wait for it to finish/);
      expect(stdout).not.toContain("Removing stale locks");
      expect(readdirSync(join(repository, "locks"))).toHaveLength(1);
      expect(world.record("check")).toMatchObject({ exit_code: 11, status: "failed" });
      expect(world.record("check")).not.toHaveProperty("num_errors");
    });

    test("a wrong password, and no repository", async () => {
      using world = withRepository(path);
      const wrong = await world.run("check", [], { env: { RESTIC_PASSWORD: "wrong and long" } });
      expect(wrong.code).toBe(12);
      expect(wrong.stdout).toContain("The password does not open the repository");
      expect(wrong.stdout).not.toContain("wrong and long");
      expect(world.record("check")).toMatchObject({ exit_code: 12, status: "failed" });
      const none = await world.run("check", [], { env: { RESTIC_REPOSITORY: join(world.dir, "nowhere") } });
      expect(none.code).toBe(10);
      expect(none.stdout).toContain("There is no repository at");
      expect(world.record("check")).toMatchObject({ exit_code: 10, repository: join(world.dir, "nowhere") });
      expect(world.record("check")).not.toHaveProperty("num_errors");
    });
  },
);

test("what restic advises is said although there are no errors", async () => {
  using world = new World();
  world.restic(`echo '{"message_type":"summary","num_errors":0,"broken_packs":null,"suggest_prune":true}'`);
  const { code, stdout } = await world.run("check");
  expect(code).toBe(0);
  expect(stdout).toContain("WARN  check  restic advises running prune");
  expect(world.record("check")).toMatchObject({ status: "ok", suggest_prune: true });
});

test("hooks, and a configuration that makes no sense", async () => {
  using world = new World();
  world.restic();
  world.hook("pre-check", "echo before");
  world.hook("post-check", 'echo "after $1"');
  const { code, stdout } = await world.run("check", [], {
    env: { RESTIC_CHECK_ARGS: "--read-data-subset '1/10" },
  });
  expect(code).toBe(2);
  expect(stdout).toContain("RESTIC_CHECK_ARGS: the ' at character 20 is never closed");
  expect(stdout).toContain("pre-check | before");
  expect(stdout).toContain("post-check | after 2");
});
