import { describe, expect, test } from "bun:test";
import { chmodSync, linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathsIn, staysOnOneFileSystem } from "../../lib/restic/backup-args.ts";
import { BadPattern, partPattern } from "../../lib/restic/glob.ts";
import { parseList } from "../../lib/restic/lists.ts";
import { needing } from "../support/needing.ts";
import { restic } from "../support/restics.ts";
import { binary, finish, World, waitFor } from "../support/world.ts";

const isRoot = process.getuid?.() === 0;

class Sources extends World {
  report(args: readonly string[] = [], env: Record<string, string | undefined> = {}) {
    return this.run("sources-report", args, { env });
  }

  get last() {
    return this.record("sources-report");
  }
}

test("counts files, folders, links and bytes, and every name of a file", async () => {
  using world = new Sources();
  world.file("source/deep/er/large.bin", Buffer.alloc(100_000));
  linkSync(join(world.source, "deep/er/large.bin"), join(world.source, "again.bin"));
  symlinkSync("file.txt", join(world.source, "link"));
  await world.exec(["mkfifo", join(world.source, "pipe")]);
  const { code, stdout, stderr } = await world.report();
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/SOURCE +FILES +FOLDERS +SIZE/);
  expect(stdout).toMatch(new RegExp(`${world.source} +3 +3 +195.320 KiB`));
  expect(stdout).toContain("97.656 KiB of it are further names of files that were counted already.");
  expect(stdout).toContain("Named pipes, sockets and devices: 1.");
  expect(stdout).toContain("sources-report finished: ok, exit 0");
  expect(world.last).toMatchObject({
    status: "ok",
    errors_count: 0,
    missing_count: 0,
    total_files: 3,
    total_bytes: 200_008,
    totals: { files: 3, folders: 3, links: 1, specials: 1, bytes: 200_008, hard_link_bytes: 100_000 },
    sources: [{ path: world.source, origin: "BACKUP_ROOT_DIR", readable: "ON", type: "directory", files: 3 }],
    files_from: [],
    exclude_files: [],
  });
});

needing("restic").test("the same numbers as restic's", async () => {
  using world = new Sources();
  world.useRestic(restic.path);
  for (let at = 0; at < 50; at++) world.file(`source/${at % 7}/${at}.txt`, "x".repeat(at));
  linkSync(join(world.source, "1/1.txt"), join(world.source, "hard"));
  symlinkSync("/", join(world.source, "root"));
  await world.exec(["restic", "init"]);
  expect((await world.run("backup")).code).toBe(0);
  await world.report();
  const { total_files_processed, total_bytes_processed, dirs_new } = world.record();
  const { totals } = world.last;
  expect(totals.files).toBe(total_files_processed);
  expect(totals.bytes).toBe(total_bytes_processed);
  // restic counts the folders above the source, too.
  expect(totals.folders).toBe(dirs_new - world.source.split("/").length + 2);
});

test("--depth tells of folders by themselves, --no-size only counts", async () => {
  using world = new Sources();
  world.file("source/a/b/c/file", "12345");
  world.file("source/a/file", "123");
  const deep = await world.report(["--depth", "2"]);
  expect(deep.stdout).toMatch(new RegExp(` {2}${world.source}/a +2 +3 +8 B`));
  expect(deep.stdout).toMatch(new RegExp(` {4}${world.source}/a/b +1 +2 +5 B`));
  expect(deep.stdout).not.toContain(`${world.source}/a/b/c`);
  const { subfolders } = world.last.sources[0];
  expect(subfolders.map(({ path, bytes }: { path: string; bytes: number }) => [path, bytes])).toEqual([
    [join(world.source, "a"), 8],
    [join(world.source, "a/b"), 5],
  ]);
  const counted = await world.report(["--no-size"]);
  expect(counted.stdout).not.toContain("SIZE");
  expect(world.last).toMatchObject({ total_files: 3, total_bytes: -1, totals: { files: 3, bytes: -1 } });
  expect(world.last.sources[0]).toMatchObject({ files: 3, folders: 4, bytes: -1, hard_link_bytes: -1 });
});

test("a large folder, which the walk goes into; what is named relatively stays where it is", async () => {
  using world = new Sources();
  for (let at = 0; at < 30; at++) world.file(`source/large/${at}/${at}.txt`, "12345");
  for (let at = 0; at < 30; at++) world.file(`source/large/file ${at}`, "12345");
  const env = { LOG_DIR: "relative/log", LOCK_DIR: "relative/lock" };
  for (const name of ["log", "lock"]) world.folder(`relative/${name}`);
  const { code, stdout } = await world.report(["--source", "source", "--source", world.source], env);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^\S+ \S+ INFO {2}sources-report {2}source +61 +32 /m);
  const record = JSON.parse(world.read("relative/log/last-sources-report.json"));
  expect(record.totals).toMatchObject({ files: 61, folders: 32, bytes: 308 });
  const deep = await world.report(["--source", world.source, "--depth", "2"], env);
  expect(deep.stdout).toContain(`${world.source}/large/29 `);
  const counted = await world.report(["--source", world.source, "--no-size"], env);
  expect(counted.stdout).toMatch(new RegExp(`${world.source} +61 +32`));
});

describe("what is not as it should be", () => {
  test("a missing source, a file, a link, and one within another", async () => {
    using world = new Sources();
    const file = world.file("single", "12345");
    symlinkSync(world.source, join(world.dir, "link"));
    const inner = world.folder("source/inner");
    writeFileSync(join(inner, "file"), "1");
    const roots = [world.source, "/nowhere", file, join(world.dir, "link"), inner, `${world.source}/`];
    const { code, stdout } = await world.report([], { BACKUP_ROOT_DIR: roots.join("\n") });
    expect(code).toBe(0);
    expect(stdout).toContain("WARN  sources-report  /nowhere (BACKUP_ROOT_DIR) is missing:");
    expect(stdout).toContain(
      "it is a symbolic link: restic saves the link itself and nothing of what it leads to",
    );
    expect(stdout).toContain(`counted with ${world.source}`);
    expect(stdout).toContain("sources-report finished: warning, exit 0");
    const seen = world.last.sources.map((each: Record<string, unknown>) => [
      each.type,
      each.readable,
      each.files,
    ]);
    expect(seen).toEqual([
      ["directory", "ON", 2],
      ["missing", "OFF", 0],
      ["file", "ON", 1],
      ["symlink", "ON", 0],
      ["directory", "ON", 0],
      ["directory", "ON", 0],
    ]);
    expect(world.last).toMatchObject({
      status: "warning",
      missing_count: 1,
      errors_count: 0,
      total_files: 3,
    });
  });

  test("a source that is empty, or holds no file: a volume that is not mounted", async () => {
    using world = new Sources();
    const [empty, hollow] = [world.folder("empty"), world.folder("hollow")];
    mkdirSync(join(hollow, "data/photos"), { recursive: true });
    const { stdout } = await world.report([], { BACKUP_ROOT_DIR: `${empty}\n${hollow}` });
    expect(stdout).toContain(
      `${empty} (BACKUP_ROOT_DIR) is suspicious: it is empty, and nothing is mounted there: is its volume missing?`,
    );
    expect(stdout).toContain("it holds folders but not a single file, and nothing is mounted there");
    expect(world.last).toMatchObject({ status: "warning", suspicious_count: 2 });
  });

  test.skipIf(!isRoot)("an empty file system that is mounted (needs root)", async () => {
    using world = new Sources();
    const place = world.folder("mount point");
    expect((await world.exec(["mount", "-t", "tmpfs", "tmpfs", place])).code).toBe(0);
    try {
      const { stdout } = await world.report([], { BACKUP_ROOT_DIR: place });
      expect(stdout).toContain("it is empty, although a file system is mounted there: is it the right one?");
    } finally {
      await world.exec(["umount", place]);
    }
  });

  test("much less than the last backup has read", async () => {
    using world = new Sources();
    world.file("log/last-backup.json", JSON.stringify({ total_files_processed: 100 }));
    const { stdout } = await world.report();
    expect(stdout).toContain("The last backup read 100 files, and now there are 1: is something missing?");
    expect((await world.report(["--source", world.source])).stdout).not.toContain("The last backup");
  });

  test.skipIf(!isRoot)("what another user may not read (needs root, to be nobody)", async () => {
    using world = new Sources();
    for (let at = 0; at < 20; at++) world.file(`source/file ${at}`, "x");
    world.file("source/secret", "x", 0o600);
    world.file("source/closed/in", "x");
    chmodSync(join(world.source, "closed"), 0o700);
    world.file("list", "/nowhere\n", 0o600);
    for (const folder of [world.dir, world.source, world.bin, world.hooks]) chmodSync(folder, 0o755);
    for (const folder of [world.log, world.lock]) chmodSync(folder, 0o777);
    // The worktree may be closed to nobody, so the program is put where nobody can reach it.
    await world.exec(["cp", "-L", binary, join(world.dir, "program")]);
    const child = Bun.spawn(
      [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        join(world.dir, "program"),
        "sources-report",
      ],
      {
        env: { ...world.env, RESTIC_JOB_ARGS: `--files-from ${world.dir}/list` },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    const { code, stdout } = await finish(child);
    expect(code).toBe(0);
    expect(stdout).toContain(`${world.source}/secret cannot be read: permission denied.`);
    expect(stdout).toContain(`${world.source}/closed cannot be read: permission denied.`);
    expect(world.last).toMatchObject({ errors_count: 3, status: "warning" });
    expect(world.last.files_from[0]).toMatchObject({ readable: "OFF" });
    expect(world.last.unreadable_paths).toHaveLength(3);
  });

  test("loops of links, names that are no UTF-8, and very deep trees", async () => {
    using world = new Sources();
    symlinkSync(world.source, join(world.source, "loop"));
    symlinkSync("itself", join(world.source, "itself"));
    const odd = Buffer.concat([Buffer.from(`${world.source}/`), Buffer.from([0xff, 0xfe])]);
    mkdirSync(odd);
    writeFileSync(Buffer.concat([odd, Buffer.from("/file")]), "12345");
    writeFileSync(Buffer.concat([odd, Buffer.from([0x2f, 0xfd])]), "123");
    // What is no UTF-8 looks like this one to who reads names as text.
    world.file("source/\ufffd", "1234567");
    writeFileSync(Buffer.concat([Buffer.from(`${world.source}/`), Buffer.from([0xfe])]), "12345678");
    const deep = `${"deep folder/".repeat(100)}file`;
    world.file(`source/${deep}`, "1");
    const { code } = await world.report();
    expect(code).toBe(0);
    expect(world.last).toMatchObject({ errors_count: 0, total_files: 6, total_bytes: 32 });
    expect(world.last.totals).toMatchObject({ folders: 102, links: 2 });
  });

  test.skipIf(!isRoot)(
    "a folder that is mounted inside of itself; -x of RESTIC_JOB_ARGS (needs root)",
    async () => {
      using world = new Sources();
      const inside = world.folder("source/inside");
      const other = world.folder("source/other");
      expect((await world.exec(["mount", "--bind", world.source, inside])).code).toBe(0);
      expect((await world.exec(["mount", "-t", "tmpfs", "tmpfs", other])).code).toBe(0);
      writeFileSync(join(other, "file"), "1");
      try {
        expect((await world.report()).code).toBe(0);
        expect(world.last.total_files).toBe(3);
        await world.report([], { RESTIC_JOB_ARGS: "-vx" });
        expect(world.last.total_files).toBe(2);
      } finally {
        await world.exec(["umount", inside, other]);
      }
    },
  );

  test("nothing is named, and flags that make no sense", async () => {
    using world = new Sources();
    const nothing = await world.report([], { BACKUP_ROOT_DIR: undefined });
    expect(nothing.code).toBe(2);
    expect(nothing.stdout).toContain("There is nothing to examine.");
    const depth = await world.report(["--depth", "many"]);
    expect({ code: depth.code, stdout: depth.stdout }).toEqual({ code: 2, stdout: "" });
    expect(depth.stderr).toContain("--depth many is not a whole number.");
  });
});

describe("lists of files", () => {
  test("comments, blanks, patterns, and what is not there", async () => {
    using world = new Sources();
    for (const name of ["a1", "a2", ".a3", "b", "[x]"]) world.file(`some/${name}`, "12345");
    const list = world.file(
      "list",
      `\ufeff# a comment\r\n\n  ${world.dir}/some/*a?\r\n${world.dir}/some/\\[x]\n${world.dir}/none*\n/nowhere\n[\n`,
    );
    const exclude = world.file("exclude", "# no\n*.tmp\n\n*.bak\n");
    const { code, stdout } = await world.report([], {
      RESTIC_JOB_ARGS: `--files-from '${list}' --exclude-file=${exclude} --exclude-file /none`,
    });
    expect(code).toBe(0);
    expect(stdout).toContain("5 entries, 1 comment, 2 MISSING, 1 MALFORMED");
    expect(stdout).toContain(`--files-from ${list} names /nowhere, which does not exist.`);
    expect(stdout).toContain(`--files-from ${list}: [ is not a valid pattern; restic would make no backup.`);
    expect(stdout).toContain("--exclude-file /none cannot be read: no such file or directory;");
    expect(world.last.files_from[0]).toMatchObject({
      entries: 5,
      missing_count: 2,
      missing: [`${world.dir}/none*`, "/nowhere"],
      malformed: ["["],
      files: 4,
      bytes: 20,
    });
    expect(world.last.exclude_files).toEqual([
      { path: exclude, flag: "--exclude-file", readable: "ON", patterns: 2 },
      {
        path: "/none",
        flag: "--exclude-file",
        readable: "OFF",
        patterns: 0,
        problem: "no such file or directory",
      },
    ]);
  });

  test("verbatim and raw ones know neither patterns nor comments", async () => {
    using world = new Sources();
    world.file("#x*", "1");
    world.file("new\nline", "1");
    const verbatim = world.file("verbatim", "#x*\n\n  gone\n");
    const raw = world.file("raw", `${world.dir}/new\nline\0`);
    const { code } = await world.report([], {
      RESTIC_JOB_ARGS: `--files-from-verbatim ${verbatim} --files-from-raw ${raw}`,
    });
    expect(code).toBe(0);
    const seen = world.last.files_from.map((each: Record<string, unknown>) => [each.files, each.missing]);
    expect(seen).toEqual([
      [1, ["  gone"]],
      [1, []],
    ]);
  });

  test("--source and --files-from, instead of what the environment names", async () => {
    using world = new Sources();
    const other = world.folder("other");
    writeFileSync(join(other, "file"), "1234");
    const list = world.file("list", `${other}/file\n${world.source}\n`);
    const { code } = await world.report(["--source", other, "--source", "/nowhere", "--files-from", list]);
    expect(code).toBe(0);
    expect(world.last.sources.map(({ path }: { path: string }) => path)).toEqual([other, "/nowhere"]);
    // The file is counted with its folder, once.
    expect(world.last.files_from[0]).toMatchObject({ entries: 2, files: 1 });
    expect(world.last.total_files).toBe(2);
  });
});

test("a stop in mid-walk", async () => {
  using world = new Sources();
  const child = world.start("sources-report", ["--source", "/proc", "--source", "/sys", "--source", "/usr"]);
  await waitFor(() => world.has("log/sources-report-last.log"), "the run");
  child.kill("SIGTERM");
  const { code } = await finish(child);
  expect(code).toBe(143);
  expect(world.last).toMatchObject({ status: "interrupted", signal: "SIGTERM" });
  rmSync(world.source, { recursive: true });
});

describe("Go's patterns", () => {
  test.each([
    ["*", ".hidden", true],
    ["*.txt", "a.txt", true],
    ["*.txt", "a.txtx", false],
    ["a?c", "abc", true],
    ["a?c", "aüc", true],
    ["a?c", "a😀c", true],
    ["[a-c]x", "bx", true],
    ["[a-c]x", "dx", false],
    ["[^a-c]x", "dx", true],
    ["[!a]x", "!x", true],
    ["[\\]]x", "]x", true],
    ["[\\-x]", "-", true],
    ["\\*", "*", true],
    ["\\*", "x", false],
    ["a.c", "abc", false],
    ["(a|b)+$", "(a|b)+$", true],
    ["[c-a]", "b", false],
    ["new*", "new\nline", true],
  ])("%s and %s: %p", (pattern, name, matches) => expect(partPattern(pattern).test(name)).toBe(matches));

  test.each(["[", "[]a]", "[a", "[-a]", "[a-]", "\\", "[\\"])("%s makes no sense", (pattern) => {
    expect(() => partPattern(pattern)).toThrow(BadPattern);
  });
});

test.each<[string, string, string[]]>([
  ["--files-from", "a\r\n #b\n\n c \n", ["a", "c"]],
  ["--files-from-verbatim", "a\r\n #b\n\n c \n", ["a", " #b", " c "]],
  ["--files-from-raw", "a\n\0b\0", ["a\n", "b"]],
])("%s reads its file", (flag, text, entries) => expect(parseList(flag, text).entries).toEqual(entries));

test.each<[string[], string[], boolean]>([
  [["-x", "/a", "--tag", "b", "--exclude=c", "/d"], ["/a", "/d"], true],
  [["--files-from", "a", "-e", "b", "--", "-x", "c"], ["-x", "c"], false],
  [["--one-file-system", "--host", "h", "/a"], ["/a"], true],
  [["-vvx"], [], true],
  [["-e", "x"], [], false],
])("the words %p name %p", (words, paths, stays) => {
  expect([pathsIn(words), staysOnOneFileSystem(words)]).toEqual([paths, stays]);
});
