// What config-check and doctor say of a configuration whose values are right, and that still does not protect.

import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { modest } from "../support/modest.ts";
import { needing } from "../support/needing.ts";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

type Env = Record<string, string | undefined>;

/** The lines of one status, by either command. */
async function said(world: World, env: Env, status: "WARN" | "FAIL", command = "config-check") {
  const { stdout, stderr } = await world.run(command, ["--json"], { env });
  expect(stderr).toBe("");
  const checks: { key?: string; status: string; message: string }[] = JSON.parse(stdout).checks;
  return checks
    .filter((check) => check.status.toUpperCase() === status)
    .map(({ key, message }) =>
      key === undefined || message.startsWith(key) ? message : `${key}: ${message}`,
    );
}

const BOTH = ["config-check", "doctor"] as const;
const COMPLETE = {
  BACKUP_CRON: "0 1 * * *",
  RESTIC_FORGET_ARGS: "--keep-daily 7",
  CHECK_CRON: "0 3 * * 0",
  RESTORE_TEST_CRON: "0 5 1 * *",
  CRONTAB_DIR: "/nowhere",
};

/** A world with programs that answer at once. */
function newWorld(): World {
  const world = new World();
  world.restic('[ "$1" = version ] && echo "restic 9.9.9 (fake)"; exit 0');
  world.program("rclone", "echo 'rclone v8.8.8'");
  return world;
}

describe.each(BOTH)("%s warns of", (command) => {
  test.each<[string, Env, string]>([
    ["no retention", { RESTIC_FORGET_ARGS: undefined }, "RETENTION: no policy removes old snapshots"],
    ["a blank one", { RESTIC_FORGET_ARGS: " " }, "RETENTION: no policy removes old snapshots"],
    ["no check", { CHECK_CRON: undefined }, "CHECK: no check of the repository is scheduled"],
    ["no restore-test", { RESTORE_TEST_CRON: "" }, "RESTORE_TEST: no restore-test is scheduled"],
    ["docker's random name", { HOSTNAME: "3f2a9c01b7de" }, "HOSTNAME: 3f2a9c01b7de is the random name"],
    ["HOOKS_DIR that is not there", { HOOKS_DIR: "/no/hooks" }, "HOOKS_DIR: /no/hooks does not exist"],
  ])("%s", async (_, env, start) => {
    using world = newWorld();
    const warnings = await said(world, { ...COMPLETE, ...env }, "WARN", command);
    expect(warnings.filter((line) => line.startsWith(start))).toHaveLength(1);
  });

  test.each([
    "replace-me",
    "password",
    "Password1",
    "changeme",
    "change-me!",
    "1234567",
    "<password>",
    "aaaaaaaaaa",
  ])("the password %s, which is not printed", async (password) => {
    using world = newWorld();
    const env = { ...COMPLETE, RESTIC_PASSWORD: password };
    expect(await said(world, env, "WARN", command)).toContainEqual(
      expect.stringMatching(/^RESTIC_PASSWORD: is weak: it has fewer than 8 characters, or is one/),
    );
    const file = world.file("secret", `${password}\n`);
    const inFile = { ...COMPLETE, RESTIC_PASSWORD: undefined, RESTIC_PASSWORD_FILE: file };
    const { stdout } = await world.run(command, [], { env: inFile });
    const line = stdout.split("\n").find((each) => each.startsWith("[WARN] RESTIC_PASSWORD_FILE: is weak"));
    expect(line?.replace("RESTIC_PASSWORD_FILE", "").replace("restic key passwd", "")).not.toContain(
      password,
    );
  });

  test("nothing of it where all is there, or where no backup is scheduled here", async () => {
    using world = newWorld();
    const weak = /^(RETENTION|CHECK|RESTORE_TEST|HOSTNAME|HOOKS_DIR|RESTIC_PASSWORD)\b/;
    const of = async (env: Env) =>
      (await said(world, env, "WARN", command)).filter((line) => weak.test(line));
    expect(await of(COMPLETE)).toEqual([]);
    // BACKUP_CRON has a default.
    expect(await of({})).toHaveLength(3);
    expect(await of({ ...COMPLETE, HOSTNAME: "node-3f2a9c01b7de" })).toEqual([]);
    world.file("crontabs/root", "0 3 * * * /bin/locked_run check /bin/check\n");
    expect(await of({ BACKUP_CRON: "0 1 * * *", CRONTAB_DIR: join(world.dir, "crontabs") })).toEqual([]);
    world.file("crontabs/root", "0 3 * * * /bin/locked_run backup /bin/backup\n");
    expect(await of({ CRONTAB_DIR: join(world.dir, "crontabs") })).toHaveLength(3);
  });
});

describe("what is wrong stands at the end", () => {
  test("of doctor, the worst last", async () => {
    using world = newWorld();
    const env = { ...COMPLETE, BACKUP_ROOT_DIR: "/none", CHECK_CRON: undefined };
    const { stdout } = await world.run("doctor", [], { env });
    const [, summary = ""] = stdout.split("== Summary ==\n");
    const lines = summary.trimEnd().split("\n");
    const before = stdout.split("== Summary ==")[0]?.split("\n") ?? [];
    const wrong = before.filter((line) => /^\[(WARN|FAIL)\]/.test(line));
    expect(wrong.length).toBeGreaterThan(2);
    expect(lines.slice(0, -1).toSorted()).toEqual(wrong.toSorted());
    expect(lines.map((line) => line.slice(0, 6)).join()).toMatch(/^(\[WARN\],)+(\[FAIL\],?)+$/);
    expect(lines.at(-1)).toMatch(/^\[FAIL\] \d+ checks: \d failures?, \d warnings?, in /);
  });
});

describe("folders", () => {
  test.each(["LOG_DIR", "LOCK_DIR", "METRICS_DIR", "RESTIC_CACHE_DIR"])("%s in a source", async (name) => {
    using world = newWorld();
    const path = world.folder("source/own");
    const env = { ...COMPLETE, [name]: path };
    const line = `${name}: ${path} lies in the source ${world.source}, and each backup saves it too. Move it, or leave it out with `;
    for (const command of BOTH)
      expect(await said(world, env, "WARN", command)).toContainEqual(expect.stringContaining(line));
    const left = { ...env, RESTIC_JOB_ARGS: `--exclude ${path}` };
    expect(await said(world, left, "WARN")).toEqual([]);
  });

  test("restic's cache in HOME or XDG_CACHE_HOME, in a source", async () => {
    using world = newWorld();
    world.folder("source/.cache/restic");
    const env = { ...COMPLETE, RESTIC_CACHE_DIR: undefined, HOME: world.source };
    expect(await said(world, env, "WARN")).toEqual([
      expect.stringMatching(
        /^HOME: restic's cache \S+\/source\/\.cache\/restic lies in the source .+--exclude-caches in/,
      ),
    ]);
  });

  test("a place for restore-test is judged as the run judges it", async () => {
    using world = newWorld();
    const inside = { ...COMPLETE, RESTORE_TEST_TARGET: join(world.source, "there") };
    expect(await said(world, inside, "FAIL")).toEqual([
      expect.stringMatching(
        /^RESTORE_TEST_TARGET: \S+ is refused: it is inside BACKUP_ROOT_DIR \S+\. restore-test would exit 2/,
      ),
    ]);
    if (!existsSync("/dev/shm")) return;
    const refused = await said(world, { ...COMPLETE, TMPDIR: "/dev/shm" }, "FAIL");
    world.link("restore-test");
    const { code } = await world.run("restore-test", [], { env: { ...COMPLETE, TMPDIR: "/dev/shm" } });
    expect(refused.some((line) => line.startsWith("TMPDIR: "))).toBe(code === 2);
  });

  test("a repository that cannot be written", async () => {
    using world = newWorld();
    chmodSync(world.folder("repository"), 0o500);
    const { stdout } = await world.exec(modest([world.link("doctor")]), { env: COMPLETE });
    expect(stdout).toMatch(
      /^\[FAIL\] RESTIC_REPOSITORY: \S+\/repository cannot be written: permission denied\. No backup can be made\./m,
    );
    chmodSync(world.repository, 0o700);
    const good = await world.exec(modest([world.link("doctor")]), { env: COMPLETE });
    expect(good.stdout).not.toContain("No backup can be made");
  });
});

needing("restic").describe.each(restics)("restic $version", ({ version, path }) => {
  const old = Bun.semver.order(version, "0.16.0") < 0;

  test("a cache that cannot be made: FAIL where this restic fails, else WARN", async () => {
    using world = new World();
    world.useRestic(path);
    await world.exec(["restic", "init"]);
    const file = world.file("file", "");
    for (const [key, change] of Object.entries<Env>({
      RESTIC_CACHE_DIR: { RESTIC_CACHE_DIR: `${file}/cache` },
      XDG_CACHE_HOME: { RESTIC_CACHE_DIR: undefined, XDG_CACHE_HOME: file },
      HOME: { RESTIC_CACHE_DIR: undefined, XDG_CACHE_HOME: undefined, HOME: file },
      RESTIC_OPTIONS: { RESTIC_OPTIONS: `--cache-dir ${file}` },
    })) {
      const env = { ...COMPLETE, ...change };
      const [status, other] =
        (await world.run("backup", [], { env })).code === 0
          ? (["WARN", "FAIL"] as const)
          : (["FAIL", "WARN"] as const);
      for (const command of BOTH) {
        const about = (lines: readonly string[]) =>
          lines.filter((line) => line.includes("restic's cache, cannot be made"));
        expect(about(await said(world, env, status, command))).toEqual([expect.stringContaining(`${key}: `)]);
        expect(about(await said(world, env, other, command))).toEqual([]);
      }
    }
    const env = { ...COMPLETE, RESTIC_CACHE_DIR: `${file}/cache`, RESTIC_OPTIONS: "--no-cache" };
    expect((await world.run("backup", [], { env })).code).toBe(0);
    expect(await said(world, env, "FAIL")).toEqual([]);
    expect(await said(world, env, "WARN")).toEqual([]);
  });

  test("unlimited: refused before the backup where this restic does not know it", async () => {
    using world = new World();
    world.useRestic(path);
    await world.exec(["restic", "init"]);
    const env = { ...COMPLETE, RESTIC_FORGET_ARGS: "--keep-daily unlimited" };
    const run = await world.run("backup", [], { env });
    expect(run.code).toBe(old ? 2 : 0);
    expect(/backup +Backing up to/.test(run.stdout)).toBe(!old);
    expect((await world.run("forget", [], { env })).code).toBe(old ? 2 : 0);
    expect((await world.run("forget-preview", [], { env })).code).toBe(old ? 2 : 0);
    const refused = `RESTIC_FORGET_ARGS: unlimited is known to restic since 0.16.0, and this one is ${version}.`;
    for (const command of BOTH)
      expect((await said(world, env, "FAIL", command)).filter((line) => line.includes("unlimited"))).toEqual(
        old ? [expect.stringContaining(refused)] : [],
      );
  });
});

describe("words that send restic to another repository are refused", () => {
  test.each([
    ["backup", "RESTIC_JOB_ARGS", "-r /other", "-r", "RESTIC_REPOSITORY"],
    ["backup", "RESTIC_JOB_ARGS", "-qr/other", "-r", "RESTIC_REPOSITORY"],
    [
      "backup",
      "RESTIC_JOB_ARGS",
      "--exclude x --password-file=/f",
      "--password-file",
      "RESTIC_PASSWORD_FILE",
    ],
    ["check", "RESTIC_CHECK_ARGS", "--repo /other", "--repo", "RESTIC_REPOSITORY"],
    [
      "check",
      "RESTIC_CHECK_ARGS",
      "--password-command 'cat x'",
      "--password-command",
      "RESTIC_PASSWORD_COMMAND",
    ],
    ["prune", "RESTIC_PRUNE_ARGS", "--repository-file=/f", "--repository-file", "RESTIC_REPOSITORY_FILE"],
    ["prune", "RESTIC_PRUNE_ARGS", "-p /f", "-p", "RESTIC_PASSWORD_FILE"],
    ["init-repo", "RESTIC_INIT_ARGS", "--repo=/other", "--repo", "RESTIC_REPOSITORY"],
  ])("%s: %s=%s", async (worker, name, value, flag, instead) => {
    using world = newWorld();
    world.restic(`touch ${world.dir}/called`);
    const env = { ...COMPLETE, [name]: value };
    world.link(worker);
    const { code, stdout, stderr } = await world.run(worker, worker === "init-repo" ? ["--yes"] : [], {
      env,
    });
    expect(code).toBe(2);
    expect(stdout + stderr).toContain(`${name}: ${flag} has no place there. `);
    expect(stdout + stderr).toContain(` in ${instead}.`);
    expect(world.has("called")).toBe(false);
    for (const command of BOTH)
      expect(await said(world, env, "FAIL", command)).toContainEqual(
        expect.stringContaining(`${name}: ${flag} has no place there.`),
      );
  });

  test("not paths of that name, nor values", async () => {
    using world = newWorld();
    symlinkSync(world.source, join(world.dir, "-r"));
    const env = { ...COMPLETE, RESTIC_JOB_ARGS: "--exclude -r --tag --repo -- -p" };
    expect((await world.run("backup", [], { env })).code).toBe(0);
  });
});
