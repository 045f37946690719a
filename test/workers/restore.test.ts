import { expect } from "bun:test";
import { existsSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { needing } from "../support/needing.ts";
import { restic, restics } from "../support/restics.ts";
import { OTHER_TIME, Snapshots, TIMES } from "../support/snapshots.ts";
import { describeTree, isRoot } from "../support/tree.ts";
import { World } from "../support/world.ts";

const { afterAll, beforeAll, describe, test } = needing("restic", "python3");

let snapshots: Snapshots;
beforeAll(async () => {
  snapshots = await Snapshots.make();
});
afterAll(() => snapshots[Symbol.dispose]());

/** Does this restic rehearse a restore? */
const rehearses = (version: string) => Bun.semver.order(version, "0.17.0") >= 0;
/** Names below a folder, in order. */
const names = (folder: string) => readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();

describe.each(restics.map(({ version, path }) => [version, path] as const))(
  "restore with restic %s",
  (version, path) => {
    test("brings back everything: bytes, modes, times, owners, links, attributes", async () => {
      using world = snapshots.open(path);
      const target = join(world.dir, "target");
      const { code, stdout, stderr } = await world.run("restore", ["--target", target]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const said = `Restoring snapshot ${snapshots.short(3)} of ${TIMES[3]} (host testhost, tags automated, paths ${snapshots.source}) to ${target}: everything.`;
      const done = `Restored 31 files and folders, 3.124 MiB, to ${target}.`;
      expect(stdout).toContain(`INFO  restore  ${said}`);
      expect(stdout).toContain(`INFO  restore  ${done}`);
      expect(stdout.indexOf(said)).toBeLessThan(stdout.indexOf(done));
      expect(describeTree(join(target, snapshots.source))).toEqual(describeTree(snapshots.source));
      expect(world.record("restore")).toMatchObject({
        job: "restore",
        status: "ok",
        exit_code: 0,
        snapshot: snapshots.short(3),
        snapshot_id: snapshots.short(3),
        target,
        dry_run: "OFF",
        files_restored: 31,
        bytes_restored: 3_276_041,
        include_zero_match: "OFF",
      });
    });

    test("--include and --exclude, alone and together", async () => {
      using world = snapshots.open(path);
      const { source } = snapshots;
      const restored = async (name: string, ...patterns: string[]) => {
        const target = join(world.dir, name);
        const { code, stderr } = await world.run("restore", ["--target", target, ...patterns]);
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
        return names(join(target, source));
      };
      expect(await restored("a", "--include", join(source, "logs"))).toEqual([
        "logs",
        "logs/app.log",
        "logs/app.tmp",
      ]);
      expect(await restored("b", "--include", "*.log", "--include", "leaf.txt")).toEqual([
        ...["docs", "docs/deep", "docs/deep/er", "docs/deep/er/still", "docs/deep/er/still/leaf.txt"],
        ...["logs", "logs/app.log"],
      ]);
      const without = await restored("c", "--exclude", "docs", "--exclude", "*.tmp", "--exclude", "odd");
      expect(without).toEqual([
        ...["hollow", "logs", "logs/app.log", "photos", "photos/folder"],
        ...["photos/grüße mit Leerzeichen.jpg", "photos/large.bin"],
      ]);
      expect(await restored("d", `--include=${source}/logs`, "--exclude=*.tmp")).toEqual([
        "logs",
        "logs/app.log",
      ]);
    });

    test("includes that match nothing: exit 3, and nothing is restored", async () => {
      using world = snapshots.open(path);
      world.hook("post-restore", 'echo "post $1"');
      const target = join(world.dir, "target");
      const { code, stdout } = await world.run("restore", ["--target", target, "--include", "/not/there"]);
      expect(code).toBe(3);
      expect(stdout).toContain("ERROR restore  Nothing in the snapshot matches --include /not/there");
      expect(stdout).toContain("post-restore | post 3");
      expect(existsSync(target) ? names(target) : []).toEqual([]);
      expect(world.record("restore")).toMatchObject({
        exit_code: 3,
        status: "failed",
        include_zero_match: "ON",
        files_restored: 0,
      });
    });

    test("--dry-run: writes nothing, into a target that is not empty too; an old restic is named", async () => {
      using world = snapshots.open(path);
      const target = world.folder("target");
      world.file("target/mine", "mine");
      const { code, stdout, stderr } = await world.run("restore", ["--target", target, "--dry-run"]);
      expect(stderr).toBe("");
      expect(names(target)).toEqual(["mine"]);
      if (rehearses(version)) {
        expect(code).toBe(0);
        expect(stdout).toContain("Rehearsing the restore of snapshot");
        expect(stdout).toContain(
          "Nothing was written; the restore would write 31 files and folders, 3.124 MiB.",
        );
        expect(world.record("restore")).toMatchObject({ dry_run: "ON", files_restored: 31 });
      } else {
        expect(code).toBe(2);
        expect(stdout).toContain(
          `A restore can be rehearsed only by restic 0.17.0 or later; this is restic ${version}. Leave out --dry-run`,
        );
        expect(world.record("restore")).toMatchObject({ exit_code: 2, status: "failed" });
      }
    });

    test("--verify and --verbose", async () => {
      using world = snapshots.open(path);
      const target = join(world.dir, "target");
      const { code, stdout } = await world.run("restore", ["--target", target, "--verify", "-v"]);
      expect(code).toBe(0);
      expect(stdout).toMatch(/Restored 31 files and folders, 3\.124 MiB, to .*target, and verified them\./);
      if (rehearses(version)) expect(stdout).toMatch(/restic \| restored .*docs\/plain\.txt/);
    });

    test.skipIf(!isRoot)(
      "--owner: after success, links themselves, nothing outside (needs root)",
      async () => {
        using world = snapshots.open(path);
        const target = join(world.dir, "target");
        const { code, stdout } = await world.run("restore", ["--target", target, "--owner", "12345:23456"]);
        expect(code).toBe(0);
        expect(stdout).toContain(`Giving everything in ${target} to 12345:23456.`);
        const owners = new Set(describeTree(target).map((line) => / (\d+:\d+) \d+/.exec(line)?.[1]));
        expect([...owners]).toEqual(["12345:23456"]);
        expect(statSync(target)).toMatchObject({ uid: 12345, gid: 23456 });
        // docs/outside leads there.
        expect(statSync(join(snapshots.source, "../outside.txt"))).toMatchObject({ uid: 0, gid: 0 });
        expect(world.record("restore")).toMatchObject({ owner: "12345:23456", owner_changed: "ON" });
      },
    );

    test("a wrong password", async () => {
      using world = snapshots.open(path);
      const { code, stdout } = await world.run("restore", ["--target", join(world.dir, "target")], {
        env: { RESTIC_PASSWORD: "something else" },
      });
      expect(code).toBe(12);
      expect(stdout).toContain("The password does not open the repository");
      expect(world.record("restore")).toMatchObject({ exit_code: 12, status: "failed" });
    });

    test("--list: the newest that match, without lock, hooks or record", async () => {
      using world = snapshots.open(path);
      world.hook("pre-restore", "echo must not run");
      const { code, stdout, stderr } = await world.run("restore", ["--list"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      const row = (at: number) =>
        `${snapshots.short(at)}  ${TIMES[at]}  testhost  automated  ${snapshots.source}`;
      expect(stdout).toBe(
        `ID        TIME                 HOST      TAGS       PATHS\n${[3, 2, 1, 0].map(row).join("\n")}\n`,
      );
      expect(readdirSync(world.log)).toEqual([]);
      const other = await world.run("restore", ["--list", "--tag", "extra", "--host", ""]);
      expect(other.stdout).toContain(`${snapshots.short(-1)}  ${OTHER_TIME}  otherhost  other,extra`);
    });
  },
);

describe("which snapshot", () => {
  const chosen = async (...args: string[]) => {
    using world = snapshots.open(restic.path);
    const target = join(world.dir, "target");
    const { code, stdout } = await world.run("restore", [
      ...["--target", target, "--include", "app.tmp", "--include", "plain.txt"],
      ...args,
    ]);
    const record = world.record("restore");
    return { code, stdout, at: snapshots.ids.findIndex((id) => id.startsWith(record.snapshot ?? "-")) };
  };

  test.each<[number, string[]]>([
    [4, ["--tag", "", "--host", ""]],
    [4, ["--tag", "other,extra", "--host", "otherhost", "--id", "latest"]],
    [0, ["--since", "2026-03-01 10:00:00"]],
    [1, ["--since", "2026-03-01T10:00:01"]],
  ])("number %i by %j", async (at, args) => {
    expect(await chosen(...args)).toMatchObject({ code: 0, at });
  });

  test("an id names it whatever its host and tags are", async () => {
    expect(await chosen("--id", snapshots.ids.at(-1)!)).toMatchObject({ code: 0, at: 4 });
    expect(await chosen("--id", snapshots.short(1).toUpperCase())).toMatchObject({ code: 0, at: 1 });
  });

  test("--since is read in TZ, across a change of the clock", async () => {
    using world = snapshots.open(restic.path);
    const since = async (text: string) => {
      const target = join(world.dir, "target");
      const args = ["--target", target, "--include", "app.tmp", "--force", "--since", text];
      await world.run("restore", args, { env: { TZ: "Europe/Amsterdam" } });
      return world.record("restore").snapshot;
    };
    // 00:30 UTC is 01:30 in Amsterdam, half an hour before the clock is set forward.
    expect(await since("2026-03-29 01:30")).toBe(snapshots.short(1));
    expect(await since("2026-03-29 01:30:01")).toBe(snapshots.short(2));
    expect(await since("2026-03-29 03:00")).toBe(snapshots.short(2));
  });

  test.each<[string[], string]>([
    [
      ["--since", "2030-01-01"],
      "There is no snapshot with tag automated of host testhost from 2030-01-01 00:00:00 or later; the newest is",
    ],
    [
      ["--tag", "nope"],
      "There is no snapshot with tag nope of host testhost. The repository holds 5 snapshots, of the hosts testhost, otherhost and with the tags automated, other, extra.",
    ],
    [["--id", "0000000000"], "There is no snapshot 0000000000 among the 5 in this repository."],
  ])("none by %j: exit 1, and what there is instead", async (args, words) => {
    const { code, stdout } = await chosen(...args);
    expect(code).toBe(1);
    expect(stdout).toContain(`ERROR restore  ${words}`);
  });
});

test.each<[string[], string]>([
  [["--since", "yesterday"], '--since yesterday is not a date such as 2026-05-11 or "2026-05-11 09:30:00".'],
  [["--since", "2026-02-30"], "--since 2026-02-30 is not a date"],
  [["--id", "xyz"], "--id xyz is not a snapshot's ID"],
  [["--id", "abc", "--since", "2026-01-01"], "give one of them"],
  [["--owner", "root:root"], "--owner root:root is not UID:GID, two numbers such as 1000:1000."],
  [["--owner", "1000"], "is not UID:GID"],
  [["--owner", "1:4294967295"], "is not UID:GID"],
  [["--dry-run", "--verify"], "give one of them"],
  [["--include", ""], "need a pattern"],
  [["--target", ""], "--target needs a directory"],
  [["--inlcude", "x"], "did you mean --include?"],
  [["snapshot"], '"snapshot" is not expected.'],
])("%j: exit 2 on stderr, nothing done", async (args, words) => {
  using world = new World();
  world.restic('echo "$@" >>"$HOME/calls"');
  world.hook("pre-restore", 'touch "$HOME/hooked"');
  const { code, stdout, stderr } = await world.run("restore", args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(words);
  expect(stderr).toContain("Try: restore --help");
  expect({ called: world.has("calls"), hooked: world.has("hooked") }).toEqual({
    called: false,
    hooked: false,
  });
});

describe("a target that is refused", () => {
  const refused = async (prepare: (world: World) => string, args: string[] = [], roots?: string) => {
    using world = new World();
    world.restic('echo "$@" >>"$HOME/calls"');
    world.hook("post-restore", 'echo "post $1"');
    const target = prepare(world);
    const { code, stdout, stderr } = await world.run("restore", ["--target", target, ...args], {
      env: roots === undefined ? {} : { BACKUP_ROOT_DIR: roots },
    });
    expect({ code, stderr, called: world.has("calls") }).toEqual({ code: 2, stderr: "", called: false });
    expect(stdout).toContain("post-restore | post 2");
    expect(world.record("restore")).toMatchObject({ exit_code: 2, status: "failed" });
    return /is refused: (.*?)\. /.exec(stdout)?.[1]?.replaceAll(world.dir, "W");
  };

  test.each<[string, (world: World) => string, string]>([
    ["/", () => "/", "it is the root of the file system"],
    ["a way to /", () => "/tmp/.././/", "it is the root of the file system"],
    ["/data", () => "/data", "it is /data"],
    ["in /data", () => "/data/restored", "it is inside /data"],
    ["BACKUP_ROOT_DIR", ({ source }) => source, "it is BACKUP_ROOT_DIR W/source"],
    ["in it", ({ source }) => join(source, "new/er"), "it is inside BACKUP_ROOT_DIR W/source"],
    ["above it", ({ dir }) => dir, "it is above BACKUP_ROOT_DIR W/source"],
    [
      "a link to it",
      (world) => link(world.source, join(world.dir, "link")),
      "it is BACKUP_ROOT_DIR W/source",
    ],
    [
      "a link above the target leads into it",
      (world) => join(link(world.source, join(world.dir, "link")), "new"),
      "it is inside BACKUP_ROOT_DIR W/source",
    ],
    ["not empty", (world) => join(world.file("full/file", ""), ".."), "it is not empty"],
    [
      "a file",
      (world) => world.file("file", ""),
      "it cannot be inspected: a part of the path is not a directory",
    ],
  ])("%s", async (_, prepare, why) => {
    expect(await refused(prepare)).toBe(why);
  });

  test("BACKUP_ROOT_DIR through a link, and on its second line", async () => {
    const prepare = (world: World) => {
      link(world.source, "/tmp/rbh-restore-root-link");
      return join(world.source, "new");
    };
    try {
      expect(await refused(prepare, [], "/nonexistent\n/tmp/rbh-restore-root-link")).toBe(
        "it is inside BACKUP_ROOT_DIR /tmp/rbh-restore-root-link",
      );
    } finally {
      Bun.spawnSync(["rm", "-f", "/tmp/rbh-restore-root-link"]);
    }
  });

  test("a rehearsal may be of a full target, but not of the sources", async () => {
    expect(await refused(({ source }) => source, ["--dry-run"])).toBe("it is BACKUP_ROOT_DIR W/source");
  });

  test("--owner never goes with the sources, not even by force", async () => {
    expect(await refused(({ source }) => source, ["--force", "--owner", "1:1"])).toBe(
      "it is BACKUP_ROOT_DIR W/source, and --owner would change the owner of all of it, even with --force",
    );
  });

  test("--force restores over files, says so, and keeps what is not in the snapshot", async () => {
    using world = snapshots.open(restic.path);
    const target = world.folder("target");
    world.file("target/mine", "mine");
    const args = ["--target", target, "--force", "--include", "app.log"];
    const { code, stdout } = await world.run("restore", args);
    expect({ code, stdout }).toMatchObject({ code: 0 });
    expect(stdout).toContain(
      `WARN  restore  Restoring over files in ${target} (--force), although it is not empty.`,
    );
    expect(names(target)).toContain("mine");
    expect(names(target)).toContain(join(snapshots.source.slice(1), "logs/app.log"));
  });

  function link(to: string, path: string): string {
    symlinkSync(to, path);
    return path;
  }
});
