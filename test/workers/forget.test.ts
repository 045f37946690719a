import { describe, expect, test } from "bun:test";
import { canBeAnotherHost, lockFromElsewhere, withTemplate } from "../support/repository.ts";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

const withRepository = withTemplate();

async function snapshots(world: World): Promise<number> {
  const { stdout } = await world.exec(["restic", "snapshots", "--json", "--no-lock"]);
  return JSON.parse(stdout).length;
}

const POLICY = { RESTIC_FORGET_ARGS: "--keep-last 1 --group-by ''" };

describe.each(restics.map(({ version, path }) => [version, path] as const))(
  "forget with restic %s",
  (_, path) => {
    test("applies the policy, which needs no backup before it", async () => {
      using world = withRepository(path);
      expect(await snapshots(world)).toBe(2);
      // FORGET_CRON is what it is started by.
      const { code, stdout, stderr } = await world.run("forget", [], {
        env: { ...POLICY, FORGET_CRON: "0 5 * * *" },
      });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain("forget finished: ok, exit 0");
      expect(world.record("forget")).toMatchObject({ exit_code: 0, status: "ok", forget_exit_code: 0 });
      expect(await snapshots(world)).toBe(1);
    });

    test.skipIf(!canBeAnotherHost)(
      "locked out: a skip with the status warning (needs root, for a host name)",
      async () => {
        using world = withRepository(path);
        await lockFromElsewhere(world, path);
        const { code, stdout, stderr } = await world.run("forget", [], {
          env: { ...POLICY, RESTIC_AUTO_UNLOCK: "ON" },
        });
        expect({ code, stderr }).toEqual({ code: 11, stderr: "" });
        expect(stdout).toContain("WARN  forget  Forgetting was skipped, because the repository is locked.");
        expect(stdout).toContain("WARN  forget  forget finished: warning, exit 11");
        expect(stdout).not.toContain("Removing stale locks");
        expect(world.record("forget")).toMatchObject({
          exit_code: 11,
          status: "warning",
          forget_exit_code: 11,
        });
        expect(await snapshots(world)).toBe(2);
      },
    );

    test("a policy that restic does not understand", async () => {
      using world = withRepository(path);
      const { code, stdout } = await world.run("forget", [], {
        env: { RESTIC_FORGET_ARGS: "--keep-last 1 --keep-nothing" },
      });
      expect(code).toBe(2);
      expect(stdout).toContain("RESTIC_FORGET_ARGS: restic forget has no flag --keep-nothing");
      expect(world.record("forget")).toMatchObject({ exit_code: 2, status: "failed" });
      expect(await snapshots(world)).toBe(2);
    });
  },
);

test.each([{}, { RESTIC_FORGET_ARGS: "" }, { RESTIC_FORGET_ARGS: "  " }, { RESTIC_FORGET_ARGS: "--prune" }])(
  "without a policy: %j",
  async (env) => {
    using world = new World();
    world.restic("exit 99");
    const { code, stdout } = await world.run("forget", [], { env });
    expect(code).toBe(2);
    expect(stdout).toMatch(
      /There is no policy\. Set RESTIC_FORGET_ARGS|RESTIC_FORGET_ARGS keeps nothing: --prune\. Add what to keep/,
    );
    expect(world.record("forget")).toMatchObject({ exit_code: 2, status: "failed" });
  },
);

test("the lock failure of an old restic is known by its words", async () => {
  using world = new World();
  world.restic('echo "unable to create lock in backend: repository is already locked by PID 7" >&2; exit 1');
  const { code } = await world.run("forget", [], { env: POLICY });
  expect(code).toBe(11);
  expect(world.record("forget")).toMatchObject({ status: "warning" });
});
