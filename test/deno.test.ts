/**
 * Bun is the runtime that we support. That nothing shuts Deno out needlessly is seen here: the sources under `deno run`
 * make a real backup, with hooks, a time-out and a stop. lib/runtime.ts is what makes the difference.
 */

import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { equip, locks, snapshots } from "./support/ready-repository.ts";
import { restic } from "./support/restics.ts";
import { finish, World, waitFor } from "./support/world.ts";

const root = join(import.meta.dir, "..");
const deno = join(root, "node_modules/.bin/deno");
const MIB = 2 ** 20;

/** Why it cannot be tried here. */
function obstacle(): string | undefined {
  if (restic.version === "missing") return "restic is not installed";
  try {
    const { exitCode, stderr } = Bun.spawnSync([deno, "--version"], { timeout: 20_000 });
    return exitCode === 0 ? undefined : `deno does not start: ${stderr.toString().trim().split("\n")[0]}`;
  } catch (error) {
    return `deno cannot be had: ${error instanceof Error ? error.message : error}`;
  }
}

const why = obstacle();
const tried = (what: string, body: () => Promise<void>) =>
  why === undefined ? test(what, body) : test.skip(`${what} (${why})`, () => {});

/** A world with a real repository, whose hooks say that they ran. */
function newWorld(): World {
  const world = new World();
  equip(world, restic);
  world.hook("pre-backup", 'echo "pre $RBH_WORKER"');
  world.hook("post-backup", 'echo "post $1 $RBH_STATUS"');
  return world;
}

function backup(world: World, env: Record<string, string>) {
  return Bun.spawn([deno, "run", "--allow-all", "--quiet", join(root, "main.ts"), "backup"], {
    env: { ...world.env, ...env },
    cwd: world.dir,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 50_000,
    killSignal: "SIGKILL",
  });
}

tried("deno run: a real backup, and a hook that is killed after its time-out", async () => {
  using world = newWorld();
  world.hook("pre-backup.d/hangs", "sleep 300");
  const env = { HOOK_TIMEOUT_PRE_BACKUP: "1", HOOK_KILL_AFTER: "1" };
  const { code, stdout, stderr } = await finish(backup(world, env));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("pre-backup | pre backup\n");
  expect(stdout).toContain("hook pre-backup timed out after 1s (exit 124)");
  expect(stdout).toMatch(/restic \| snapshot [0-9a-f]{8}: 1 file new/);
  expect(stdout).toContain("post-backup | post 0 ok\n");
  expect(snapshots(world)).toHaveLength(1);
  expect(world.record()).toMatchObject({
    status: "ok",
    exit_code: 0,
    files_new: 1,
    hooks: [
      { phase: "pre-backup", exit_code: 0 },
      { phase: "pre-backup", exit_code: 124, timed_out: true },
      { phase: "post-backup", exit_code: 0 },
    ],
  });
  expect(world.history()).toHaveLength(1);
  expect(world.processes()).toEqual([]);
});

tried("deno run: a stop in the work; restic removes its lock, the post-hook runs", async () => {
  using world = newWorld();
  for (let file = 0; file < 24; file++) writeFileSync(join(world.source, String(file)), randomBytes(MIB));
  // Four seconds over this link: enough to be stopped in.
  const run = backup(world, { RESTIC_JOB_ARGS: "--limit-upload 6000" });
  await waitFor(() => locks(world).length > 0, "the upload", 30_000);
  // What is under way is the worker itself: bin/deno is a program of node's that starts the runtime.
  const { pid } = JSON.parse(world.read("lock/backup.run.json"));
  process.kill(pid, "SIGTERM");
  const { stdout } = await finish(run);
  expect(stdout).toContain("Told to stop by SIGTERM: the run ends within 8s (STOP_TIMEOUT).");
  expect(stdout).toContain("post-backup | post 143 interrupted\n");
  expect(world.record()).toMatchObject({ status: "interrupted", signal: "SIGTERM", exit_code: 143 });
  expect({ locks: locks(world), snapshots: snapshots(world) }).toEqual({ locks: [], snapshots: [] });
  expect(world.processes()).toEqual([]);
});
