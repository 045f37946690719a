// A lock that cannot be taken, not because somebody has it: a clear error, exit 1, and never "skipped".
import { describe, expect, test } from "bun:test";
import { chmodSync, linkSync, mkdirSync, rmSync, statSync, symlinkSync } from "node:fs";
import { World } from "../support/world.ts";

interface Case {
  readonly spoil: (world: World) => void;
  readonly says: string;
}

/** A PATH without flock(1), but with what the fake restic and the shells need. */
function withoutFlock(world: World): void {
  const tools = world.folder("tools");
  for (const name of ["sh", "mkfifo", "cat"]) symlinkSync(Bun.which(name) ?? "", `${tools}/${name}`);
  world.env.PATH = `${world.bin}:${tools}`;
}

const cases: Record<string, Case> = {
  "flock is missing": {
    spoil: withoutFlock,
    says: "Install util-linux or busybox; nothing was run.",
  },
  "flock cannot be executed": {
    spoil: (world) => {
      withoutFlock(world);
      chmodSync(world.program("flock", "exit 0"), 0o644);
    },
    says: "flock cannot be executed",
  },
  "flock fails with 1 and says why": {
    spoil: (world) => world.program("flock", "echo 'flock: 3: No locks available' >&2; exit 1"),
    says: "flock(1) ended with 1: flock: 3: No locks available.",
  },
  "flock fails with 65 in silence": {
    spoil: (world) => world.program("flock", "exit 65"),
    says: "flock(1) ended with 65: it gave no reason.",
  },
  "flock is killed": {
    spoil: (world) => world.program("flock", "kill -9 $$"),
    says: "flock(1) ended with 137",
  },
  "LOCK_DIR is a link that leads nowhere": {
    spoil: (world) => {
      rmSync(world.lock, { recursive: true });
      symlinkSync(`${world.dir}/none`, world.lock);
    },
    says: "Create the folder, or set LOCK_DIR to one that the running user can write.",
  },
  "LOCK_DIR is a file": {
    spoil: (world) => {
      rmSync(world.lock, { recursive: true });
      world.file("lock", "");
    },
    says: "a part of the path is not a directory",
  },
  "the lock file is a directory": {
    spoil: (world) => mkdirSync(`${world.lock}/backup.lock`),
    says: "it is a directory",
  },
  "the lock file is a named pipe": {
    spoil: (world) => Bun.spawnSync(["mkfifo", `${world.lock}/backup.lock`]),
    says: "it is not a regular file. Remove it, or set LOCK_DIR to another folder.",
  },
  "the lock file has a second name": {
    spoil: (world) => linkSync(world.file("precious", "precious"), `${world.lock}/backup.lock`),
    says: "it has a second name (a hard link): remove it",
  },
  "the lock file is a symbolic link": {
    spoil: (world) => symlinkSync(world.file("precious", "precious"), `${world.lock}/backup.lock`),
    says: "it is a symbolic link",
  },
};
const names = Object.keys(cases);

function spoiled(name: string): World {
  const world = new World();
  world.restic(`echo ran >>'${world.dir}/ran'`);
  world.hook("pre-backup", `echo ran >>'${world.dir}/ran'`);
  world.hook("post-backup", `echo ran >>'${world.dir}/ran'`);
  cases[name]?.spoil(world);
  return world;
}

describe("when", () => {
  test.each(names)("%s, a backup fails and its record says so", async (name) => {
    const says = cases[name]?.says ?? "";
    for (const start of [["backup"], ["locked_run", "backup", "backup"]]) {
      using world = spoiled(name);
      const { code, stdout, stderr } = await world.exec(start);
      expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
      expect(stdout).toContain(`ERROR backup  The lock ${world.lock}/backup.lock cannot be taken: `);
      expect(stdout).toContain(says);
      expect(stdout).not.toContain("skipped");
      expect(world.record()).toMatchObject({ exit_code: 1, status: "failed", hooks: [] });
      expect(world.record().error).toContain(says);
      expect(world.history().map(({ status }) => status)).toEqual(["failed"]);
      expect(world.has("ran")).toBe(false);
      if (world.has("precious")) expect(world.read("precious")).toBe("precious");
    }
  });

  test.each(names)("%s, locked_run says so and does not run its command", async (name) => {
    using world = spoiled(name);
    const command = ["backup", "sh", "-c", `echo ran >'${world.dir}/ran'`];
    const { code, stdout, stderr } = await world.run("locked_run", command);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toStartWith(`locked_run: The lock ${world.lock}/backup.lock cannot be taken: `);
    expect(stderr).toContain(cases[name]?.says ?? "");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(world.has("ran")).toBe(false);
  });
});

test("a LOCK_DIR that is missing is made, and holds the lock", async () => {
  using world = new World();
  world.restic();
  const folder = `${world.dir}/run/locks`;
  for (const start of [["backup"], ["locked_run", "backup", "backup"]]) {
    rmSync(`${world.dir}/run`, { recursive: true, force: true });
    // Whatever the umask is, others can look into it and nobody else can write there.
    const shell = ["sh", "-c", 'umask 000; exec "$@"', "sh", ...start];
    expect(await world.exec(shell, { env: { LOCK_DIR: folder } })).toMatchObject({ code: 0 });
    expect(statSync(folder).mode & 0o777).toBe(0o755);
    expect(statSync(`${folder}/backup.lock`).mode & 0o777).toBe(0o600);
  }
});

test("a lock of an older release is closed to others, whose flock would stop all runs", async () => {
  using world = new World();
  world.restic();
  world.file("lock/backup.lock", "", 0o644);
  world.file("lock/backup.metrics.lock", "", 0o666);
  const metrics = world.folder("metrics");
  expect(await world.run("backup", [], { env: { METRICS_DIR: metrics } })).toMatchObject({ code: 0 });
  for (const name of ["backup.lock", "backup.metrics.lock"])
    expect(statSync(`${world.lock}/${name}`).mode & 0o777).toBe(0o600);
});

// Becoming another user takes root.
test.skipIf(process.getuid?.() !== 0)(
  "a lock file that another user owns is refused with the reason",
  async () => {
    using world = new World();
    world.restic(`echo ran >>'${world.dir}/ran'`);
    for (const folder of [world.dir, world.log, world.lock]) chmodSync(folder, 0o777);
    world.file("lock/backup.lock", "", 0o644);
    const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "backup"];
    const { code, stdout } = await world.exec(asNobody);
    expect(stdout).toContain("cannot be taken: permission denied. Create the folder, or set LOCK_DIR");
    expect({ code, ran: world.has("ran") }).toEqual({ code: 1, ran: false });
  },
);
