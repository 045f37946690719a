// Where a restore goes: a target that cannot keep the files is refused before restic starts; --in-place; a repository
// that can be read but not written.
import { expect } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canMount, isMounted } from "../support/mounts.ts";
import { needing } from "../support/needing.ts";
import { restics } from "../support/restics.ts";
import { Snapshots } from "../support/snapshots.ts";
import { converse } from "../support/terminal.ts";
import { describeTree, isRoot } from "../support/tree.ts";
import { type World, waitFor } from "../support/world.ts";

const { afterAll, beforeAll, describe, test } = needing("restic", "python3");

let snapshots: Snapshots;
beforeAll(async () => {
  snapshots = await Snapshots.make();
});
afterAll(() => snapshots[Symbol.dispose]());

/** Mounts, and unmounts when its scope ends. */
async function mounted(world: World, folder: string, ...words: string[]) {
  const { code, stderr } = await world.exec(["mount", ...words, folder]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return {
    async [Symbol.asyncDispose]() {
      await world.exec(["umount", folder]);
    },
  };
}

const memory = (world: World, folder: string) => mounted(world, folder, "-t", "tmpfs", "tmpfs");

/** A small file system that is not in memory. */
async function smallDisk(world: World, folder: string) {
  const image = join(world.dir, "disk.img");
  await world.exec(["sh", "-c", `truncate -s 4M ${image} && mkfs.ext4 -q ${image}`]);
  const disk = await mounted(world, folder, "-o", "loop", image);
  rmSync(join(folder, "lost+found"), { recursive: true });
  return disk;
}

/** What restic did: nothing, when the target was refused before it was started. */
const wasStarted = (stdout: string) => /restic \||Restoring snapshot/.test(stdout);

/** Makes the repository a read-only mount. */
async function writeProtected(world: World) {
  await world.exec(["mount", "--bind", world.repository, world.repository]);
  await world.exec(["mount", "-o", "remount,ro,bind", world.repository]);
  return {
    async [Symbol.asyncDispose]() {
      await world.exec(["umount", world.repository]);
    },
  };
}

describe.skipIf(!isRoot).each(restics.map(({ version, path }) => [version, path] as const))(
  "with restic %s (needs root, to mount)",
  (version, path) => {
    test("a target in memory is refused; --force warns", async () => {
      using world = snapshots.open(path);
      const target = world.folder("memory");
      await using _ = await memory(world, target);
      const { code, stdout } = await world.run("restore", ["--target", join(target, "new/deep")]);
      expect(code).toBe(2);
      expect(stdout).toContain(
        `The target ${target}/new/deep is refused: it lies in memory (tmpfs on ${target}), which is gone with the container`,
      );
      expect(stdout).toContain("Choose another --target, or give --force if you mean it.");
      expect(wasStarted(stdout)).toBe(false);
      expect(readdirSync(target)).toEqual([]);
      const forced = await world.run("restore", ["--target", target, "--force"]);
      expect(forced.code).toBe(0);
      expect(forced.stdout).toContain(
        `WARN  restore  Restoring to ${target} (--force), although it lies in memory`,
      );
    });

    test("a target that cannot be written is refused", async () => {
      using world = snapshots.open(path);
      const target = world.folder("ro");
      await using _ = await mounted(world, target, "-t", "tmpfs", "-o", "ro", "tmpfs");
      const { code, stdout } = await world.run("restore", ["--target", join(target, "new")]);
      expect(code).toBe(2);
      expect(stdout).toContain(`The target ${target}/new is refused: it cannot be written: `);
      expect(stdout).toContain("the file system is read-only. Choose another --target");
      expect(wasStarted(stdout)).toBe(false);
    });

    test("a target without the room is refused; a part that fits is restored", async () => {
      using world = snapshots.open(path);
      const target = world.folder("small");
      await using _ = await smallDisk(world, target);
      const restored = (...args: string[]) => world.run("restore", ["--target", target, ...args]);
      const { code, stdout } = await restored();
      expect({ code, stdout }).toEqual({ code: 2, stdout: expect.stringContaining("lacks the room") });
      expect(stdout).toMatch(
        /The target .*small lacks the room: 2\.\d+ MiB is free there, and the restore writes 3\.124 MiB\. Choose another --target/,
      );
      expect(readdirSync(target)).toEqual([]);
      const photos = await restored("--include", join(snapshots.source, "photos"));
      expect({ code: photos.code, stdout: photos.stdout }).toEqual({
        code: 2,
        stdout: expect.stringContaining("lacks the room"),
      });
      // A pattern leaves out nobody knows how much: a warning only.
      const pattern = await restored("--include", "*.log");
      expect(pattern.code).toBe(0);
      expect(pattern.stdout).toContain("and the restore writes up to 3.124 MiB.");
      rmSync(join(target, "tmp"), { recursive: true });
      const docs = await restored("--include", join(snapshots.source, "docs"));
      expect(docs.code).toBe(0);
      expect(docs.stdout).not.toContain("lacks the room");
    });

    test("a repository that can be read but not written: with --no-lock, said so", async () => {
      using world = snapshots.open(path);
      await using _ = await writeProtected(world);
      const said = "can be read but not written (read-only file system): going on with --no-lock.";
      const target = join(world.dir, "target");
      const restored = await world.run("restore", ["--target", target, "--include", "app.tmp"]);
      expect({ code: restored.code, stdout: restored.stdout }).toEqual({
        code: 0,
        stdout: expect.stringContaining(said),
      });
      expect(existsSync(join(target, snapshots.source, "logs/app.tmp"))).toBe(true);
      const tested = await world.run("restore-test", ["--sample", "1"], { env: { TMPDIR: world.dir } });
      expect({ code: tested.code, said: tested.stdout.includes(said) }).toEqual({ code: 0, said: true });
      const listed = await world.run("restore", ["--list"]);
      expect(listed.code).toBe(0);
      const exported = await world.run("snapshot-export", ["--output", join(world.dir, "x.tar")]);
      expect({ code: exported.code, said: exported.stdout.includes(said) }).toEqual({ code: 0, said: true });
      expect(readdirSync(join(world.repository, "locks"))).toEqual([]);
    });

    test.skipIf(!canMount)("mount-snapshot of such a repository", async () => {
      using world = snapshots.open(path);
      await using _ = await writeProtected(world);
      const at = world.folder("at");
      const child = world.start("mount-snapshot", ["--target", at, "--repo-wide"]);
      await waitFor(
        () =>
          world.has("log/mount-snapshot-last.log") &&
          world.read("log/mount-snapshot-last.log").includes("To end it"),
        "the mount",
        30_000,
      );
      child.kill("SIGINT");
      const [code, stdout] = [await child.exited, await new Response(child.stdout).text()];
      expect(code).toBe(0);
      expect(stdout).toContain("going on with --no-lock");
      expect(isMounted(at)).toBe(false);
    });

    test("--in-place puts back what is gone and what was changed, and keeps what is new", async () => {
      using world = snapshots.open(path);
      const { source } = snapshots;
      if (Bun.semver.order(version, "0.17.0") < 0) {
        const old = await world.run("restore", ["--in-place", "--yes"]);
        expect(old.code).toBe(2);
        expect(old.stdout).toContain(
          `--in-place needs restic 0.17.0 or later, since restic ${version} replaces no symbolic links.`,
        );
        expect(wasStarted(old.stdout)).toBe(false);
        return;
      }
      const before = describeTree(source);
      const spoil = () => {
        writeFileSync(join(source, "logs/app.log"), "spoilt\n");
        rmSync(join(source, "docs/deep"), { recursive: true, force: true });
      };
      spoil();
      const unsure = await world.run("restore", ["--in-place"]);
      expect(unsure.code).toBe(2);
      expect(unsure.stdout).toContain("there is no terminal to ask on. Give --yes if you mean it.");
      expect(readFileSync(join(source, "logs/app.log"), "utf8")).toBe("spoilt\n");

      mkdirSync(join(source, "hollow/new"), { recursive: true });
      const { code, stdout } = await world.run("restore", ["--in-place", "--yes"]);
      expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("(--in-place)") });
      expect(existsSync(join(source, "hollow/new"))).toBe(true);
      rmSync(join(source, "hollow/new"), { recursive: true });
      const lines = (tree: readonly string[]) => tree.filter((line) => !line.includes("hollow"));
      expect(lines(describeTree(source))).toEqual(lines(before));
      const record = world.record("restore");
      expect(record).toMatchObject({ status: "ok", target: "/" });
      expect(record.files_restored).toBeGreaterThan(5);

      spoil();
      const part = ["--in-place", "--yes", "--include", join(source, "logs/app.log")];
      expect((await world.run("restore", part)).code).toBe(0);
      expect(readFileSync(join(source, "logs/app.log"), "utf8")).not.toBe("spoilt\n");
      expect(existsSync(join(source, "docs/deep"))).toBe(false);
      expect((await world.run("restore", ["--in-place", "--yes"])).code).toBe(0);
      expect(lines(describeTree(source))).toEqual(lines(before));
    });

    test.skipIf(Bun.semver.order(version, "0.17.0") < 0)(
      "--in-place replaces a source that is a file; what was saved by a relative path is refused",
      async () => {
        using world = snapshots.open(path);
        const single = world.file("one *[1] file", "saved\n", 0o444);
        const saved = ["restic", "backup", "--quiet", "--host", "testhost", "--tag", "automated"];
        expect((await world.exec([...saved, single])).code).toBe(0);
        rmSync(single);
        writeFileSync(single, "spoilt\n", { mode: 0o444 });
        const { code, stdout } = await world.run("restore", ["--in-place", "--yes"]);
        expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("(--in-place)") });
        expect(readFileSync(single, "utf8")).toBe("saved\n");

        const name = `relative-${process.pid}`;
        world.file(`${name}/note`, "saved\n");
        const inside = ["sh", "-c", 'cd "$0" && exec "$@"', world.dir];
        expect((await world.exec([...inside, ...saved, name])).code).toBe(0);
        for (const words of [[], ["--include", `/${name}/note`], ["--include", "note"]]) {
          const refused = await world.run("restore", ["--in-place", "--yes", ...words]);
          expect({ code: refused.code, stdout: refused.stdout }).toEqual({
            code: 2,
            stdout: expect.stringContaining(
              `was made of relative paths: it holds nothing under ${world.dir}/${name}`,
            ),
          });
        }
        expect(existsSync(`/${name}`)).toBe(false);
      },
    );
  },
);

test.skipIf(!isRoot)("sources that cannot be written refuse --in-place (needs root, to mount)", async () => {
  using world = snapshots.open(restics.at(-1)!.path);
  const { source } = snapshots;
  await using _ = await mounted(world, source, "--bind", "-o", "ro", source);
  const { code, stdout } = await world.run("restore", ["--in-place", "--yes"]);
  expect(code).toBe(2);
  expect(stdout).toContain(`Nothing can be put back to ${source}: it cannot be written: `);
  expect(stdout).toContain("or restore elsewhere with --target.");
  expect(wasStarted(stdout)).toBe(false);
});

test("the refusal of a source as a target names --in-place; that of a full folder does not", async () => {
  using world = snapshots.open(restics.at(-1)!.path);
  for (const target of ["/data", world.source]) {
    const { code, stdout } = await world.run("restore", ["--target", target]);
    expect(code).toBe(2);
    expect(stdout).toContain("To put the files back where they were, give --in-place instead");
  }
  world.file("full/file", "");
  const full = await world.run("restore", ["--target", join(world.dir, "full")]);
  expect(full.stdout).toContain("it is not empty");
  expect(full.stdout).not.toContain("--in-place");
});

test("at a terminal --in-place asks before it replaces anything", async () => {
  using world = snapshots.open(restics.at(-1)!.path);
  const args = ["--in-place", "--id", snapshots.short(0), "--include", "app.log"];
  const { code, screen, unasked } = await converse(world, "restore", args, [
    ["Rehearse it first", "n\n"],
    [`Replace what is there now by only app.log of snapshot ${snapshots.short(0)}?`, "n\n"],
  ]);
  expect({ code, unasked }).toEqual({ code: 130, unasked: [] });
  expect(screen).toContain("Cancelled; nothing was restored.");
});

describe.skipIf(!isRoot)("restore-test and memory (needs root, to mount)", () => {
  test("a TMPDIR in memory: it chooses a folder on a disk", async () => {
    using world = snapshots.open(restics.at(-1)!.path);
    const temporary = world.folder("memory");
    await using _ = await memory(world, temporary);
    const { code, stdout } = await world.run("restore-test", [], { env: { TMPDIR: temporary } });
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(
        new RegExp(`TMPDIR ${temporary} lies in memory; restoring into /\\S+\\.`),
      ),
    });
    const { target } = world.record("restore-test");
    expect(target).not.toStartWith(temporary);
    expect(existsSync(target)).toBe(false);
  });

  test("no disk at all: it refuses, unless --force is given", async () => {
    using world = snapshots.open(restics.at(-1)!.path);
    const temporary = world.folder("memory");
    await using _ = await memory(world, temporary);
    // In a mount namespace of its own, where all that could be chosen is in memory.
    const hide = "for each in /var/tmp /restore; do [ ! -d $each ] || mount -t tmpfs none $each; done";
    const tested = (...args: string[]) =>
      world.exec(
        ["unshare", "--mount", "sh", "-c", `${hide}; exec "$@"`, "sh", world.link("restore-test"), ...args],
        {
          env: { TMPDIR: temporary, RESTIC_CACHE_DIR: undefined },
        },
      );
    const { code, stdout } = await tested();
    expect(code).toBe(2);
    expect(stdout).toContain(`TMPDIR ${temporary} is not a place for a restore: it lies in memory`);
    expect(stdout).toContain("or name one with --target or RESTORE_TEST_TARGET.");
    const forced = await tested("--force");
    expect({ code: forced.code, stdout: forced.stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining("is not a place for a restore"),
    });
  });
});
