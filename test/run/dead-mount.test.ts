/** Network mounts whose server is gone: whoever touches one sleeps in the kernel, and no signal wakes him. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync, symlinkSync } from "node:fs";
import { canMount, DeadMount } from "../support/mounts.ts";
import { equipQuickly } from "../support/quick-repository.ts";
import { restic } from "../support/restics.ts";
import { type Result, World, waitFor } from "../support/world.ts";

/** As many as Bun has threads for what may hang, and one more. */
const MOUNTS = 4;

describe.skipIf(!canMount || Bun.which("rclone") === null)("dead mounts (needs /dev/fuse and rclone)", () => {
  const world = new World();
  const mounts: DeadMount[] = [];
  const dead = (number: number, rest = "") => `${world.dir}/nfs${number}${rest}`;
  const roots = [world.source, dead(0), dead(1, "/a"), dead(2), `${world.dir}/link/b`].join("\n");
  const silent = (path: string) => `${path} did not answer within 3 s (a dead network mount?)`;
  let logs = 0;

  beforeAll(async () => {
    await equipQuickly(world, restic);
    symlinkSync(dead(3), `${world.dir}/link`);
    const save = () => world.run("backup", [], { env: { BACKUP_ROOT_DIR: `${world.source}\n${dead(0)}` } });
    for (let number = 0; number < MOUNTS; number++)
      mounts.push(await DeadMount.at(dead(number), number === 0 ? save : undefined));
  }, 60_000);

  afterAll(() => {
    for (const each of mounts) each[Symbol.dispose]();
    world[Symbol.dispose]();
  });

  /** Runs it with logs of its own. */
  async function look(
    name: string,
    args: readonly string[],
    env: Record<string, string> = {},
    termAfterMs?: number,
  ): Promise<Result & { readonly ms: number; readonly log: string }> {
    const own = { LOG_DIR: world.folder(`log-${++logs}`), LOCK_DIR: world.folder(`lock-${logs}`) };
    const begun = performance.now();
    const child = world.start(name, args, {
      env: {
        ...own,
        CRONTAB_DIR: world.folder("cron"),
        TMPDIR: world.folder("tmp"),
        STOP_TIMEOUT: "6",
        WORK_KILL_AFTER: "1",
        ...env,
      },
      timeout: 25_000,
    });
    if (termAfterMs !== undefined) setTimeout(() => child.kill("SIGTERM"), termAfterMs);
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { code, stdout, stderr, log: own.LOG_DIR, ms: performance.now() - begun };
  }

  test("restore to elsewhere names what does not answer, and restores", async () => {
    const { code, stdout } = await look("restore", ["--target", `${world.dir}/out`, "--yes"], {
      BACKUP_ROOT_DIR: roots,
    });
    expect(code).toBe(0);
    for (const path of [dead(0), dead(1, "/a"), dead(2), `${world.dir}/link/b`])
      expect(stdout).toContain(silent(path));
    expect(world.read(`out${world.source}/file.txt`)).toBe("content\n");
    expect(world.read(`out${dead(0)}/file.txt`)).toBe("content\n");
  });

  test.each([
    ["restore", ["--target", "DEAD/r", "--yes", "--force"], {}],
    ["restore", ["--in-place", "--yes"], {}],
    ["restore-test", [], { RESTORE_TEST_TARGET: "LINK/t" }],
    ["restore-test", [], { TMPDIR: "DEAD" }],
    ["restore-test", [], { RESTORE_TEST_CANARY_FILE: "DEAD/canary" }],
    ["mount-snapshot", ["--target", "DEAD/m"], {}],
    ["snapshot-export", ["--output", "DEAD/x.tar.gz"], {}],
    ["snapshot-export", ["--output", "WORLD/x.tar.gz", "--include", "*.txt", "--work-dir", "DEAD/w"], {}],
    ["backup", [], { RESTIC_REPOSITORY: "", RESTIC_REPOSITORY_FILE: "DEAD/repository" }],
  ])("%s %j %j is refused with that reason", async (name, args, env) => {
    const filled = (text: string) =>
      text.replace("DEAD", dead(1)).replace("LINK", `${world.dir}/link`).replace("WORLD", world.dir);
    const all = Object.entries(env).map(([key, value]) => [key, filled(value as string)]);
    const { code, stdout, stderr, ms } = await look(name, args.map(filled), Object.fromEntries(all));
    expect(stdout + stderr).toContain("did not answer within 3 s (a dead network mount?)");
    expect(code).toBe(2);
    expect(ms).toBeLessThan(20_000);
  });

  test("restore-test compares what answers, and calls the rest changed", async () => {
    const { code, stdout, log } = await look("restore-test", ["--sample", "9"], { BACKUP_ROOT_DIR: roots });
    expect(code).toBe(0);
    expect(stdout).toContain("Sample of 2 files: 1 matched, 1 changed since, 0 differing.");
    expect(JSON.parse(readFileSync(`${log}/last-restore-test.json`, "utf8")).sample_results).toContainEqual(
      expect.objectContaining({
        path: dead(0, "/file.txt"),
        message: expect.stringContaining("did not answer within 3 s"),
      }),
    );
  });

  test("sources-report counts the rest: of sources, of a tree with mounts in it, of lists", async () => {
    const [named, above] = await Promise.all([
      look("sources-report", [], {
        BACKUP_ROOT_DIR: roots,
        RESTIC_JOB_ARGS: `--files-from ${dead(0, "/list")}`,
      }),
      look("sources-report", [], { BACKUP_ROOT_DIR: world.dir }),
    ]);
    for (const { code, stdout } of [named, above]) {
      expect(code).toBe(0);
      for (const number of [0, 2])
        expect(stdout).toContain(`${dead(number)} cannot be read: it did not answer within 3 s`);
    }
    expect(named.stdout).toMatch(new RegExp(`^.*${world.source} .*\\b1\\b`, "m"));
    expect(above.stdout).toContain(`${dead(3)} cannot be read: it did not answer within 3 s`);
  });

  test("mount-snapshot mounts, although sources are dead, and ends by a signal", async () => {
    const { code, stdout } = await look(
      "mount-snapshot",
      ["--target", `${world.dir}/mnt`],
      { BACKUP_ROOT_DIR: roots },
      9000,
    );
    expect(stdout).toContain("nothing is mounted any more");
    expect(code).toBe(0);
  });

  test.each([
    ["backup", {}],
    ["backup", { RESTIC_JOB_ARGS: "--files-from DEAD/list" }],
    ["backup", { HOOKS_DIR: "DEAD/hooks", METRICS_DIR: "DEAD/metrics", BACKUP_ROOT_DIR: "SOURCE" }],
    ["backup", { RESTIC_PASSWORD: "", RESTIC_PASSWORD_FILE: "DEAD/secret", BACKUP_ROOT_DIR: "SOURCE" }],
    ["check", { RESTIC_REPOSITORY: "DEAD/repository" }],
    ["doctor", { RESTORE_TEST_TARGET: "DEAD", RESTORE_TEST_CRON: "0 0 * * *" }],
    ["doctor", { RESTIC_REPOSITORY: "DEAD/repository", HOOKS_DIR: "DEAD/hooks" }],
    ["status", { RESTIC_REPOSITORY: "DEAD/repository" }],
    ["config-check", { RESTIC_PASSWORD: "", RESTIC_PASSWORD_FILE: "DEAD/secret", RESTIC_CACERT: "DEAD/ca" }],
    ["env", { RESTIC_PASSWORD: "", RESTIC_PASSWORD_FILE: "DEAD/secret" }],
  ])("%s %j ends by a signal, or by itself", async (name, env) => {
    const filled = Object.entries({ BACKUP_ROOT_DIR: roots, ...env }).map(([key, value]) => [
      key,
      value.replace("DEAD", dead(2)).replace("SOURCE", world.source),
    ]);
    const { code, ms } = await look(name, [], Object.fromEntries(filled), 5000);
    expect(ms).toBeLessThan(18_000);
    expect(code).not.toBe(137);
  });

  test("a time-out is logged when it strikes, not after the grace", async () => {
    using other = new World();
    other.restic('case $1 in backup) trap "" INT; touch "$HOME/up"; while :; do sleep 0.1; done ;; esac');
    const child = other.start("backup", [], { env: { BACKUP_TIMEOUT: "1", WORK_KILL_AFTER: "30" } });
    await waitFor(
      () =>
        other.has("log/backup-last.log") &&
        other.read("log/backup-last.log").includes("longer than BACKUP_TIMEOUT=1"),
      "the word",
      8000,
    );
    expect(child.exitCode).toBeNull();
    child.kill("SIGKILL");
  });
});
