// hook-test runs one phase's hooks as a worker would, and does nothing else.
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { alive, World, waitFor } from "../support/world.ts";

function newWorld(): World {
  const world = new World();
  world.link("hook-test");
  world.restic();
  return world;
}

/** The lines of the log without their time stamps. */
const lines = (stdout: string) =>
  stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d /, ""));

describe("a phase's hooks", () => {
  test("run in their order, and are logged as in a run", async () => {
    using world = newWorld();
    world.hook("pre-backup", "echo one; echo two >&2; pwd");
    world.hook("pre-backup.d/10-more", "echo three");
    const { code, stdout, stderr } = await world.run("hook-test", ["pre-backup"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(lines(stdout)).toEqual([
      `INFO  backup  hook pre-backup started: ${world.hooks}/pre-backup.sh`,
      "INFO  backup  pre-backup | one",
      "INFO  backup  pre-backup | two",
      "INFO  backup  pre-backup | /",
      expect.stringMatching(/^INFO {2}backup {2}hook pre-backup done in \d+\.\ds$/),
      `INFO  backup  hook pre-backup started: ${world.hooks}/pre-backup.d/10-more.sh`,
      "INFO  backup  pre-backup | three",
      expect.stringMatching(/^INFO {2}backup {2}hook pre-backup done in /),
    ]);
  });

  test("no lock, no work, no record: nothing is left behind", async () => {
    using world = newWorld();
    world.restic(`touch ${world.dir}/restic-ran`);
    world.hook("post-backup", "echo hello");
    expect((await world.run("hook-test", ["post-backup", "12"])).code).toBe(0);
    expect([...readdirSync(world.log), ...readdirSync(world.lock)]).toEqual([]);
    expect(world.has("restic-ran")).toBe(false);
  });

  test("may be tried while a run of the worker goes on", async () => {
    using world = newWorld();
    world.restic(`touch ${world.dir}/begun; exec sleep 1000`);
    world.hook("pre-backup", "echo hello");
    const run = world.start("backup");
    await waitFor(() => world.has("begun"), "the work of the run");
    const { code, stdout } = await world.run("hook-test", ["pre-backup"]);
    expect({ code, hello: stdout.includes("pre-backup | hello") }).toEqual({ code: 0, hello: true });
    expect(alive(run.pid)).toBe(true);
  });

  test("see the environment that a worker's hooks see", async () => {
    using world = newWorld();
    for (const phase of ["pre-backup", "post-backup"]) {
      world.hook(
        phase,
        `env | sort >${world.dir}/env-${phase}-$RBH_WHO; echo "$@" >${world.dir}/args-${phase}-$RBH_WHO`,
      );
    }
    world.hook("pre-backup.d/who", "");
    // RBH_* of whoever calls is not handed on, so the name of the file shows that too.
    await world.run("backup", [], { env: { RBH_WHO: "nobody" } });
    const real = (phase: string) => world.read(`env-${phase}-`).split("\n");
    const realArguments = (phase: string) => world.read(`args-${phase}-`);
    const [pre, post, preArguments, postArguments] = [
      real("pre-backup"),
      real("post-backup"),
      realArguments("pre-backup"),
      realArguments("post-backup"),
    ];
    await world.run("hook-test", ["pre-backup"]);
    await world.run("hook-test", ["post-backup", "0"]);
    const changing = /^(RBH_RUN_ID|RBH_DURATION_SECONDS)=/;
    const steady = (env: string[]) => env.filter((line) => !changing.test(line));
    expect(steady(real("pre-backup"))).toEqual(steady(pre));
    expect(steady(real("post-backup"))).toEqual(steady(post));
    expect([realArguments("pre-backup"), realArguments("post-backup")]).toEqual([
      preArguments,
      postArguments,
    ]);
    expect(postArguments).toBe("0\n");
    expect(real("post-backup")).toContain(`RBH_RECORD=${world.log}/last-backup.json`);
    expect(real("pre-backup").filter((line) => line.startsWith("RBH_EXIT_CODE"))).toEqual([]);
  });

  test.each([
    [[], "0", "ok"],
    [["0"], "0", "ok"],
    [["12"], "12", "failed"],
    [["124"], "124", "timed_out"],
    [["143"], "143", "interrupted"],
    [["255"], "255", "failed"],
  ])("post-backup %j is told exit code %s, status %s", async (words, code, status) => {
    using world = newWorld();
    world.hook("post-backup", 'echo "$# $1 $RBH_EXIT_CODE $RBH_STATUS $RBH_HOOK $RBH_WORKER"');
    const { stdout } = await world.run("hook-test", ["post-backup", ...words]);
    expect(stdout).toContain(`post-backup | 1 ${code} ${code} ${status} post-backup backup\n`);
  });
});

describe("the exit code", () => {
  test("is that of the first hook that failed; the others run all the same", async () => {
    using world = newWorld();
    world.hook("pre-backup", "exit 0");
    world.hook("pre-backup.d/1", "exit 5");
    world.hook("pre-backup.d/2", "exit 6");
    const { code, stdout } = await world.run("hook-test", ["pre-backup"]);
    expect(code).toBe(5);
    expect(stdout).toContain("hook pre-backup failed in");
    expect(stdout).toContain("(exit 6)");
  });

  test("is 1 when there is no hook, or one that cannot run", async () => {
    using world = newWorld();
    const none = await world.run("hook-test", ["pre-backup"]);
    expect({ code: none.code, lines: lines(none.stdout) }).toEqual({
      code: 1,
      lines: [`WARN  backup  There is no hook for pre-backup in ${world.hooks}.`],
    });
    world.hook("pre-backup", "", 0o644);
    const broken = await world.run("hook-test", ["pre-backup"]);
    expect(broken.code).toBe(1);
    expect(lines(broken.stdout)[0]).toStartWith(
      "ERROR backup  hooks/pre-backup.sh: not executable (mode 0644). It does not run. Run: chmod 0755 ",
    );
  });

  test("is 124 after a time-out, and for a hook's own 124 the log says which", async () => {
    using world = newWorld();
    world.hook("pre-backup", "sleep 1000");
    const late = await world.run("hook-test", ["pre-backup"], { env: { HOOK_TIMEOUT: "1" } });
    expect(late.code).toBe(124);
    expect(late.stdout).toContain("hook pre-backup timed out after 1s (exit 124); the run goes on.");
    world.hook("pre-backup", "exit 124");
    const own = await world.run("hook-test", ["pre-backup"], { env: { HOOK_TIMEOUT: "60" } });
    expect(own.code).toBe(124);
    expect(own.stdout).toContain("(exit 124, its own, not a timeout)");
  });

  test("is 128+n for a hook that a signal killed", async () => {
    using world = newWorld();
    world.hook("pre-backup", "kill -SEGV $$");
    const { code, stdout } = await world.run("hook-test", ["pre-backup"]);
    expect(code).toBe(139);
    expect(stdout).toContain("hook pre-backup was killed by SIGSEGV (exit 139)");
  });

  test("is 128+n when it was told to stop, even if the hook ended well; the next does not begin", async () => {
    using world = newWorld();
    world.hook("pre-backup", `trap 'echo undone; exit 0' TERM; touch ${world.dir}/begun; sleep 1000 & wait`);
    world.hook("pre-backup.d/next", `touch ${world.dir}/next`);
    const child = world.start("hook-test", ["pre-backup"]);
    await waitFor(() => world.has("begun"), "the hook");
    child.kill("SIGTERM");
    const stdout = await new Response(child.stdout).text();
    expect(await child.exited).toBe(143);
    expect(stdout).toContain("pre-backup | undone\n");
    expect(stdout).toContain("hooks/pre-backup.d/next.sh does not run: the run was stopped by SIGTERM.");
    expect(world.has("next")).toBe(false);
    expect(readdirSync(world.lock)).toEqual([]);
    expect(world.processes()).toEqual([]);
  });
});

describe("a command line that makes no sense", () => {
  test.each<[string[], RegExp]>([
    [[], /^hook-test: An argument is missing: expected <phase> \[<exit code>\]\.\n/],
    [["pre-backups"], /^hook-test: There is no phase pre-backups; did you mean pre-backup\?\n/],
    [["nonsense"], /^hook-test: There is no phase nonsense\.\n/],
    [["pre-doctor"], /^hook-test: There is no phase pre-doctor/],
    [["../pre-backup"], /^hook-test: There is no phase \.\.\/pre-backup/],
    [["pre-backup", "0"], /^hook-test: pre-backup takes no argument, but got "0"\.\n/],
    [["post-backup", "256"], /^hook-test: "256" is not an exit code; expected a number from 0 to 255\.\n/],
    [["post-backup", "x"], /^hook-test: "x" is not an exit code/],
    [["post-backup", ""], /^hook-test: "" is not an exit code/],
    [["post-backup", "0", "1"], /^hook-test: "1" is one argument too many after <phase> \[<exit code>\]\.\n/],
  ])("%j: exit 2, and no hook runs", async (words, message) => {
    using world = newWorld();
    for (const phase of ["pre-backup", "post-backup"]) world.hook(phase, `touch ${world.dir}/ran`);
    const { code, stdout, stderr } = await world.run("hook-test", words);
    expect({ code, stdout, ran: world.has("ran") }).toEqual({ code: 2, stdout: "", ran: false });
    expect(stderr).toMatch(message);
    expect(stderr).toEndWith("\nTry: hook-test --help\n");
  });
});

test("LOCK_DIR need not be there", async () => {
  using world = newWorld();
  world.hook("pre-backup", "echo out; echo err >&2");
  const { code, stdout, stderr } = await world.run("hook-test", ["pre-backup"], {
    env: { LOCK_DIR: join(world.dir, "none") },
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("pre-backup | out\n");
  expect(stdout).toContain("pre-backup | err\n");
});
