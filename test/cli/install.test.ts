// --install: a link for every command, and never a file of somebody else's.
import { describe, expect, test } from "bun:test";
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { linkNames } from "../../lib/run/command.ts";
import { table } from "../../lib/workers/index.ts";
import { binary, World } from "../support/world.ts";

const names = linkNames(table);
const PROGRAM = "restic-backup-helper";
const HOOKS = /^== Hooks ==\n/;

function parseMetrics(path: string) {
  const { ino, mode, size, mtimeMs } = lstatSync(path);
  return { ino, mode, size, mtimeMs };
}

describe("--install", () => {
  const install = (world: World, ...words: string[]) => world.run(PROGRAM, ["--install", ...words]);

  test("makes a hard link for every name, each of which works", async () => {
    using world = new World();
    // Hard links need one file system: a copy's worth of disk is saved by linking the binary itself where we can.
    const folder = world.folder("links");
    const { code, stdout, stderr } = await install(world, folder);
    if (statSync(binary).dev !== statSync(folder).dev) {
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain("Hard links need one file system; -s makes symbolic ones.");
      return;
    }
    expect({ code, stderr, stdout }).toEqual({
      code: 0,
      stderr: "",
      stdout: names.map((name) => `${folder}/${name}\n`).join(""),
    });
    expect(readdirSync(folder).sort()).toEqual([...names].sort());
    for (const name of names) expect(statSync(join(folder, name)).ino).toBe(statSync(binary).ino);
    expect((await world.exec([join(folder, "doctor"), "--hooks"])).stdout).toMatch(HOOKS);
  });

  test("-s makes symbolic links to the program, and may be repeated", async () => {
    using world = new World();
    const folder = world.folder("links");
    for (let time = 1; time <= 2; time++) {
      expect((await install(world, "-s", folder)).code).toBe(0);
      for (const name of names) expect(readlinkSync(join(folder, name))).toBe(binary);
    }
    expect((await world.exec([join(folder, "doctor"), "--hooks"])).stdout).toMatch(HOOKS);
  });

  test("links beside the program itself are relative, so that the folder can be moved", async () => {
    using world = new World();
    const folder = world.folder("bin2");
    try {
      linkSync(binary, join(folder, PROGRAM));
    } catch {
      // Another file system than the binary's.
      await world.exec(["cp", binary, join(folder, PROGRAM)]);
    }
    expect((await world.exec([join(folder, PROGRAM), "--install", "-s", folder])).code).toBe(0);
    expect(readlinkSync(join(folder, "doctor"))).toBe(PROGRAM);
  });

  /** What may stand where a link is to be made, and is somebody else's. */
  const strangers: readonly [what: string, make: (path: string) => unknown][] = [
    ["a program", (path) => writeFileSync(path, "#!/bin/sh\n", { mode: 0o755 })],
    ["an empty file", (path) => writeFileSync(path, "")],
    ["a folder", (path) => mkdirSync(path)],
    ["a link to another program", (path) => symlinkSync("/bin/sh", path)],
    ["a dangling link", (path) => symlinkSync("/no/such", path)],
  ];

  describe.each(strangers)("where %s is", (what, make) => {
    test.each([
      ["symbolic", ["-s"]],
      ["hard", []],
    ])("touches nothing (%s links)", async (_, flags) => {
      using world = new World();
      const folder = world.folder("links");
      make(join(folder, "doctor"));
      const before = parseMetrics(join(folder, "doctor"));
      const { code, stdout, stderr } = await install(world, ...flags, folder);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toContain(
        `Nothing was installed: ${folder}/doctor is not a link of ${PROGRAM}. Remove it, `,
      );
      expect(readdirSync(folder)).toEqual(["doctor"]);
      expect(parseMetrics(join(folder, "doctor"))).toEqual(before);
    });

    test("--force replaces it, but never a folder", async () => {
      using world = new World();
      const folder = world.folder("links");
      make(join(folder, "doctor"));
      const { code, stderr } = await install(world, "-s", "--force", folder);
      if (what === "a folder") {
        expect(code).toBe(1);
        expect(stderr).toContain(`${folder}/doctor cannot be created: it is a directory.`);
        expect(statSync(join(folder, "doctor")).isDirectory()).toBe(true);
      } else {
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(readlinkSync(join(folder, "doctor"))).toBe(binary);
      }
    });
  });

  test("what --force replaces by a link stays as it is elsewhere", async () => {
    using world = new World();
    const theirs = world.file("theirs", "content", 0o755);
    const folder = world.folder("links");
    symlinkSync(theirs, join(folder, "backup"));
    expect((await install(world, "-s", "--force", folder)).code).toBe(0);
    expect(readFileSync(theirs, "utf8")).toBe("content");
  });

  test("a link of an older version is its own", async () => {
    using world = new World();
    const folder = world.folder("links");
    symlinkSync(`/opt/old/${PROGRAM}`, join(folder, "backup"));
    expect((await install(world, "-s", folder)).code).toBe(0);
    expect(readlinkSync(join(folder, "backup"))).toBe(binary);
  });

  test("a directory that is not there, or is none", async () => {
    using world = new World();
    for (const folder of [`${world.dir}/none`, world.file("file", "")]) {
      const { code, stdout, stderr } = await install(world, folder);
      expect({ code, stdout, stderr }).toEqual({
        code: 1,
        stdout: "",
        stderr: `${PROGRAM}: ${folder} is not a directory; create it first.\n`,
      });
    }
  });
});

describe.each([
  ["symbolic", ["-s"]],
  ["hard", []],
])("--install makes all %s links or none", (_, flags) => {
  const listing = (folder: string) =>
    Object.fromEntries(readdirSync(folder).map((name) => [name, parseMetrics(join(folder, name))]));

  test("where one is a folder", async () => {
    using world = new World();
    const folder = world.folder("links");
    writeFileSync(join(folder, "backup"), "mine");
    mkdirSync(join(folder, names.at(-1) ?? ""));
    const before = listing(folder);
    const { code, stdout } = await world.run(PROGRAM, ["--install", ...flags, "--force", folder]);
    expect({ code, stdout, after: listing(folder) }).toEqual({ code: 1, stdout: "", after: before });
  });

  test("where one fails midway, by whatever (a rename that the kernel refuses)", async () => {
    using world = new World();
    const folder = world.folder("links");
    writeFileSync(join(folder, "backup"), "mine");
    writeFileSync(join(folder, "status"), "mine too");
    const before = listing(folder);
    for (const nth of [1, 2, 9]) {
      const strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=rename,renameat,renameat2"];
      const inject = ["-e", `inject=rename,renameat,renameat2:error=ENOSPC:when=${nth}`];
      const install = [world.link(PROGRAM), "--install", ...flags, "--force", folder];
      const { code, stdout } = await world.exec([...strace, ...inject, ...install]);
      expect({ nth, code, stdout, after: listing(folder) }).toEqual({
        nth,
        code: 1,
        stdout: "",
        after: before,
      });
    }
  });
});
