import { expect } from "bun:test";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { needing } from "../support/needing.ts";
import { restic, restics } from "../support/restics.ts";
import { finish, World, waitFor } from "../support/world.ts";

const { afterAll, beforeAll, describe, test } = needing("restic");

const ODD = ["a=b = c.txt", "star*[1]?.txt", "back\\slash", "new\nline", "ünï.txt", " blank "];
const sha = (text: string | Buffer) => createHash("sha256").update(text).digest("hex");

/** Where the sources live on; its repository is copied for each test. */
let base: World;
beforeAll(async () => {
  base = new World();
  base.useRestic(restics[0]?.path ?? "restic");
  for (const name of ODD) writeFileSync(join(base.source, name), `odd ${name}\n`);
  mkdirSync(join(base.source, "deep/er"), { recursive: true });
  writeFileSync(join(base.source, "deep/er/large.bin"), Buffer.alloc(3_000_000, 7));
  symlinkSync(join(base.source, "file.txt"), join(base.source, "link"));
  symlinkSync(join(base.source, "deep"), join(base.source, "folder-link"));
  await base.exec(["restic", "init"]);
  expect((await base.run("backup")).code).toBe(0);
});
afterAll(() => base[Symbol.dispose]());

const FILES = ODD.length + 2;
/** The path of a source, as the snapshot has it. */
const at = (name: string) => join(base.source, name);

class TestWorld extends World {
  readonly temporary = this.folder("tmp");

  constructor(path = restic.path) {
    super();
    this.useRestic(path);
    cpSync(join(base.dir, "repository"), join(this.dir, "repository"), { recursive: true });
    // The sources of the repository, not this world's.
    Object.assign(this.env, { TMPDIR: this.temporary, BACKUP_ROOT_DIR: base.source });
  }

  test(args: readonly string[] = [], env: Record<string, string> = {}) {
    return this.run("restore-test", args, { env });
  }

  get last() {
    return this.record("restore-test");
  }

  /** What the run has left behind. */
  get left() {
    return readdirSync(this.temporary);
  }
}

describe.each(restics.map(({ version, path }) => [version, path] as const))(
  "with restic %s",
  (version, path) => {
    test("all of the snapshot: counted, checked, removed", async () => {
      using world = new TestWorld(path);
      const canaries = ["file.txt", "a=b = c.txt", "star*[1]?.txt", "ünï.txt"].flatMap((name) => [
        "--canary",
        `${at(name)}=${sha(name === "file.txt" ? "content\n" : `odd ${name}\n`)}`,
      ]);
      const { code, stdout, stderr } = await world.test([
        ...canaries,
        "--min-files",
        String(FILES),
        "--verify",
      ]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain(`Restored ${FILES} files, `);
      expect(stdout).toContain("Canaries: 4 of 4 passed.");
      expect(stdout).toContain("Everything that was asked for was restored intact.");
      expect(world.last).toMatchObject({
        job: "restore-test",
        exit_code: 0,
        status: "ok",
        verification: "passed",
        min_files_met: "ON",
        files_restored: FILES,
        canary_total: 4,
        canary_passed: 4,
        canary_failed: 0,
        target_autotmp: "ON",
        cleanup_status: "removed",
        dry_run: "OFF",
      });
      expect(world.last.bytes_restored).toBeGreaterThan(3_000_000);
      expect(world.last.snapshot_id).toMatch(/^[0-9a-f]{8}$/);
      expect(world.last.canary_results[0]).toEqual({
        path: at("file.txt"),
        expected_sha256: sha("content\n"),
        actual_sha256: sha("content\n"),
        status: "passed",
        message: "its content is what it should be",
      });
      expect(world.left).toEqual([]);
    });

    test("only a part; and a path that is not there", async () => {
      using world = new TestWorld(path);
      const part = await world.test(["--path", at("deep"), "--min-files", "2"]);
      expect(part.code).toBe(1);
      expect(part.stdout).toContain("The test failed: 1 file was restored, fewer than 2 (--min-files).");
      expect(world.last).toMatchObject({ files_restored: 1, min_files_met: "OFF", verification: "failed" });
      const { code, stdout } = await world.test([], { RESTORE_TEST_PATH: at("nowhere") });
      expect(code).toBe(3);
      expect(stdout).toContain(`Nothing in the snapshot matches --path ${at("nowhere")}`);
      expect(world.last).toMatchObject({ exit_code: 3, status: "failed", verification: "skipped" });
      expect(world.left).toEqual([]);
    });

    test("a sample", async () => {
      using world = new TestWorld(path);
      const all = await world.test(["--sample", "100", "--canary", `${at("file.txt")}=${sha("content\n")}`]);
      expect({ code: all.code, stderr: all.stderr }).toEqual({ code: 0, stderr: "" });
      expect(all.stdout).toContain(
        `Sample of ${FILES} files: ${FILES} matched, 0 changed since, 0 differing.`,
      );
      expect(world.last).toMatchObject({ sample_total: FILES, sample_matched: FILES, canary_passed: 1 });
      const three = await world.test([], { RESTORE_TEST_SAMPLE: "3" });
      expect(three.code).toBe(0);
      expect(world.last).toMatchObject({ sample_total: 3, sample_matched: 3, files_restored: 3 });
      const below = await world.test(["--sample", "3", "--path", at("deep")]);
      expect(below.code).toBe(0);
      expect(world.last).toMatchObject({ sample_total: 1, sample_matched: 1 });
      expect((await world.test(["--sample", "3", "--path", at("nowhere")])).code).toBe(3);
      expect(world.left).toEqual([]);
    });

    test("a rehearsal", async () => {
      using world = new TestWorld(path);
      const { code, stdout } = await world.test(["--dry-run"]);
      if (version.startsWith("0.14")) {
        expect(code).toBe(2);
        expect(stdout).toContain("restic 0.17.0 or later; this is restic 0.14");
      } else {
        expect(code).toBe(0);
        expect(stdout).toContain("Nothing was written; the test would restore");
        expect(world.last).toMatchObject({ verification: "skipped", dry_run: "ON", cleanup_status: "none" });
      }
      expect(world.left).toEqual([]);
    });
  },
);

describe("canaries", () => {
  test("wrong, missing, and what is no file", async () => {
    using world = new TestWorld();
    const hash = sha("something else");
    const names = ["file.txt", "gone", "deep", "link", "folder-link/er/large.bin"];
    const { code, stdout } = await world.test(names.flatMap((name) => ["--canary", `${at(name)}=${hash}`]));
    expect(code).toBe(1);
    expect(stdout).toContain("The test failed: 5 of 5 canaries failed.");
    const results = world.last.canary_results.map(
      ({ path, status, message }: { path: string; status: string; message: string }) => [
        path,
        status,
        message,
      ],
    );
    expect(results).toEqual([
      [at("file.txt"), "failed", "its content is not what it should be"],
      [at("gone"), "missing", "it was not restored"],
      [at("deep"), "failed", `${at("deep")} is not a regular file`],
      // Followed, it would be the living file that is checked.
      [at("link"), "failed", `${at("link")} is a symbolic link; name the file that it points to`],
      [
        at("folder-link/er/large.bin"),
        "failed",
        `${at("folder-link")} is a symbolic link; name the file that it points to`,
      ],
    ]);
    expect(world.last).toMatchObject({ canary_passed: 0, canary_failed: 5, verification: "failed" });
    expect(world.left).toEqual([]);
  });

  test("a file as sha256sum writes it, odd names and all", async () => {
    using world = new TestWorld();
    const sums = await world.exec(["sha256sum", ...ODD.map(at)]);
    const file = world.file(
      "canaries",
      `# made by sha256sum\r\n\n${sums.stdout}${at("file.txt")}=${sha("content\n").toUpperCase()}\r\n`,
    );
    const { code, stdout } = await world.test([], { RESTORE_TEST_CANARY_FILE: file });
    expect(code).toBe(0);
    expect(stdout).toContain(`Canaries: ${ODD.length + 1} of ${ODD.length + 1} passed.`);
  });

  test("RESTORE_TEST_CANARY holds one a line; a flag wins over it", async () => {
    using world = new TestWorld();
    const env = {
      RESTORE_TEST_CANARY: `${at("file.txt")}=${sha("content\n")}\n\n${at("gone")}=${sha("x")}\n`,
    };
    expect((await world.test([], env)).code).toBe(1);
    expect(world.last).toMatchObject({ canary_total: 2, canary_passed: 1, canary_failed: 1 });
    expect((await world.test(["--canary", `${at("file.txt")}=${sha("content\n")}`], env)).code).toBe(0);
  });

  test.each([
    ["/data/file", "is not PATH=SHA256."],
    ["/data/file=abc", "does not end in the 64 hexadecimal digits of a SHA-256."],
    [`file=${sha("")}`, "has no absolute path of a file"],
    [`/data/../etc/passwd=${sha("")}`, "has no absolute path of a file"],
    [`/data/folder/=${sha("")}`, "has no absolute path of a file"],
  ])("malformed: %s", async (line, complaint) => {
    using world = new TestWorld();
    const byFlag = await world.test(["--canary", line]);
    expect(byFlag.code).toBe(2);
    expect(byFlag.stderr).toContain(complaint);
    expect(world.has("log/last-restore-test.json")).toBe(false);
    const file = world.file("canaries", `# one\n${line}\n`);
    const byFile = await world.test(["--canary-file", file]);
    expect(byFile.code).toBe(2);
    expect(byFile.stdout).toContain(`The canary file ${file}: Line 2: `);
    expect(byFile.stdout).toContain(complaint);
    expect(world.last).toMatchObject({ exit_code: 2, verification: "skipped", cleanup_status: "none" });
  });

  test("a file of canaries that is not there", async () => {
    using world = new TestWorld();
    const { code, stdout } = await world.test(["--canary-file", "/nowhere"]);
    expect(code).toBe(2);
    expect(stdout).toContain("The canary file /nowhere cannot be read: no such file or directory.");
  });
});

describe("a sample, when the sources have moved on", () => {
  test("changed, gone, and of the same size and time with another content", async () => {
    using world = new TestWorld();
    using sources = new World();
    for (const name of ["same", "changed", "gone", "spoilt"]) sources.file(`source/${name}`, `${name} 1\n`);
    world.env.BACKUP_ROOT_DIR = sources.source;
    expect((await world.run("backup")).code).toBe(0);
    writeFileSync(join(sources.source, "changed"), "changed 2, and longer\n");
    rmSync(join(sources.source, "gone"));
    const spoilt = join(sources.source, "spoilt");
    await world.exec(["cp", "-p", spoilt, `${spoilt}.times`]);
    writeFileSync(spoilt, "spoilt 2\n");
    await world.exec(["touch", "-r", `${spoilt}.times`, spoilt]);
    rmSync(`${spoilt}.times`);
    const { code, stdout } = await world.test(["--sample", "10"]);
    expect(code).toBe(1);
    expect(stdout).toContain(
      `Sample ${spoilt}: its source has the same size and time, but different content.`,
    );
    expect(stdout).toContain("Sample of 5 files: 2 matched, 2 changed since, 1 differing.");
    expect(world.last).toMatchObject({ sample_matched: 2, sample_changed: 2, sample_differing: 1 });
    expect(world.last.sample_results[0]).toMatchObject({ path: spoilt, status: "differing" });
  });
});

describe("the target", () => {
  test.each(["/", "/data", "/data/inside"])("%s is refused, even with --force", async (target) => {
    using world = new TestWorld();
    const { code, stdout } = await world.test(["--target", target, "--force"]);
    expect(code).toBe(2);
    expect(stdout).toContain(`The target ${target} is refused: `);
  });

  test("the sources are refused, by whatever way they are named", async () => {
    using world = new TestWorld();
    symlinkSync(base.source, join(world.dir, "way"));
    for (const target of [base.source, join(base.source, "deep"), join(world.dir, "way/new"), base.dir]) {
      const { code, stdout } = await world.test(["--target", target, "--force"]);
      expect({ target, code }).toEqual({ target, code: 2 });
      expect(stdout).toContain(`BACKUP_ROOT_DIR ${base.source}`);
    }
  });

  test("one that holds files needs --force; they are not touched", async () => {
    using world = new TestWorld();
    const target = world.folder("target");
    writeFileSync(join(target, "mine"), "mine");
    const refused = await world.test(["--target", target]);
    expect(refused.code).toBe(2);
    expect(refused.stdout).toContain("it is not empty. Choose another --target, or give --force");
    const { code } = await world.test(["--target", target, "--force"]);
    expect(code).toBe(0);
    expect(world.last).toMatchObject({ target_autotmp: "OFF", cleanup_status: "removed" });
    expect(readdirSync(target)).toEqual(["mine"]);
  });

  test("one that is not there is made, and removed again", async () => {
    using world = new TestWorld();
    const target = join(world.dir, "new/target");
    expect((await world.test(["--target", target])).code).toBe(0);
    expect(existsSync(join(world.dir, "new"))).toBe(false);
  });

  test("--keep: in the target itself, or in a folder that no later run removes", async () => {
    using world = new TestWorld();
    const target = join(world.dir, "kept");
    expect((await world.test(["--target", target, "--keep"])).code).toBe(0);
    expect(world.last).toMatchObject({ target, cleanup_status: "kept" });
    expect(existsSync(join(target, at("file.txt")))).toBe(true);
    // Restored again: restic leaves what is there as it is, and it counts all the same.
    expect((await world.test(["--target", target, "--keep", "--force"])).code).toBe(0);
    expect(world.last.files_restored).toBe(FILES);
    expect((await world.test([], { RESTORE_TEST_KEEP: "ON" })).code).toBe(0);
    expect((await world.test()).code).toBe(0);
    expect(world.left).toEqual([expect.stringMatching(/^restore-test-[0-9a-f]{8}-\d{8}-\d{6}$/)]);
  });
});

describe("when it goes wrong", () => {
  const isRoot = process.getuid?.() === 0;

  test.skipIf(!isRoot)("a full disk (needs root, to mount a small one)", async () => {
    using world = new TestWorld();
    const small = world.folder("small");
    const mounted = await world.exec(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small]);
    expect(mounted.code).toBe(0);
    try {
      const { code, stdout } = await world.test(["--target", small]);
      expect(code).toBe(1);
      expect(stdout).toContain("no space left on device");
      expect(world.last).toMatchObject({ exit_code: 1, verification: "failed", cleanup_status: "removed" });
      expect(readdirSync(small)).toEqual([]);
    } finally {
      await world.exec(["umount", small]);
    }
  });

  test("a lost pack", async () => {
    using world = new TestWorld();
    const data = join(world.dir, "repository/data");
    rmSync(data, { recursive: true });
    mkdirSync(data);
    expect((await world.test()).code).toBe(1);
    expect(world.left).toEqual([]);
  });

  test("a wrong password, and no snapshot", async () => {
    using world = new TestWorld();
    expect((await world.test([], { RESTIC_PASSWORD: "wrong and long" })).code).toBe(12);
    const { code, stdout } = await world.test([], { RESTORE_TEST_TAG: "other" });
    expect(code).toBe(1);
    expect(stdout).toContain("There is no snapshot with tag other of host testhost.");
  });

  /** A restic that restores one file and then hangs, until it is told to end. */
  const hanging = `case "$*" in
*snapshots*) echo '[{"id":"${"ab".repeat(32)}","time":"2026-05-11T09:00:00Z","hostname":"testhost","tags":["automated"],"paths":["/x"]}]' ;;
*restore*) for word; do case $word in --target=*) target=\${word#*=} ;; esac; done
  mkdir -p "$target/x"; echo content >"$target/x/file"; chmod 0555 "$target/x"; echo $$ >"$HOME/restoring"; sleep 60 ;;
esac`;

  test("a stop: nothing is left", async () => {
    using world = new TestWorld();
    world.restic(hanging);
    const child = world.start("restore-test");
    await waitFor(() => world.has("restoring"), "the restore");
    child.kill("SIGTERM");
    const { code } = await finish(child);
    expect(code).toBe(143);
    expect(world.last).toMatchObject({ status: "interrupted", cleanup_status: "removed" });
    expect(world.left).toEqual([]);
  });

  test("killed: the next run removes what is left, and nothing of anybody else", async () => {
    using world = new TestWorld();
    world.restic(hanging);
    const target = world.folder("target");
    for (const env of [{}, { RESTORE_TEST_TARGET: target }]) {
      rmSync(join(world.dir, "restoring"), { force: true });
      const child = world.start("restore-test", [], { env });
      await waitFor(() => world.has("restoring") && world.read("restoring").trim(), "the restore");
      child.kill("SIGKILL");
      await child.exited;
      process.kill(-Number(world.read("restoring")), "SIGKILL");
      // Until then they hold the lock.
      await waitFor(() => world.processes().length === 0, "the end of all of them");
    }
    expect([world.left.length, readdirSync(target).length]).toEqual([1, 1]);
    mkdirSync(join(world.temporary, "restore-test"));
    world.useRestic(restic.path);
    const { code, stdout } = await world.test([], { RESTORE_TEST_TARGET: target });
    expect(code).toBe(0);
    expect(stdout).toContain("was left by a run that was killed; removed it.");
    expect(readdirSync(target)).toEqual([]);
    expect((await world.test()).code).toBe(0);
    expect(world.left).toEqual(["restore-test"]);
  });

  test("RESTORE_TEST_TIMEOUT bounds the hashing too", async () => {
    using world = new TestWorld();
    world.restic(`${hanging.replace("echo content >", "truncate -s 5G ").replace("sleep 60", "exit 0")}`);
    const canary = ["--canary", `/x/file=${sha("")}`];
    const late = await world.test(canary, { RESTORE_TEST_TIMEOUT: "1" });
    expect(late.code).toBe(124);
    expect(world.last).toMatchObject({ status: "timed_out", cleanup_status: "removed" });
    expect(world.left).toEqual([]);
  });
});

describe("flags", () => {
  test.each([
    [["--min-files", "many"], "--min-files many is not a whole number."],
    [["--sample", "-3"], "--sample needs a value"],
    [["--sample", "1000000"], "at most 10000 are picked"],
    [["--sample", "3", "--path", "*.txt"], "--path *.txt is not a plain path"],
    [["--id", "xyz"], "--id xyz is not a snapshot's ID"],
    [["--dry-run", "--verify"], "give one of them"],
    [["--target", ""], "--target needs a directory"],
    [["stray"], '"stray" is not expected'],
  ])("%p", async (args, complaint) => {
    using world = new World();
    const { code, stdout, stderr } = await world.run("restore-test", args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(complaint);
  });

  test("every flag has its variable", async () => {
    using world = new World();
    const { stdout } = await world.run("restore-test", ["--help"]);
    const options = stdout.slice(stdout.indexOf("OPTIONS"), stdout.indexOf("ENVIRONMENT"));
    const flags = [...options.matchAll(/--([a-z-]+)/g)].map(([, flag = ""]) => flag);
    for (const flag of ["id", "tag", "host", "path", "target", "keep", "force", "canary", "canary-file"]) {
      expect(flags).toContain(flag);
    }
    for (const flag of ["min-files", "verify", "dry-run", "sample"]) expect(flags).toContain(flag);
    for (const flag of new Set(
      flags.filter((each) => !["help", "yes"].includes(each) && options.includes(`--${each}`)),
    )) {
      expect(stdout).toContain(`RESTORE_TEST_${flag.toUpperCase().replaceAll("-", "_")}`);
    }
  });

  test("RESTORE_TEST_CRON schedules it", async () => {
    using world = new World();
    const env = { RESTORE_TEST_CRON: "0 4 * * sun", CRONTAB_DIR: world.folder("crontabs") };
    const { code, stdout } = await world.run("cron-list", [], { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^0 4 \* \* sun \S+\/locked_run restore-test \S+\/restore-test.lock \S+\/restore-test --cron-log=\S+\/cron.log$/m,
    );
  });
});
