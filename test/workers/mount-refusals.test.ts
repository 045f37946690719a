// Where mount-snapshot refuses to mount, before restic is started.
import { describe, expect, test } from "bun:test";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { World } from "../support/world.ts";

describe("mount-snapshot refuses", () => {
  const refused = async (world: World, target: string, args: readonly string[] = []) => {
    world.restic("exit 99");
    const { code, stdout } = await world.run("mount-snapshot", ["--target", target, ...args]);
    expect(world.record("mount-snapshot")).toMatchObject({ exit_code: 2, status: "failed" });
    return { code, stdout };
  };

  test.each(["/", "/etc", "/etc/nowhere", "/usr", "/usr/local", "/data", "/data/x", "/dev", "/proc", "/tmp"])(
    "%s, even with --force",
    async (target) => {
      using world = new World();
      const { code, stdout } = await refused(world, target, ["--force"]);
      expect(code).toBe(2);
      expect(stdout).toMatch(/The target \S+ is refused: .*it is .* Choose another directory/);
    },
  );

  test.each([
    ["the source", "source", "it is BACKUP_ROOT_DIR /"],
    ["what is inside the source", "source/new", "it is inside BACKUP_ROOT_DIR /"],
    ["what is above the source", ".", "it is above "],
    ["the repository", "repository", "it is the repository /"],
    ["what is inside the repository", "repository/data", "it is inside the repository /"],
    ["the logs", "log", "it is LOG_DIR /"],
    ["the hooks", "hooks", "it is HOOKS_DIR /"],
    ["a link to the source", "link", "it is BACKUP_ROOT_DIR /"],
    ["a link into what is missing in the source", "dangling", "it is inside BACKUP_ROOT_DIR /"],
    ["a place behind a link to the source", "link/deep", "it is inside BACKUP_ROOT_DIR /"],
  ])("%s, even with --force", async (_, target, reason) => {
    using world = new World();
    symlinkSync("source", join(world.dir, "link"));
    symlinkSync(join(world.source, "later"), join(world.dir, "dangling"));
    const { code, stdout } = await refused(world, join(world.dir, target), ["--force"]);
    expect(code).toBe(2);
    expect(stdout).toContain(reason);
  });

  test("a file, and without --force a directory that is not empty", async () => {
    using world = new World();
    world.file("full/letter.txt", "dear");
    const full = await refused(world, join(world.dir, "full"));
    expect(full.code).toBe(2);
    expect(full.stdout).toContain(
      "it is not empty. Choose an empty directory with --target, or give --force",
    );
    const file = await refused(world, join(world.dir, "full/letter.txt"), ["--force"]);
    expect(file.stdout).toContain("it cannot be inspected: a part of the path is not a directory");
  });

  test.each([
    [["--target", ""], "--target is empty"],
    [["--path", "relative"], "--path relative is not absolute"],
    [["--repo-wide", "--host", "x"], "--repo-wide takes snapshots of any host and tag"],
  ])("%j", async (args, words) => {
    using world = new World();
    const { code, stdout, stderr } = await world.run("mount-snapshot", args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(words);
    expect(world.has("log/last-mount-snapshot.json")).toBe(false);
  });
});
