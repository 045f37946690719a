import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { Forger, leaveDeadLock, lockNames, startHolder } from "../support/locks.ts";
import { withTemplate } from "../support/repository.ts";
import { restics } from "../support/restics.ts";
import { alive, World, waitFor } from "../support/world.ts";

const withRepository = withTemplate();

/** A process that is no restic, and notes a SIGHUP. */
async function stranger(world: World) {
  const script = `trap 'echo hit >"${world.dir}/hit"' HUP; echo up >"${world.dir}/up"; while :; do sleep 0.1; done`;
  const child = Bun.spawn(["sh", "-c", script], { env: world.env });
  await waitFor(() => world.has("up"), "the stranger");
  return child;
}

describe.each(restics.map(({ version, path }) => [version, path] as const))(
  "unlock with restic %s",
  (_, path) => {
    test("lists every kind of lock with its evidence, removes the stale ones, and then all", async () => {
      using world = withRepository(path);
      const holder = await startHolder(world);
      const deadPid = await leaveDeadLock(world);
      const forger = await Forger.of(world);
      const fresh = forger.forge({ hostname: "elsewhere", pid: 7, age: 240 });
      const old = forger.forge({ hostname: "elsewhere", pid: 8, age: 7500, exclusive: true });

      const rehearsed = await world.run("unlock", ["--dry-run"]);
      expect({ code: rehearsed.code, stderr: rehearsed.stderr }).toEqual({ code: 0, stderr: "" });
      for (const words of [
        `4 locks in ${world.dir}/repository:`,
        new RegExp(
          `shared, of \\S+@${hostname()} with pid ${deadPid}, refreshed .* ago\\); stale: its process, pid ${deadPid}, is gone from this host`,
        ),
        new RegExp(
          `shared, of \\S+@${hostname()} with pid ${holder.pid}, .*; in use: restic \\(pid ${holder.pid}\\) is running on this host`,
        ),
        new RegExp(
          `lock ${fresh}: shared, of tester@elsewhere with pid 7, .* \\(4m\\d*s? ago\\); possibly in use: only elsewhere can tell`,
        ),
        new RegExp(
          `lock ${old}: exclusive, of tester@elsewhere with pid 8, .* \\(2h5m ago\\); stale: not refreshed for 2h5m`,
        ),
        /would be removed \(--dry-run\)/,
      ]) {
        expect(rehearsed.stdout).toMatch(words);
      }
      expect(lockNames(world)).toHaveLength(4);
      expect(world.record("unlock")).toMatchObject({
        exit_code: 0,
        status: "ok",
        dry_run: "ON",
        remove_all: "OFF",
        locks_before: 4,
        locks_after: 4,
      });

      const { code, stdout, stderr } = await world.run("unlock");
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain("Locks before: 4, after: 2.");
      expect(world.record("unlock")).toMatchObject({ locks_before: 4, locks_after: 2, dry_run: "OFF" });
      const locks = world.record("unlock").locks as Record<string, unknown>[];
      expect(locks.find(({ pid }) => pid === deadPid)).toMatchObject({ hostname: hostname(), stale: "ON" });
      expect(locks.find(({ pid }) => pid === 8)).toMatchObject({
        id: old,
        hostname: "elsewhere",
        username: "tester",
        exclusive: "ON",
        stale: "ON",
      });
      expect(locks.find(({ pid }) => pid === holder.pid)).toMatchObject({ stale: "OFF" });
      expect(alive(holder.pid)).toBe(true);

      const all = await world.run("unlock", ["--remove-all"]);
      expect(all.code).toBe(0);
      expect(lockNames(world)).toEqual([]);
      expect(world.record("unlock")).toMatchObject({ remove_all: "ON", locks_before: 2, locks_after: 0 });
      holder.kill("SIGKILL");
      await holder.exited;
    });

    test("a pid that a stranger has now: restic would send it SIGHUP, so nothing is done without --remove-all", async () => {
      using world = withRepository(path);
      const other = await stranger(world);
      const forger = await Forger.of(world);
      const id = forger.forge({ pid: other.pid, age: 600 });
      const { code, stdout } = await world.run("unlock");
      expect(code).toBe(1);
      expect(stdout).toContain(`its pid ${other.pid} belongs to sh now`);
      expect(stdout).toContain(
        "Nothing was removed: restic unlock takes no list of the locks to remove, and it would send SIGHUP to ",
      );
      expect(world.has("hit")).toBe(false);
      expect(lockNames(world)).toHaveLength(1);
      expect(world.record("unlock")).toMatchObject({ exit_code: 1, status: "failed", locks_before: 1 });

      const all = await world.run("unlock", ["--remove-all"]);
      expect(all.code).toBe(0);
      expect(all.stdout).toContain(`lock ${id}: `);
      expect(lockNames(world)).toEqual([]);
      expect(world.has("hit")).toBe(false);
      other.kill("SIGKILL");
      await other.exited;
    });

    test("a damaged lock is named; no lock is fine", async () => {
      using world = withRepository(path);
      writeFileSync(join(world.dir, "repository/locks", "ab".repeat(32)), "");
      const { code, stdout } = await world.run("unlock");
      expect(code).toBe(0);
      expect(stdout).toContain(
        "lock abababab: it cannot be read, and restic ignores it; --remove-all removes it.",
      );
      expect(stdout).toContain("There is nothing to remove.");
      expect((await world.run("unlock", ["--remove-all"])).code).toBe(0);
      const none = await world.run("unlock");
      expect(none.code).toBe(0);
      expect(none.stdout).toContain("0 locks in");
      expect(world.record("unlock")).toMatchObject({ locks_before: 0, locks_after: 0 });
    });

    test("a wrong password, and no repository", async () => {
      using world = withRepository(path);
      const wrong = await world.run("unlock", [], { env: { RESTIC_PASSWORD: "wrong and long" } });
      expect(wrong.code).toBe(12);
      expect(wrong.stdout).toContain("The password does not open the repository");
      const none = await world.run("unlock", [], { env: { RESTIC_REPOSITORY: `${world.dir}/nowhere` } });
      expect(none.code).toBe(10);
      expect(world.record("unlock")).toMatchObject({ exit_code: 10, status: "failed" });
    });
  },
);

test("words that make no sense", async () => {
  using world = new World();
  const { code, stdout, stderr } = await world.run("unlock", ["--remove-al"]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("did you mean --remove-all?");
});
