/**
 * What each worker needs to do its work in a few hundred milliseconds with the real restic or rclone, so that it can
 * be killed in the midst of it. A worker without a row here gets a repository with a snapshot, and no arguments.
 */

import { expect } from "bun:test";
import { mkdirSync, rmSync, symlinkSync } from "node:fs";
import { Forger, lockNames } from "../support/locks.ts";
import { canMount, command, isMounted } from "../support/mounts.ts";
import { equipQuickly } from "../support/quick-repository.ts";
import { rclones, restic } from "../support/restics.ts";
import { finish, World, waitFor } from "../support/world.ts";
import { waitForPeace } from "./peace.ts";

export interface Victim {
  /** Its world, where that needs more than others to be taken away again. */
  readonly world?: () => World;
  readonly args?: readonly string[];
  /** Creates what the worker works on. */
  prepare(world: World): Promise<void>;
  /** Before each run. */
  again?(world: World): void | Promise<void>;
  /** What an operator does to end it while it is running. */
  attend?(world: World, hasEnded: () => boolean): Promise<void>;
  /** What to do after the n-th kill, before the next run. */
  clear?(world: World, round: number): Promise<unknown>;
  /** Why it cannot be tried on this machine. */
  readonly impossible?: string;
}

const anySnapshot = ["--host", "", "--tag", ""];

async function repository(world: World): Promise<void> {
  await equipQuickly(world, restic);
}

async function snapshot(world: World): Promise<void> {
  await repository(world);
  const { code, stderr } = await world.exec(["restic", "backup", "--host", "testhost", world.source]);
  if (code !== 0) throw new Error(stderr);
}

async function check(world: World): Promise<void> {
  await waitForPeace(world);
  // A lock that a dead restic has left would keep the check out.
  const { code, stdout, stderr } = await world.exec(["restic", "check", "--no-lock"]);
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout, stderr });
}

/**
 * restic dies with its worker when it prints into the pipe that nobody reads any more, and then its lock stays. An
 * exclusive one keeps the next run out with exit 11 and the advice to do this.
 */
async function unlock(world: World): Promise<void> {
  await waitForPeace(world);
  // restic takes a zombie for a live process, and the parent of orphans may be slow to reap them here.
  const { code, stdout } = await world.run("unlock", ["--remove-all"]);
  expect({ code, stdout, locks: lockNames(world) }).toEqual({ code: 0, stdout, locks: [] });
}

const forgers = new WeakMap<World, Forger>();

export const ordinary: Victim = { prepare: snapshot, clear: unlock };

export const victims: Readonly<Record<string, Victim>> = {
  backup: { prepare: repository, clear: check },
  check: { prepare: snapshot },
  prune: ordinary,
  forget: {
    clear: unlock,
    prepare: async (world) => {
      await snapshot(world);
      world.env.RESTIC_FORGET_ARGS = "--keep-last 1";
    },
  },
  "forget-preview": { args: ["--policy", "--keep-last 1", "--repo-wide"], prepare: snapshot, clear: unlock },
  unlock: {
    prepare: async (world) => {
      await repository(world);
      forgers.set(world, await Forger.of(world));
    },
    again: (world) => {
      forgers.get(world)?.forge({ age: 3600, hostname: "elsewhere" });
    },
  },
  "init-repo": {
    args: ["--yes"],
    prepare: async (world) => {
      // `restic init` derives a key for most of a second; what is killed here is ours.
      world.restic(`sleep 0.05
case $1 in
  init) mkdir '${world.dir}/repository'; echo "created restic repository" ;;
  *) [ -d '${world.dir}/repository' ] || { echo "Fatal: repository does not exist" >&2; exit 10; } ;;
esac`);
    },
    again: (world) => rmSync(`${world.dir}/repository`, { recursive: true, force: true }),
  },
  restore: {
    args: [...anySnapshot, "--id", "latest", "--target", "restored", "--force", "--yes"],
    prepare: snapshot,
  },
  "restore-test": { args: anySnapshot, prepare: snapshot },
  "snapshot-export": {
    args: [...anySnapshot, "--output", "out/export.tar.gz", "--force"],
    prepare: async (world) => {
      await snapshot(world);
      world.folder("out");
    },
  },
  "sources-report": {
    prepare: async (world) => {
      for (let folder = 0; folder < 50; folder++) {
        for (let file = 0; file < 40; file++) world.file(`source/${folder}/${file}`, "content");
      }
    },
  },
  "notify-test": {
    prepare: async (world) => {
      world.program("sendmail", "cat >/dev/null; sleep 0.05");
      world.env.MAILX_RCPT = "someone@example.org";
    },
  },
  replicate: {
    prepare: async (world) => {
      symlinkSync(rclones[0]?.path ?? "rclone", `${world.bin}/rclone`);
      world.file("rclone.conf", "");
      world.file("jobs", `${world.folder("a")};${world.folder("b")};copy\n`);
      world.file("a/file", "content");
      Object.assign(world.env, { REPLICATE_JOB_FILE: "jobs", RCLONE_CONFIG: `${world.dir}/rclone.conf` });
    },
  },
  "mount-snapshot": {
    world: () => new Mountable(),
    args: [...anySnapshot, "--target", "mnt"],
    prepare: async (world) => {
      await snapshot(world);
      mkdirSync(`${world.dir}/mnt`);
    },
    attend: async (world, hasEnded) => {
      await waitFor(() => hasEnded() || serverOf(world) !== undefined, "the mount");
      await unmount(world, hasEnded);
    },
    clear: endServer,
    ...(canMount ? {} : { impossible: "/dev/fuse cannot be opened here" }),
  },
};

/** The restic that serves a mount; one that died may have left its mount behind. */
function serverOf(world: World): number | undefined {
  if (!isMounted(`${world.dir}/mnt`)) return undefined;
  return world.processes().find((pid) => command(pid).slice(0, 2).join(" ") === "restic mount");
}

class Mountable extends World {
  override [Symbol.dispose](): void {
    while (isMounted(`${this.dir}/mnt`)) Bun.spawnSync(["umount", "-l", `${this.dir}/mnt`]);
    super[Symbol.dispose]();
  }
}

/** As an operator does it: repeated while the mount is in use. */
async function unmount(world: World, isDone: () => boolean): Promise<void> {
  const place = `${world.dir}/mnt`;
  await waitFor(async () => {
    if (isDone() || !isMounted(place)) return true;
    return (await world.exec(["umount", place])).code === 0;
  }, "the unmount");
}

/**
 * The worker is dead, and restic serves its mount on. Every other time that one is killed too, as the end of a
 * container does it, and its dead mount is left to the next run. True when a run has told of the death already.
 */
async function endServer(world: World, round: number): Promise<boolean> {
  const started = () =>
    world.processes().some((pid) => command(pid).slice(0, 2).join(" ") === "restic mount");
  await waitFor(() => !started() || serverOf(world) !== undefined, "the mount of an orphan");
  const pid = serverOf(world);
  if (pid === undefined) return false;
  const next = world.start("mount-snapshot", victims["mount-snapshot"]?.args);
  const told = finish(next);
  const isReplaced = () => ![undefined, pid].includes(serverOf(world));
  await waitFor(() => next.exitCode !== null || isReplaced(), "a skip, or a mount of its own");
  if (next.exitCode === null) {
    // The orphan wrote to its dead worker's pipe, and was killed by SIGPIPE.
    next.kill("SIGTERM");
    await told;
    return true;
  }
  const { code, stdout } = await told;
  expect({ code, stdout }).toEqual({ code: 75, stdout: expect.stringContaining(`restic with pid ${pid}`) });
  if (round % 2 === 0) process.kill(pid, "SIGKILL");
  else await unmount(world, () => serverOf(world) === undefined);
  return false;
}
