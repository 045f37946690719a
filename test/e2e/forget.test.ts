// forget after a backup, a repository that another restic has locked, and locks that are stale.

import { describe, expect, test } from "bun:test";
import { leaveDeadLock } from "../support/locks.ts";
import { equip, locks, snapshots } from "../support/ready-repository.ts";
import { restics } from "../support/restics.ts";
import { World, waitFor } from "../support/world.ts";

/** Another restic at work in this world's repository, past its key derivation. */
async function rival(world: World, words: readonly string[]) {
  const command = [`${world.bin}/restic`, ...words, "--no-cache"];
  const child = Bun.spawn(command, { env: world.env, stdin: "pipe", stdout: "ignore", stderr: "ignore" });
  await waitFor(() => locks(world).length > 0, "the rival's lock", 30_000);
  return child;
}

/** Holds a lock beside which others may back up, as long as nobody closes its stdin. */
const backsUp = ["backup", "--stdin"];

describe.each(restics.map((restic) => [restic.version, restic] as const))("restic %s", (_, restic) => {
  test("forget follows a backup that succeeded, unless FORGET_CRON does it", async () => {
    using world = new World();
    equip(world, restic);
    const RESTIC_FORGET_ARGS = "--keep-last 1";
    const runs = [{}, { RESTIC_FORGET_ARGS, FORGET_CRON: "0 3 * * *" }, { RESTIC_FORGET_ARGS }];
    const kept = [];
    for (const env of runs) {
      const { code, stdout, stderr } = await world.run("backup", [], { env });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout.includes("Applying the retention policy")).toBe(env === runs[2]);
      kept.push([snapshots(world).length, world.record().forget_exit_code]);
    }
    expect(kept).toEqual([
      [1, undefined],
      [2, undefined],
      [1, 0],
    ]);
    expect(locks(world)).toEqual([]);
  });

  test("forget that another restic locks out is a warning, and the backup is good", async () => {
    using world = new World();
    equip(world, restic);
    const other = await rival(world, backsUp);
    const env = { RESTIC_FORGET_ARGS: "--keep-last 1", RESTIC_AUTO_UNLOCK: "ON" };
    const { code, stdout, stderr } = await world.run("backup", [], { env });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(
      "WARN  backup  Forgetting was skipped, because the repository is locked; the backup itself is done.\n",
    );
    expect(stdout).toContain("WARN  backup  backup finished: warning, exit 0, ");
    expect(stdout).not.toContain("Removed ");
    expect(world.record()).toMatchObject({ status: "warning", exit_code: 0, forget_exit_code: 11 });
    expect(locks(world)).toHaveLength(1);
    other.kill("SIGKILL");
    await other.exited;
  });

  test("a backup that is locked out ends with 11 and leaves the lock alone", async () => {
    using world = new World();
    equip(world, restic);
    for (let file = 0; file < 4; file++)
      world.file(`source/${file}`, crypto.getRandomValues(Buffer.alloc(65536)));
    expect(await world.run("backup")).toMatchObject({ code: 0 });
    const other = await rival(world, ["check", "--read-data"]);
    other.kill("SIGSTOP");
    expect(locks(world)).toHaveLength(1);
    const { code, stdout } = await world.run("backup", [], { env: { RESTIC_AUTO_UNLOCK: "ON" } });
    expect(code).toBe(11);
    expect(stdout).toContain("ERROR backup  restic backup failed (exit 11). The repository ");
    expect(stdout).toContain("run unlock to see the lock and remove it.\n");
    expect(stdout).not.toContain("Removed ");
    expect(world.record()).toMatchObject({ status: "failed", exit_code: 11 });
    expect(locks(world)).toHaveLength(1);
    other.kill("SIGKILL");
    await other.exited;
  });

  test("a stale lock goes after a failure, and only when RESTIC_AUTO_UNLOCK is ON", async () => {
    using world = new World();
    equip(world, restic);
    await leaveDeadLock(world);
    const RESTIC_JOB_ARGS = "--exclude-file /no/such/file";
    const off = await world.run("backup", [], { env: { RESTIC_JOB_ARGS } });
    expect(off.code).toBe(1);
    expect(off.stdout).toContain("INFO  backup  No lock was removed (RESTIC_AUTO_UNLOCK is OFF).");
    expect(locks(world)).toHaveLength(1);
    const on = await world.run("backup", [], { env: { RESTIC_JOB_ARGS, RESTIC_AUTO_UNLOCK: "ON" } });
    expect(on.code).toBe(1);
    expect(on.stdout).toContain("INFO  backup  Removed 1 stale lock (RESTIC_AUTO_UNLOCK is ON).\n");
    expect(locks(world)).toEqual([]);
  });
});
