/**
 * Locks in a repository: real ones, by a restic that works or was killed, and forged ones, of any host, process and
 * age. A forged one is like one that restic has written: sealed, and named by the SHA-256 of the file.
 */

import { createHash } from "node:crypto";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { type MasterKey, seal } from "./seal.ts";
import { type World, waitFor } from "./world.ts";

export interface LockFields {
  readonly hostname?: string;
  readonly pid?: number;
  readonly exclusive?: boolean;
  /** Seconds since its last refresh. */
  readonly age?: number;
}

const locksOf = (world: World) => join(world.dir, "repository/locks");

/** The names of locks; files that are still being written have other names. */
export const lockNames = (world: World): string[] =>
  readdirSync(locksOf(world)).filter((name) => /^[0-9a-f]{64}$/.test(name));

/** Writes locks into one world's repository. */
export class Forger {
  private constructor(
    private readonly world: World,
    private readonly key: MasterKey,
  ) {}

  static async of(world: World): Promise<Forger> {
    const { stdout } = await world.exec(["restic", "cat", "masterkey", "--no-lock"]);
    return new Forger(world, JSON.parse(stdout.slice(stdout.indexOf("{"))));
  }

  /** Returns the id as restic shows it. */
  forge({ hostname: host = hostname(), pid = 1, exclusive = false, age = 0 }: LockFields): string {
    const time = new Date(Date.now() - age * 1000).toISOString();
    const lock = { time, exclusive, hostname: host, username: "tester", pid };
    const file = seal(this.key, Buffer.from(JSON.stringify(lock)));
    const name = createHash("sha256").update(file).digest("hex");
    writeFileSync(join(locksOf(this.world), name), file);
    return name.slice(0, 8);
  }
}

/** A restic that holds a shared lock until it is killed: a backup whose input never comes. */
export async function startHolder(world: World) {
  const before = lockNames(world).length;
  const child = Bun.spawn(["restic", "backup", "--stdin", "--host", "testhost"], {
    env: world.env,
    stdin: "pipe",
    stdout: "ignore",
    stderr: "ignore",
  });
  await waitFor(() => lockNames(world).length > before, "the holder's lock", 30_000);
  return child;
}

/** Leaves the fresh lock of a restic of this host that was killed, and that no run of ours has started; returns its pid. */
export async function leaveFreshLock(world: World): Promise<number> {
  const child = await startHolder(world);
  child.kill("SIGKILL");
  await child.exited;
  return child.pid;
}

/** Leaves the lock of a killed restic of this host, refreshed `age` seconds ago: a living one would have done so since. */
export async function leaveDeadLock(world: World, age = 420): Promise<number> {
  const before = lockNames(world);
  const pid = await leaveFreshLock(world);
  for (const name of lockNames(world)) if (!before.includes(name)) rmSync(join(locksOf(world), name));
  (await Forger.of(world)).forge({ pid, age });
  return pid;
}

/** Starts a backup of ours that holds its lock until it is ended, or for about a second for each 1024 `bytes`; its restic's pid is in its marker. */
export async function startOwnBackup(world: World, bytes = 65_536) {
  const before = lockNames(world).length;
  world.file("source/slow.bin", crypto.getRandomValues(new Uint8Array(bytes)));
  const run = world.start("backup", [], { env: { RESTIC_JOB_ARGS: "--limit-upload 1" } });
  await waitFor(() => lockNames(world).length > before, "the backup's lock", 30_000);
  const { child } = JSON.parse(world.read("lock/backup.run.json"));
  return { run, resticPid: child.pid as number };
}

/** A backup of ours and its restic are killed together, as by the kernel: marker and lock stay. Returns restic's pid. */
export async function killOwnBackup(world: World): Promise<number> {
  const { run, resticPid } = await startOwnBackup(world);
  process.kill(run.pid, "SIGKILL");
  process.kill(resticPid, "SIGKILL");
  await run.exited;
  // A zombie takes signals still.
  await waitFor(() => !existsSync(`/proc/${resticPid}`), "the end of restic");
  return resticPid;
}
