import { expect } from "bun:test";
import { existsSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describeArchive, describeFolder, namesOf } from "../support/archives.ts";
import { needing } from "../support/needing.ts";
import { restic, restics } from "../support/restics.ts";
import { Snapshots } from "../support/snapshots.ts";
import { World } from "../support/world.ts";

const { afterAll, beforeAll, describe, test } = needing("restic", "python3");

let snapshots: Snapshots;
beforeAll(async () => {
  snapshots = await Snapshots.make();
});
afterAll(() => snapshots?.[Symbol.dispose]());

/** What lies in a folder; temporary files would be among it. */
const left = (folder: string) => readdirSync(folder).sort();

/** The folders above the source have been written to since the backup. */
const timeless = (lines: readonly string[]) =>
  lines.map((line) => (/^b'tmp(\/rbh-\w+)?' /.test(line) ? line.replace(/ \d+$/, "") : line));

describe.each(restics.map(({ version, path }) => [version, path] as const))(
  "snapshot-export with restic %s",
  (_, path) => {
    test("streams all of a snapshot, whatever it is packed with, and writes nothing elsewhere", async () => {
      using world = snapshots.open(path);
      const out = world.folder("out");
      const expected = timeless(describeFolder(snapshots.source));
      // How it is packed has nothing to do with restic.
      const endings = path === restic.path ? ["tar", "tar.gz", "tar.zst"] : ["tar.gz"];
      for (const ending of endings) {
        const output = join(out, `all.${ending}`);
        const { code, stdout, stderr } = await world.run(
          "snapshot-export",
          ["--output", output, "--verify"],
          {
            // Nobody needs it: no temporary tree.
            env: { TMPDIR: "/nonexistent" },
          },
        );
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(stdout).toContain(`to ${output}: everything, streamed.`);
        expect(stdout).toContain(`Exported 18 files in 12 folders, 3.124 MiB, to ${output} (`);
        expect(stdout).toContain(", verified).");
        expect(timeless(describeArchive(output))).toEqual(expected);
        const { size, mode } = statSync(output);
        expect(mode & 0o777).toBe(0o600);
        expect(world.record("snapshot-export")).toMatchObject({
          status: "ok",
          snapshot: snapshots.short(3),
          snapshot_id: snapshots.short(3),
          archive: output,
          archive_size_bytes: size,
          work_dir: null,
          files: 18,
          bytes: 3_276_047,
        });
      }
      expect(left(out)).toEqual(endings.map((ending) => `all.${ending}`));
    });

    test("a folder, a file, and patterns: either way gives the same members", async () => {
      using world = snapshots.open(path);
      const out = world.folder("out");
      const work = world.folder("work");
      const { source } = snapshots;
      const members = async (name: string, way: "streamed" | "packed", ...args: string[]) => {
        const output = join(out, name);
        const words = ["--output", output, "--work-dir", work, ...args];
        const { code, stdout, stderr } = await world.run("snapshot-export", words);
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        expect(stdout.includes(", streamed.")).toBe(way === "streamed");
        expect(left(work)).toEqual([]);
        const { work_dir } = world.record("snapshot-export");
        if (way === "streamed") expect(work_dir).toBeNull();
        else expect(work_dir).toStartWith(join(work, "snapshot-export."));
        return describeArchive(output);
      };
      const all = await members("1.tar", "packed", "--exclude", "matches nothing");
      expect(all).toEqual(await members("2.tar.zst", "streamed"));

      const docs = join(source, "docs");
      const folder = await members("3.tar.gz", "streamed", "--include", `${docs}/`);
      expect(folder).toEqual(await members("4.tar", "packed", "--include", docs, "--exclude", "nothing"));
      expect(timeless(folder)).toEqual(timeless(describeFolder(docs)));

      const leaf = join(docs, "deep/er/still/leaf.txt");
      const file = await members("5.tar.gz", "streamed", "--include", leaf);
      expect(file).toEqual(await members("6.tar", "packed", "--include", leaf, "--exclude", "nothing"));
      expect(namesOf(file).at(-1)).toBe(leaf.slice(1));

      const link = await members("7.tar", "packed", "--include", join(docs, "relative"));
      expect(namesOf(link).at(-1)).toBe(join(docs, "relative").slice(1));
      const globbed = await members("8.tar", "packed", "--include", "*.log", "--include", "hollow");
      expect(namesOf(globbed).slice(-4)).toEqual(
        ["", "/hollow", "/logs", "/logs/app.log"].map((name) => `${source.slice(1)}${name}`),
      );
    });

    test("nothing matches: exit 3, no archive", async () => {
      using world = snapshots.open(path);
      const out = world.folder("out");
      for (const args of [
        ["--include", "/not/there"],
        ["--include", "*.nothing"],
      ]) {
        const words = ["--output", join(out, "x.tar"), "--work-dir", world.dir, ...args];
        const { code, stdout } = await world.run("snapshot-export", words);
        expect(code).toBe(3);
        expect(stdout).toContain(`Nothing in snapshot ${snapshots.short(3)} matches (only ${args[1]})`);
        expect(world.record("snapshot-export")).toMatchObject({ exit_code: 3, include_zero_match: "ON" });
      }
      expect(left(out)).toEqual([]);
      expect(left(world.dir).filter((name) => name.startsWith("snapshot-export"))).toEqual([]);
    });

    test("--dry-run: says how much it would be, writes nothing", async () => {
      using world = snapshots.open(path);
      const out = world.folder("out");
      const words = ["--output", join(out, "x.tar"), "--dry-run"];
      const { code, stdout } = await world.run("snapshot-export", words);
      expect(code).toBe(0);
      expect(stdout).toContain(
        "Nothing was written; the archive would hold 18 files, 3.124 MiB before compression.",
      );
      const folder = await world.run("snapshot-export", [
        ...words,
        "--include",
        join(snapshots.source, "logs"),
      ]);
      expect(folder.stdout).toContain("the archive would hold 2 files, 3.910 KiB before compression.");
      expect(world.record("snapshot-export")).toMatchObject({ dry_run: "ON", files: 2, bytes: 4004 });
      expect(left(out)).toEqual([]);
    });
  },
);

test("names of its own: /restore/snapshot-export-<snapshot>-<time>.tar.gz, when there is a /restore", async () => {
  using world = snapshots.open(restic.path);
  const { code, stdout } = await world.run("snapshot-export", ["--dry-run"]);
  if (existsSync("/restore")) {
    expect(stdout).toMatch(/to \/restore\/snapshot-export-[0-9a-f]{8}-\d{8}-\d{6}\.tar\.gz:/);
    expect(code).toBe(0);
  } else {
    expect(stdout).toContain(
      "There is no directory /restore for the archive. Mount or create it, or choose another",
    );
    expect(code).toBe(2);
  }
});

test("with busybox alone: the same members but for attributes", async () => {
  using world = snapshots.open(restic.path);
  for (const name of ["sh", "tar", "xargs", "mkfifo", "chown"]) world.useBusybox(name);
  symlinkSync(Bun.which("flock") ?? "", join(world.bin, "flock"));
  const env = { PATH: world.bin };
  const output = join(world.dir, "x.tar.gz");
  const words = ["--output", output, "--work-dir", world.folder("work"), "--exclude", "nothing"];
  const { code, stdout } = await world.run("snapshot-export", words, { env });
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining(", by way of a work") });
  const plain = (lines: string[]) =>
    // busybox tar keeps no attributes, and a second name of a file as a link to the first.
    timeless(lines)
      .filter((line) => !/docs\/(hard|plain\.txt)'/.test(line))
      .map((line) => line.replace(/ user\..*/, ""));
  expect(plain(describeArchive(output))).toEqual(plain(describeFolder(snapshots.source)));
  expect(namesOf(describeArchive(output))).toEqual(namesOf(describeFolder(snapshots.source)));
});

test("--keep-workdir leaves the work directory, and says where", async () => {
  using world = snapshots.open(restic.path);
  const args = ["--output", join(world.dir, "x.tar"), "--work-dir", world.folder("work"), "--keep-workdir"];
  const { code, stdout } = await world.run("snapshot-export", [
    ...args,
    "--include",
    "*.log",
    "--include",
    "x",
  ]);
  expect(code).toBe(0);
  const { work_dir } = world.record("snapshot-export");
  expect(stdout).toContain(`The work directory is kept: ${work_dir}.`);
  expect(existsSync(join(work_dir, snapshots.source, "logs/app.log"))).toBe(true);
  expect(statSync(work_dir).mode & 0o777).toBe(0o700);

  const again = join(world.dir, "y.tar");
  await world.run("snapshot-export", [
    "--output",
    again,
    "--work-dir",
    world.folder("work"),
    "--exclude",
    "none",
  ]);
  expect(existsSync(work_dir)).toBe(true);
});

test("--force replaces an archive, and --verbose names the members", async () => {
  using world = snapshots.open(restic.path);
  const output = world.file("x.tar", "old");
  const args = ["--output", output, "--include", join(snapshots.source, "logs"), "-v"];
  const refused = await world.run("snapshot-export", args);
  expect(refused.code).toBe(2);
  expect(refused.stdout).toContain(
    `${output} exists already. Choose another --output, or give --force to replace it.`,
  );
  expect(world.read("x.tar")).toBe("old");
  const { code, stdout } = await world.run("snapshot-export", [...args, "--force"]);
  expect(code).toBe(0);
  expect(stdout).toContain(`tar | ${snapshots.source.slice(1)}/logs/app.log\n`);
  expect(namesOf(describeArchive(output)).at(-1)).toEndWith("logs/app.tmp");
});

test.each<[string[], string]>([
  [["--output", "x.zip"], "--output x.zip does not end in one of .tar.gz, .tar.zst, .tar"],
  [["--output", "/tmp/.tar"], "does not end in one of"],
  [["--output", ""], "does not end in one of"],
  [["--id", "zz"], "--id zz is not a snapshot's ID"],
  [["--exclude", " "], "need a value"],
  [["--work-dir", ""], "need a value"],
  [["--dry-run", "--verify"], "give one of them"],
])("%j: exit 2 on stderr, nothing done", async (args, words) => {
  using world = new World();
  world.restic('echo "$@" >>"$HOME/calls"');
  const { code, stdout, stderr } = await world.run("snapshot-export", args);
  expect({ code, stdout, called: world.has("calls") }).toEqual({ code: 2, stdout: "", called: false });
  expect(stderr).toContain(words);
});

test.each<[string, (world: World) => string, string]>([
  ["in no folder", () => "/nonexistent/x.tar", "There is no directory /nonexistent for the archive."],
  ["a folder", (world) => world.folder("x.tar"), "is a directory; --output names the archive itself."],
])("an output that is %s: exit 2 before restic is called", async (_, output, words) => {
  using world = new World();
  world.restic('echo "$@" >>"$HOME/calls"');
  const { code, stdout } = await world.run("snapshot-export", ["--output", output(world)]);
  expect({ code, called: world.has("calls") }).toEqual({ code: 2, called: false });
  expect(stdout).toContain(words);
});
