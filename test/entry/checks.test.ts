// entry judges its environment before it starts anything, and refuses what every run would fail with.

import { describe, expect, test } from "bun:test";
import { rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { needing } from "../support/needing.ts";
import { restic } from "../support/restics.ts";
import { World } from "../support/world.ts";

type Env = Record<string, string | undefined>;

class Starting extends World {
  constructor() {
    super();
    this.restic();
    this.env.CRONTAB_DIR = this.folder("crontabs");
    this.env.RESTIC_CHECK_REPOSITORY_STATUS = "OFF";
  }

  /** Starts entry, which ends by itself when it refuses to; else it is ended as soon as the crontab is there. */
  async enter(env: Env = {}) {
    const child = Bun.spawn([join(this.bin, "restic-backup-helper"), "entry"], {
      env: { ...this.env, ...env },
      stdout: "pipe",
      stderr: "inherit",
    });
    let stdout = "";
    for await (const bytes of child.stdout) {
      stdout += new TextDecoder().decode(bytes);
      if (/INFO {2}entry {2}(crond|The scheduler|entry starts|.*starts the jobs)/.test(stdout))
        child.kill("SIGTERM");
    }
    const of = (level: string) =>
      [...stdout.matchAll(/^\S+ \S+ (\w+) +entry {2}(.*)$/gm)].flatMap(([, each, text = ""]) =>
        each === level ? [text] : [],
      );
    return { code: await child.exited, warnings: of("WARN"), errors: of("ERROR"), stdout };
  }
}

const COMPLETE = {
  RESTIC_FORGET_ARGS: "--keep-daily 7",
  CHECK_CRON: "30 3 * * 0",
  RESTORE_TEST_CRON: "30 5 1 * *",
};

test("says each WARN and FAIL of config-check, and starts where only one worker fails", async () => {
  using world = new Starting();
  const { code, warnings, errors } = await world.enter({
    BACKUP_ROOT_DIR: "/none",
    RESTIC_PASSWORD: "changeme",
    RESTIC_FORGET_ARGS: "keep-daily 7",
    RESTIC_FORGET_ARG: "x",
    TMPDIR: "/var/tmp",
  });
  expect(code).toBe(0);
  for (const start of [
    "RESTIC_PASSWORD: is weak",
    "CHECK: no check of the repository is scheduled",
    "RESTORE_TEST: no restore-test is scheduled",
    "RESTIC_FORGET_ARG: ",
  ])
    expect(warnings).toContainEqual(expect.stringMatching(new RegExp(`^${start}`)));
  expect(errors).toEqual([
    expect.stringMatching(/^BACKUP_PATHS: \/none cannot be read/),
    expect.stringMatching(/^RESTIC_FORGET_ARGS: keep-daily is not a flag/),
  ]);
  expect(world.read("crontabs/root")).toContain("locked_run backup");
});

test("a crontab of the start before is not what is judged", async () => {
  using world = new Starting();
  world.file("crontabs/root", "@daily /bin/locked_run replicate /bin/replicate\n");
  const { code, errors, warnings } = await world.enter({ ...COMPLETE, BACKUP_CRON: "0 1 * * *" });
  expect({ code, errors }).toEqual({ code: 0, errors: [] });
  expect(warnings.filter((line) => /^[A-Z_]+: /.test(line))).toEqual([]);
});

describe("refuses what every run would fail with", () => {
  test.each<[string, Env, string]>([
    ["no password", { RESTIC_PASSWORD: undefined }, "RESTIC_PASSWORD: The repository's password is missing."],
    ["a repository that is none", { RESTIC_REPOSITORY: "backups" }, 'The repository was read as "backups"'],
    [
      "words for restic that are none",
      { RESTIC_OPTIONS: "--nonsense" },
      "restic has no global flag --nonsense",
    ],
    ["a value that is given twice", { WEBHOOK_URL: "https://x/y", WEBHOOK_URL_FILE: "/f" }, "are both set"],
  ])("%s", async (_, env, reason) => {
    using world = new Starting();
    world.restic(`touch ${world.dir}/called`);
    const { code, errors } = await world.enter({ ...COMPLETE, ...env });
    expect(code).toBe(2);
    expect(errors).toEqual([expect.stringContaining(reason)]);
    expect(world.has("crontabs/root")).toBe(false);
    expect(world.has("called")).toBe(false);
  });

  test("but not what replicate can do without", async () => {
    using world = new Starting();
    const { code, errors } = await world.enter({ RESTIC_PASSWORD: undefined, REPLICATE_CRON: "0 4 * * *" });
    expect(code).toBe(0);
    expect(errors).toContainEqual(
      expect.stringMatching(/^RESTIC_PASSWORD: The repository's password is missing\./),
    );
  });

  test("and its alert channels hear of it", async () => {
    using world = new Starting();
    const mail = join(world.dir, "mail");
    world.program("sendmail", `cat >${mail}`);
    const { code } = await world.enter({ RESTIC_PASSWORD: undefined, MAILX_RCPT: "ops@example.org" });
    expect(code).toBe(2);
    expect(world.read("mail")).toContain("password is missing");
  });
});

needing("restic").test(
  "a cache that this restic cannot make is refused, since every run would fail with it",
  async () => {
    using world = new Starting();
    rmSync(join(world.bin, "restic"));
    symlinkSync(restic.path, join(world.bin, "restic"));
    const { code, stdout } = await world.enter({
      ...COMPLETE,
      RESTIC_CACHE_DIR: join(world.file("a-file", "x"), "cache"),
    });
    const fails = Bun.semver.satisfies(restic.version, ">=0.19.0");
    expect(code).toBe(fails ? 2 : 0);
    expect(stdout).toContain("RESTIC_CACHE_DIR");
  },
);
