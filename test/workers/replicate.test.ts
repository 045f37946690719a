// replicate as an operator sees it, with real rclone: Debian's and the newest.
import { describe, expect, test } from "bun:test";
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Pairs } from "../support/pairs.ts";
import { rclones } from "../support/restics.ts";
import { alive, finish, type World, waitFor } from "../support/world.ts";

const each = rclones.map(({ version, path }) => [version, path] as const);

describe.each(each)("bisync with rclone %s", (_, rclone) => {
  /** A pair after its first bisync. */
  async function begun(): Promise<Pairs> {
    const world = new Pairs(rclone);
    world.jobs(`${world.a};${world.b}`);
    world.put("a/one", "1");
    world.put("b/two", "22");
    // With fewer files rclone would call a change of two a change of all, and refuse.
    world.put("a/keep", "");
    expect((await world.replicate()).code).toBe(0);
    return world;
  }

  test("the first one of a pair resyncs and says so; the next has nothing to do", async () => {
    using world = await begun();
    expect(world.sides).toEqual([
      ["keep", "one", "two"],
      ["keep", "one", "two"],
    ]);
    expect(world.read("log/replicate-last.log")).toMatch(/first bisync of this pair/);
    expect(world.record("replicate")).toMatchObject({
      status: "ok",
      replicate_jobs_processed: 1,
      replicate_jobs_failed: 0,
      replicate_jobs: [
        {
          source: world.a,
          destination: world.b,
          mode: "bisync",
          exit_code: 0,
          recovered: false,
          files: 3,
          bytes: 3,
        },
      ],
    });
    const { code, stdout, stderr } = await world.replicate();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).not.toContain("resync");
    expect(world.job).toMatchObject({ exit_code: 0, recovered: false, files: 0, bytes: 0 });
  });

  test("changes travel both ways, deletions too, although the operator's words say --resync", async () => {
    using world = await begun();
    world.put("a/three", "3");
    rmSync(join(world.b, "one"));
    world.put("b/two", "changed");
    world.jobs(`${world.a};${world.b};bisync;--resync=true --resync-mode path1`);
    const { code } = await world.replicate({ REPLICATE_JOB_ARGS: "--resync -1", RCLONE_RESYNC: "true" });
    expect(code).toBe(0);
    expect(world.sides).toEqual([
      ["keep", "three", "two"],
      ["keep", "three", "two"],
    ]);
    expect(world.read("a/two")).toBe("changed");
    expect(world.job).toMatchObject({ exit_code: 0, recovered: false });
  });

  test("the first one keeps the newer of two versions, on whichever side it is", async () => {
    using world = new Pairs(rclone);
    world.jobs(`${world.a};${world.b}`);
    world.put("a/x", "older here", 1000);
    world.put("b/x", "newer there");
    world.put("a/y", "newer here");
    world.put("b/y", "older there", 1000);
    expect((await world.replicate()).code).toBe(0);
    for (const side of ["a", "b"]) {
      expect(world.read(`${side}/x`)).toBe("newer there");
      expect(world.read(`${side}/y`)).toBe("newer here");
    }
  });

  test("a broken listing is recovered from; the source's version wins and nothing is lost", async () => {
    using world = await begun();
    for (const listing of world.listings) writeFileSync(listing, "garbage\n");
    world.put("a/one", "older", 1000);
    world.put("b/one", "newer");
    world.put("b/three", "3");
    const { code, stdout } = await world.replicate();
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /WARN {2}replicate {2}bisync failed \(exit \d.*\): its listings of this pair are broken\. Copying what/,
    );
    expect(stdout).toMatch(/WARN {2}replicate {2}job 1 of 1 .*: recovered in /);
    expect(world.sides).toEqual([
      ["keep", "one", "three", "two"],
      ["keep", "one", "three", "two"],
    ]);
    for (const side of ["a", "b"]) expect(world.read(`${side}/one`)).toBe("older");
    expect(world.record("replicate")).toMatchObject({
      exit_code: 0,
      status: "warning",
      replicate_jobs_failed: 0,
      alerts: [{ kind: "recovered", message: expect.stringContaining("recovered in ") }],
    });
    expect(world.job).toMatchObject({ exit_code: 0, recovered: true });
    const [kept] = world.job.kept_aside;
    expect(readFileSync(kept, "utf8")).toBe("newer");
    expect(stdout).toContain(`Replaced, and kept as ${kept}`);
    expect((await world.replicate()).stdout).not.toContain("resync");
  });

  test("so is a pair whose last bisync failed, although rclone then has no listings either", async () => {
    using world = await begun();
    for (const listing of world.listings.filter((each) => each.endsWith(".lst")))
      renameSync(listing, `${listing}-err`);
    world.put("a/three", "3");
    expect((await world.replicate()).code).toBe(0);
    expect(world.sides).toEqual([
      ["keep", "one", "three", "two"],
      ["keep", "one", "three", "two"],
    ]);
    expect((await world.replicate()).stdout).not.toContain("resync");
  });

  test("a recovery copies with the row's own words, but for those that only bisync knows", async () => {
    using world = new Pairs(rclone);
    const filters = world.file("filters", "- *.tmp\n");
    world.jobs(
      `${world.a};${world.b};;--filters-file ${filters} --workdir '${world.folder("my work")}' --check-sync=true`,
    );
    world.put("a/one", "1");
    world.put("a/no.tmp", "no");
    expect((await world.replicate()).code).toBe(0);
    for (const name of readdirSync(join(world.dir, "my work")))
      writeFileSync(join(world.dir, "my work", name), "x\n");
    world.put("b/two", "2");
    expect((await world.replicate()).code).toBe(0);
    expect(world.job).toMatchObject({ recovered: true });
    expect(world.sides).toEqual([
      ["no.tmp", "one", "two"],
      ["one", "two"],
    ]);
  });

  test("a missing marker of --check-access stops the pair, in the first run and after", async () => {
    using world = new Pairs(rclone);
    world.jobs(`${world.a};${world.b}`);
    world.put("a/one", "1");
    world.put("a/RCLONE_TEST", "");
    const env = { REPLICATE_BISYNC_CHECK_ACCESS: "ON" };
    for (let run = 0; run < 2; run++) {
      const { code, stdout } = await world.replicate(env);
      expect(code).not.toBe(0);
      expect(stdout).toContain(
        "The access check failed: RCLONE_TEST is not on both sides. Nothing was changed",
      );
      expect(world.sides).toEqual([["RCLONE_TEST", "one"], []]);
      expect(world.job).toMatchObject({ exit_code: code, recovered: false });
    }
    world.put("b/RCLONE_TEST", "");
    expect((await world.replicate(env)).code).toBe(0);
    expect(world.sides).toEqual([
      ["RCLONE_TEST", "one"],
      ["RCLONE_TEST", "one"],
    ]);

    // Unmounted: the folder is there, but nothing is in it.
    for (const name of world.sides[1]!) rmSync(join(world.b, name));
    for (let run = 0; run < 3; run++) {
      expect((await world.replicate(env)).code).not.toBe(0);
      expect(world.sides).toEqual([["RCLONE_TEST", "one"], []]);
    }
  });

  test("the lock of another bisync is neither broken nor answered by copying", async () => {
    using world = await begun();
    const [listing = ""] = world.listings;
    const lock = listing.replace(/\.path[12]\.lst.*/, ".lck");
    writeFileSync(lock, JSON.stringify({ PID: "1", TimeExpires: "2999-01-01T00:00:00Z" }));
    world.put("a/three", "3");
    const { code, stdout } = await world.replicate();
    expect(code).toBe(1);
    expect(stdout).toContain(`its lock is ${lock}. Nothing was changed.`);
    expect(world.sides[1]).toEqual(["keep", "one", "two"]);
    // What a killed rclone left behind runs out by itself, where rclone knows of that (since 1.66).
    const { stdout: help } = await world.exec(["rclone", "bisync", "--help"]);
    if (help.includes("--max-lock")) {
      writeFileSync(lock, JSON.stringify({ PID: "1", TimeExpires: "2020-01-01T00:00:00Z" }));
    } else rmSync(lock);
    expect((await world.replicate()).code).toBe(0);
    expect(world.sides[1]).toEqual(["keep", "one", "three", "two"]);
  });
});

describe.each(each)("rows with rclone %s", (_, rclone) => {
  test("sync and copy, with blanks and # in paths, comments and CRLF; rclone's statistics fill the record", async () => {
    using world = new Pairs(rclone);
    const [from, to] = [world.folder("from #1"), world.folder("to  two")];
    world.put("from #1/x", "four");
    world.put("from #1/skip me", "no");
    world.put("to  two/gone", "?");
    const lines = [
      "\ufeff# nightly",
      "",
      `${from};${to};sync;--exclude 'skip me'`,
      "  # more",
      `${to} ; ${world.b} ; copy`,
    ];
    world.file("jobs", lines.join("\r\n"));
    const { code, stdout, stderr } = await world.replicate();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(readdirSync(to)).toEqual(["x"]);
    expect(readdirSync(world.b)).toEqual(["x"]);
    expect(stdout).toContain(`job 1 of 2 (line 3), sync ${from} -> ${to}: done in `);
    expect(stdout).toContain("  2 jobs, 0 failed.");
    expect(world.record("replicate").replicate_jobs).toEqual([
      {
        line: 3,
        source: from,
        destination: to,
        mode: "sync",
        exit_code: 0,
        recovered: false,
        duration_seconds: expect.any(Number),
        files: 1,
        bytes: 4,
        deletes: 1,
        destination_files: 1,
      },
      expect.objectContaining({
        line: 5,
        source: to,
        destination: world.b,
        mode: "copy",
        files: 1,
        bytes: 4,
        deletes: 0,
      }),
    ]);
  });

  test("ten rows of which three fail: the other seven still run, and the first failure's code is ours", async () => {
    using world = new Pairs(rclone);
    world.put("a/x", "x");
    const targets = Array.from({ length: 10 }, (_, index) => join(world.dir, `target${index}`));
    world.jobs(
      ...targets.map((target, index) => {
        if (index === 2) return `${world.dir}/nowhere;${target};copy`;
        if (index === 4) return `${world.a};${target};cpoy`;
        if (index === 7) return `${world.a};no-such-remote:x;sync`;
        return `${world.a};${target};${index % 2 === 0 ? "copy" : "sync"}`;
      }),
    );
    world.hook("post-replicate", 'echo "aggregate $1"');
    const { code, stdout, stderr } = await world.replicate();
    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    expect(stdout).toContain("Line 5 of the job file is malformed and counts as failed: unknown mode");
    expect(stdout).toContain("job 3 of 9 (line 3), copy");
    expect(stdout).toContain("failed (exit 3: the folder was not found)");
    expect(stdout).toContain("  10 jobs, 3 failed.");
    expect(stdout).toContain("post-replicate | aggregate 3");
    const there = targets.map((target) => existsSync(join(target, "x")));
    expect(there).toEqual([true, true, false, true, false, true, true, false, true, true]);
    const record = world.record("replicate");
    expect(record).toMatchObject({
      exit_code: 3,
      status: "failed",
      replicate_jobs_processed: 10,
      replicate_jobs_failed: 3,
    });
    expect(record.replicate_jobs.map((job: { exit_code: number }) => job.exit_code !== 0)).toEqual(
      there.map((is) => !is),
    );
    expect(record.replicate_jobs[4]).toEqual({
      line: 5,
      text: `${world.a};${targets[4]};cpoy`,
      error: expect.any(String),
      exit_code: 1,
    });
  });

  test("RCLONE_CONFIG names the remotes, and the operator's own statistics are his choice", async () => {
    using world = new Pairs(rclone);
    world.file("rclone.conf", `[mine]\ntype = alias\nremote = ${world.a}\n`);
    world.put("a/x", "x");
    world.jobs(`mine:;${world.b};copy;--stats-log-level DEBUG`);
    expect((await world.replicate()).code).toBe(0);
    expect(world.sides[1]).toEqual(["x"]);
    expect(world.job).toMatchObject({ source: "mine:", exit_code: 0, files: null, bytes: null });
  });

  test("credentials appear nowhere, however much rclone talks", async () => {
    using world = new Pairs(rclone);
    world.put("a/x", "x");
    const secrets = ["AKIA0123456789", "topsecretvalue", "anothersecret", "thirdsecret", "fourthsecret"];
    const [id, key, token, pass, env] = secrets;
    world.jobs(
      `${world.a};:s3,access_key_id=${id},secret_access_key="${key}",endpoint='http://127.0.0.1:1':bucket;copy;-vv --s3-session-token ${token}`,
      `${world.a};:webdav,url='http://user:${pass}@127.0.0.1:1/':x;sync;-vv --webdav-bearer-token=${env}`,
      `${world.a};:s3,secret_access_key=${key}:bucket;cpoy;--s3-session-token ${token}`,
    );
    const { code, stdout, stderr } = await world.replicate({
      REPLICATE_JOB_ARGS: "--retries 1 --low-level-retries 1",
    });
    expect(code).not.toBe(0);
    expect(stdout).toContain(
      ":s3,access_key_id=***,secret_access_key=***,endpoint='http://127.0.0.1:1':bucket",
    );
    expect(world.record("replicate").replicate_jobs[1].destination).toBe(
      ":webdav,url='http://user:***@127.0.0.1:1/':x",
    );
    const files = readdirSync(world.log).map((name) => readFileSync(join(world.log, name), "utf8"));
    for (const text of [stdout, stderr, ...files])
      for (const secret of secrets) expect(text).not.toContain(secret);
  });

  test("a stop ends rclone, leaves the other rows undone and says so", async () => {
    using world = new Pairs(rclone);
    world.file("a/large", new Uint8Array(20_000_000));
    world.jobs(
      `${world.a};${world.b};copy;--bwlimit 100k`,
      `${world.a};${world.dir}/c;copy`,
      `${world.a};${world.dir}/d`,
    );
    const child = world.start("replicate");
    const rcloneIsThere = () => world.processes().find((pid) => commandOf(pid).startsWith("rclone\0copy"));
    const pid = (await waitFor(rcloneIsThere, "rclone"))!;
    await waitFor(() => readdirSync(world.b).length > 0, "rclone's first file");
    child.kill("SIGTERM");
    const { code, stdout } = await finish(child);
    expect(code).toBe(143);
    expect(alive(pid)).toBe(false);
    expect(stdout).toMatch(/WARN {2}replicate {2}job 1 of 3 .*: stopped after /);
    expect(stdout).toContain("The run is stopping: 2 of 3 jobs were left undone.");
    expect(existsSync(join(world.dir, "c"))).toBe(false);
    expect(world.record("replicate")).toMatchObject({
      status: "interrupted",
      signal: "SIGTERM",
      replicate_jobs_processed: 1,
      replicate_jobs_failed: 1,
      replicate_jobs_undone: 2,
    });
  });
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1");
  } catch {
    // It has ended meanwhile.
    return "";
  }
}

describe("what rclone is called with", () => {
  /** Tells what it was called with, and exits with a code for each command: `bisync=7 copy=0`. */
  const telling = (codes: Record<string, number>, says = "Empty prior Path1 listing.") =>
    [
      'printf "%s\\n" "$*" >>"$HOME/calls"',
      'echo "$RCLONE_CONFIG|$RCLONE_RESYNC_MODE|$RCLONE_RESYNC" >>"$HOME/env"',
      'case "$* " in *" --resync "*) set -- resync ;; esac',
      `case "$1" in bisync) echo ${JSON.stringify(says)} >&2 ;; size) echo '{"count":1,"bytes":1}' ;; esac`,
      'case "$1" in',
      ...Object.entries(codes).map(([name, code]) => `${name}) exit ${code} ;;`),
      "esac",
    ].join("\n");
  const ours = "--use-json-log --stats 60s --stats-log-level ERROR";
  const calls = (world: World) => world.read("calls").trim().split("\n");

  test("mode, source, destination, our words, REPLICATE_JOB_ARGS, EXTRA; --check-access for bisync only", async () => {
    using world = new Pairs(telling({}));
    world.jobs("/x y;r:z;;--extra 'a  b'", "/x;/y;copy;--resync");
    const env = { REPLICATE_JOB_ARGS: "--args\n--resync", REPLICATE_BISYNC_CHECK_ACCESS: "ON" };
    expect((await world.replicate(env)).code).toBe(0);
    expect(calls(world)).toEqual([
      `bisync /x y r:z ${ours} --check-access --args --extra a  b`,
      `copy /x /y ${ours} --args`,
    ]);
    expect(world.read("env")).toBe(`${world.dir}/rclone.conf||\n`.repeat(2));
  });

  test("a recovery is copy both ways, without replacing anything in the source, then --resync", async () => {
    using world = new Pairs(telling({ bisync: 7 }));
    world.jobs("/x;/y");
    const { code } = await world.replicate({ RCLONE_RESYNC: "true" });
    expect(code).toBe(0);
    const list = "lsf --recursive --files-only --use-json-log";
    expect(calls(world).map((call) => call.replace(/\.kept-\S+/, ".kept-TIME"))).toEqual([
      `bisync /x /y ${ours}`,
      `${list} --format stp --separator ; /x`,
      `${list} --format stp --separator ; /y`,
      `copy /x /y ${ours} --suffix .kept-TIME`,
      `${list} /y`,
      `copy /y /x ${ours} --ignore-existing`,
      `bisync /x /y ${ours} --resync`,
    ]);
    expect(world.read("env").split("\n")[6]).toBe(`${world.dir}/rclone.conf|path1|`);
    expect(world.job).toMatchObject({ exit_code: 0, recovered: true, files: null });
  });

  test.each([
    [{ bisync: 7, copy: 5 }, 5, "The copy to the destination failed too (exit 5: a temporary error"],
    [{ bisync: 7, resync: 2 }, 7, "The resync failed too (exit 2)"],
  ])("a recovery that fails is none: %j", async (codes: Record<string, number>, count, words) => {
    using world = new Pairs(telling(codes));
    world.jobs("/x;/y");
    const { code, stdout } = await world.replicate();
    expect(code).toBe(7);
    expect(stdout).toContain(words);
    expect(calls(world)).toHaveLength(count);
    expect(world.job).toMatchObject({ exit_code: 7, recovered: false });
  });

  test.each(["sync", "copy"])("%s has no recovery", async (mode) => {
    using world = new Pairs(telling({ [mode]: 7 }));
    world.jobs(`/x;/y;${mode}`);
    expect((await world.replicate()).code).toBe(7);
    expect(calls(world).filter((call) => call.startsWith(mode))).toHaveLength(1);
    expect(calls(world).filter((call) => !/^(size|sync|copy) /.test(call))).toEqual([]);
  });

  test.each([
    ["too many deletes", "on one side too many files were deleted or changed", 7],
    [
      "Safety abort: all files were changed on Path1",
      "on one side too many files were deleted or changed",
      7,
    ],
    ["Empty current Path1 listing.", "The source is empty, and it was not after the last good run", 7],
    ["modification time support is missing on path2", "The destination keeps no modification times", 2],
    ["some other trouble", "failed (exit 7", 7],
  ])("bisync that says %j is a failure, and nothing is copied", async (says, words, exitCode) => {
    using world = new Pairs(telling({ bisync: 7 }, says));
    world.jobs("/x;/y");
    const { code, stdout } = await world.replicate();
    expect(code).toBe(exitCode);
    expect(stdout).toContain(words);
    expect(calls(world)).toEqual([`bisync /x /y ${ours}`]);
    expect(world.job).toMatchObject({ exit_code: exitCode, recovered: false });
  });

  test("a time-out ends the row and leaves the others undone", async () => {
    using world = new Pairs('trap "exit 130" INT; while :; do sleep 0.05; done');
    world.jobs("/x;/y;copy", "/x;/z;copy");
    const { code, stdout } = await world.replicate({ REPLICATE_TIMEOUT: "1" });
    expect(code).toBe(124);
    expect(stdout).toContain("1 of 2 jobs were left undone");
    expect(world.record("replicate")).toMatchObject({ status: "timed_out", replicate_jobs_undone: 1 });
    expect(world.job).toMatchObject({ exit_code: 130 });
  });
});

describe("the surroundings", () => {
  test.each([
    ["missing", undefined, "cannot be read: no such file or directory"],
    ["a folder", "folder", "cannot be read: it is not a regular file"],
    ["empty", "", "has no row"],
    ["nothing but comments", "# a;b\n\n", "has no row"],
  ])("a job file that is %s: exit 1", async (_, content, words) => {
    using world = new Pairs("exit 0");
    world.hook("post-replicate", 'echo "after $1"');
    if (content === "folder") world.folder("jobs");
    else if (content !== undefined) world.file("jobs", content);
    const { code, stdout, stderr } = await world.replicate();
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout).toContain(words);
    expect(stdout).toContain("post-replicate | after 1");
    expect(world.record("replicate")).toMatchObject({
      exit_code: 1,
      status: "failed",
      error: expect.stringContaining(words),
      replicate_jobs_processed: 0,
      replicate_jobs: [],
    });
  });

  test("only malformed rows: exit 1", async () => {
    using world = new Pairs("exit 0");
    world.jobs("oops");
    expect((await world.replicate()).code).toBe(1);
    expect(world.record("replicate")).toMatchObject({
      replicate_jobs_processed: 1,
      replicate_jobs_failed: 1,
    });
  });

  test("rclone missing: 127", async () => {
    using world = new Pairs("exit 0");
    rmSync(join(world.bin, "rclone"));
    for (const tool of ["flock", "mkfifo"]) symlinkSync(Bun.which(tool)!, join(world.bin, tool));
    world.jobs("/x;/y;copy");
    const { code, stdout } = await world.replicate({ PATH: world.bin });
    expect(code).toBe(127);
    expect(stdout).toContain("rclone was not found in PATH=");
    expect(world.record("replicate")).toMatchObject({
      exit_code: 127,
      status: "failed",
      replicate_jobs_processed: 0,
    });
  });

  test("an unbalanced quote in REPLICATE_JOB_ARGS: exit 2, no row begun", async () => {
    using world = new Pairs('echo "$*" >"$HOME/calls"');
    world.jobs("/x;/y;copy");
    const { code, stdout } = await world.replicate({ REPLICATE_JOB_ARGS: '--exclude "x' });
    expect(code).toBe(2);
    expect(stdout).toContain('REPLICATE_JOB_ARGS: the " at character 11 is never closed');
    expect(world.has("calls")).toBe(false);
  });

  test("REPLICATE_VERBOSE=OFF keeps messages off stdout, but neither errors nor the file", async () => {
    using world = new Pairs("echo chatter; [ $1 = copy ]");
    world.jobs("/x;/y;copy", "/x;/y;sync");
    const quiet = await world.replicate({ REPLICATE_VERBOSE: "OFF" });
    expect(quiet.code).toBe(1);
    expect(quiet.stdout).not.toContain("chatter");
    expect(quiet.stdout).not.toContain("job 1 of 2");
    expect(quiet.stdout).toMatch(/ERROR replicate {2}job 2 of 2 .*: failed \(exit 1\)/);
    expect(quiet.stdout).toContain("replicate finished: failed, exit 1");
    const file = world.read("log/replicate-last.log");
    expect(file).toContain("rclone | chatter");
    expect(file).toContain("job 1 of 2 (line 1), copy /x -> /y: done in");
    const loud = await world.replicate();
    expect(loud.stdout).toContain("rclone | chatter");
    expect(loud.stdout).toContain("job 1 of 2");
  });

  test("the names of old: SYNC_* and bisync work, with a warning each", async () => {
    using world = new Pairs('echo "$*" >>"$HOME/calls"');
    world.jobs("/x;/y;copy");
    const env = {
      REPLICATE_JOB_FILE: undefined,
      SYNC_JOB_FILE: join(world.dir, "jobs"),
      SYNC_JOB_ARGS: "--old",
      SYNC_VERBOSE: "ON",
      REPLICATE_VERBOSE: "ON",
    };
    const { code, stdout } = await world.run("bisync", [], { env });
    expect(code).toBe(0);
    expect(world.read("calls")).toContain("--old");
    expect(stdout.match(/WARN.*/g)).toEqual([
      "WARN  replicate  bisync is the old name of this command and still works; call it replicate.",
      "WARN  replicate  SYNC_JOB_ARGS is an old name and still works; rename it REPLICATE_JOB_ARGS.",
      "WARN  replicate  SYNC_JOB_FILE is an old name and still works; rename it REPLICATE_JOB_FILE.",
    ]);
    expect(world.record("replicate")).toMatchObject({ job: "replicate", exit_code: 0 });
  });
});
