// A stop of a real restic: its lock is out of the repository, the post-hook ran, the record says interrupted.
import { afterAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Gate } from "../support/gate.ts";
import { equip, locks, snapshots } from "../support/ready-repository.ts";
import { rclones, restics, type Tool } from "../support/restics.ts";
import { finish, World, waitFor } from "../support/world.ts";

const SIGNALS = [
  ["SIGTERM", 143],
  ["SIGINT", 130],
  ["SIGHUP", 129],
] as const;

/** STOP_TIMEOUT's default, and what a busy machine may add to it. */
const WITHIN_MS = 8000 + 2000;

/** 24 MiB that do not compress. */
const source = mkdtempSync(join(tmpdir(), "rbh-source-"));
for (let file = 0; file < 24; file++) writeFileSync(join(source, String(file)), randomBytes(1024 * 1024));
afterAll(() => rmSync(source, { recursive: true }));

/**
 * A world whose backup takes four seconds, over a link of 6 MB/s. restic 0.14 lets the packs that it is just
 * uploading arrive before it removes its lock, so a slower link would only show how long these take.
 */
function slow(restic: Tool): World {
  const world = new World();
  equip(world, restic);
  world.env.BACKUP_ROOT_DIR = source;
  world.env.RESTIC_JOB_ARGS = "--limit-upload 6000 --pack-size 4";
  world.hook("post-backup", 'echo "post $1 $RBH_STATUS"');
  return world;
}

const hasPacks = (world: World) =>
  new Bun.Glob("data/*/*").scanSync(`${world.dir}/repository`).next().done === false;

async function stopInTheWork(world: World, signal: NodeJS.Signals, code: number): Promise<void> {
  const run = world.start("backup");
  await waitFor(() => locks(world).length > 0 && hasPacks(world), "the upload", 30_000);
  const begun = performance.now();
  run.kill(signal);
  const { code: exit, stdout, stderr } = await finish(run);
  expect({ exit, stderr }).toEqual({ exit: code, stderr: "" });
  expect(performance.now() - begun).toBeLessThan(WITHIN_MS);
  expect({ locks: locks(world), snapshots: snapshots(world) }).toEqual({ locks: [], snapshots: [] });
  expect(stdout).toContain(`Told to stop by ${signal}: the run ends within 8s (STOP_TIMEOUT).`);
  expect(stdout).toContain("restic | signal interrupt received, cleaning up\n");
  expect(stdout).toContain(`post-backup | post ${code} interrupted\n`);
  expect(stdout).not.toContain("\\x1b");
  expect(world.record()).toMatchObject({ status: "interrupted", signal, exit_code: code });
  expect(world.processes()).toEqual([]);
}

describe.each(restics.map((restic) => [restic.version, restic] as const))("restic %s", (_, restic) => {
  test.each(SIGNALS)("%s in the work", async (signal, code) => {
    using world = slow(restic);
    await stopInTheWork(world, signal, code);
  });

  test.skipIf(rclones.length === 0)(
    "SIGTERM while rclone stores what restic sends (needs rclone)",
    async () => {
      using world = slow(restic);
      world.env.RESTIC_REPOSITORY = `rclone:here:${world.dir}/repository`;
      Object.assign(world.env, { RCLONE_CONFIG_HERE_TYPE: "local", RCLONE_CONFIG: "/dev/null" });
      world.env.PATH = `${rclones[0]?.path.replace(/\/rclone$/, "")}:${world.env.PATH}`;
      await stopInTheWork(world, "SIGTERM", 143);
    },
  );

  test("SIGTERM of a wrapper script around restic reaches the restic", async () => {
    using world = slow(restic);
    rmSync(`${world.bin}/restic`);
    world.program(
      "restic",
      `'${restic.path}' "$@"\ncode=$?\ntouch '${world.dir}/wrapper-went-on'\nexit $code`,
    );
    await stopInTheWork(world, "SIGTERM", 143);
    expect(existsSync(`${world.dir}/wrapper-went-on`)).toBe(true);
  });

  test("BACKUP_TIMEOUT ends it as cleanly", async () => {
    using world = slow(restic);
    const { code, stdout, stderr } = await world.run("backup", [], { env: { BACKUP_TIMEOUT: "3" } });
    expect({ code, stderr, locks: locks(world) }).toEqual({ code: 124, stderr: "", locks: [] });
    expect(stdout).toContain("restic | signal interrupt received, cleaning up\n");
    expect(stdout).toContain("post-backup | post 124 timed_out\n");
    expect(world.record()).toMatchObject({ status: "timed_out", timed_out: true, exit_code: 124 });
  });

  test("SIGTERM in the pre-hook starts no restic; in the post-hook the snapshot stands", async () => {
    using world = new World();
    equip(world, restic);
    for (const phase of ["pre", "post"] as const) {
      const gate = new Gate(world, phase);
      world.hook(`${phase}-backup`, gate.here);
      const run = world.start("backup");
      await gate.reached();
      run.kill("SIGTERM");
      gate.open();
      expect(await finish(run)).toMatchObject({ code: 143, stderr: "" });
      expect(locks(world)).toEqual([]);
      expect(snapshots(world)).toHaveLength(phase === "pre" ? 0 : 1);
      expect(world.record().status).toBe("interrupted");
      expect(world.record().work_exit_code).toBe(phase === "pre" ? undefined : 0);
      rmSync(`${world.hooks}/${phase}-backup.sh`);
    }
  });
});
