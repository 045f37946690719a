// A lock that cannot be taken, not because somebody has it: a clear error, exit 1, and never "skipped".
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
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
  "LOCK_DIR is missing": {
    spoil: (world) => rmSync(world.lock, { recursive: true }),
    says: "no such file or directory. Create the folder, or set LOCK_DIR to one that the running user can write.",
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
