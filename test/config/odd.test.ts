/** Values that can hardly be what was meant: what is said of them, and what a run refuses. */

import { describe, expect, test } from "bun:test";
import { knownNames, misspelt, misspeltText } from "../../lib/config/misspelt.ts";
import { oddities } from "../../lib/config/odd.ts";
import { variables } from "../../lib/config/variables.ts";
import type { Environment } from "../../lib/environment.ts";
import { World } from "../support/world.ts";

/** `[name, fails, refused]` of all that is odd. */
const judged = (env: Environment) =>
  oddities(env).map(({ name, fails, isRefused }) => [name, fails, isRefused]);

describe("quotes", () => {
  test.each([
    ["RESTIC_PASSWORD", false, false],
    ["RESTIC_TAG", false, false],
    ["RESTIC_CACHE_DIR", true, true],
    ["RESTIC_PASSWORD_FILE", true, true],
    ["RESTIC_PASSWORD_COMMAND", true, true],
    ["RESTIC_COMPRESSION", true, true],
    ["LOG_DIR", true, true],
    ["METRICS_DIR", true, false],
    ["WEBHOOK_URL", true, false],
    ["WEBHOOK_URL_FILE", true, false],
    ["HEALTHCHECKS_URL_CHECK", true, false],
    ["MAILX_RCPT", true, false],
    ["CHECK_CRON", true, false],
    ["HOOK_TIMEOUT", true, false],
    ["HISTORY_MAX_RUNS", true, false],
    ["MAILX_ON_ERROR", false, false],
    ["RESTIC_AUTO_UNLOCK", false, false],
    ["HOSTNAME", false, false],
    ["TZ", false, false],
    ["RESTIC_PACK_SIZE", false, false],
    ["AWS_SECRET_ACCESS_KEY", false, false],
    ["PS1", undefined, undefined],
  ])("%s", (name, fails, isRefused) => {
    for (const quoted of ['"some thing"', "'some thing'", "“some thing”"])
      expect(judged({ [name]: quoted })).toEqual(
        fails === undefined ? [] : ([[name, fails, isRefused]] as never),
      );
    expect(judged({ [name]: "it's" })).toEqual([]);
  });

  test("every variable that is declared is judged", () => {
    for (const name of Object.keys(variables)) {
      if (name === "RESTIC_REPOSITORY" || name.includes("<")) continue;
      expect([name, judged({ [name]: '"--keep 1"' }).length]).toEqual([name, 1]);
    }
  });

  test("credentials of the repository that is used cannot work", () => {
    const env = { AWS_ACCESS_KEY_ID: "'key'", RESTIC_REPOSITORY: "s3:host/bucket" };
    expect(judged(env)).toEqual([["AWS_ACCESS_KEY_ID", true, true]]);
    expect(judged({ ...env, RESTIC_REPOSITORY: "/r" })).toEqual([["AWS_ACCESS_KEY_ID", false, false]]);
  });

  test.each<[string, boolean | undefined]>([
    ['"--exclude /a"', true],
    ['""', true],
    ['"--one-file-system"', false],
    ["'/a b'", undefined],
    ["'/a' '/b'", undefined],
    ["--exclude '/a b'", undefined],
    ["--exclude /a\r", true],
    ["--exclude /a\n", undefined],
    ["  --exclude /a ", undefined],
  ])("words are read as by a shell: %j", (value, fails) => {
    expect(judged({ RESTIC_JOB_ARGS: value }).map(([, fails]) => fails)).toEqual(
      fails === undefined ? [] : [fails],
    );
  });
});

test.each<[string, string, boolean | undefined]>([
  ["RESTIC_PASSWORD", "secret\r", false],
  ["RESTIC_PASSWORD", "\tsecret", false],
  ["RESTIC_PASSWORD_FILE", "/run/secrets/p ", true],
  ["LOG_DIR", "/var/log\r", true],
  ["WEBHOOK_URL", " https://h/", false],
  ["HISTORY_MAX_RUNS", " 5", false],
  ["MAILX_ON_ERROR", "ON\r", false],
  ["BACKUP_CRON", "0 1 * * *\n", undefined],
  ["BACKUP_CRON", "0 1 * * *\r", false],
  ["RESTIC_TAG", " ", undefined],
])("blanks around: %s=%j", (name, value, fails) => {
  const found = oddities({ [name]: value });
  expect(found.map((each) => each.fails)).toEqual(fails === undefined ? [] : [fails]);
  for (const { message } of found)
    expect(message).toMatch(/^has blanks, tabs or a CR around it.*Take them out\.$/);
});

describe("BACKUP_ROOT_DIR", () => {
  test.each([" ", ",", ", ", ";", ":"])("several paths in one line, between them %j", (between) => {
    using world = new World();
    const line = `${world.source}${between}${world.folder("other")}`;
    const [found] = oddities({ BACKUP_ROOT_DIR: line });
    expect(found?.message).toMatch(/^has 2 paths in one line: .* Write each on a line of its own\.$/);
    expect(oddities({ BACKUP_ROOT_DIR: `${world.source}\n${world.dir}/other\n` })).toEqual([]);
    expect(oddities({ BACKUP_ROOT_DIR: world.folder("a /b") })).toEqual([]);
  });

  test("quotes and blanks, which belong to the path", () => {
    using world = new World();
    const say = (value: string) => oddities({ BACKUP_ROOT_DIR: value }).map(({ message }) => message);
    expect(say(`"${world.source}"`)[0]).toMatch(/whose quotes belong to it/);
    expect(say(` ${world.source}`)[0]).toMatch(/^has blanks around the path/);
    expect(say(`${world.source}\r\n`)).toEqual([]);
  });
});

describe("a run refuses what config-check fails, before restic starts", () => {
  test.each<[string, (world: World) => Record<string, string>, RegExp]>([
    ["quotes", () => ({ RESTIC_CACHE_DIR: '"/cache"' }), /RESTIC_CACHE_DIR is in quotes/],
    ["a CR", () => ({ RESTIC_JOB_ARGS: "--exclude x\r" }), /RESTIC_JOB_ARGS ends with a CR/],
    [
      "a folder in place of the password's file",
      (world) => ({ RESTIC_PASSWORD: "", RESTIC_PASSWORD_FILE: world.folder("password") }),
      /RESTIC_PASSWORD_FILE .*\/password is a folder: docker makes one where the file to mount is missing/,
    ],
    [
      "a folder in place of certificates",
      (world) => ({ RESTIC_CACERT: world.folder("ca") }),
      /RESTIC_CACERT .*\/ca is a folder: docker makes one/,
    ],
    [
      "two paths in one line",
      (world) => ({ BACKUP_ROOT_DIR: `${world.source} ${world.folder("other")}` }),
      /BACKUP_ROOT_DIR has 2 paths in one line/,
    ],
    [
      "no source",
      () => ({ BACKUP_ROOT_DIR: "", RESTIC_JOB_ARGS: "--exclude /x --one-file-system" }),
      /There is nothing to back up; RESTIC_JOB_ARGS names no source/,
    ],
  ])("%s", async (_, envOf, said) => {
    using world = new World();
    world.restic(`touch ${world.dir}/started`);
    const env = envOf(world);
    const { code, stdout } = await world.run("backup", [], { env });
    expect([code, stdout]).toEqual([2, expect.stringMatching(said)]);
    expect(world.has("started")).toBe(false);
    const checked = await world.run("config-check", [], { env });
    expect(checked.code).toBe(1);
    expect(
      checked.stdout
        .split("\n")
        .filter((line) => line.startsWith("[FAIL]"))
        .join("\n"),
    ).toMatch(new RegExp(said.source.replace(/^([A-Z_]+) /, "$1: ")));
  });

  test("a channel in quotes fails config-check, and stops no backup", async () => {
    using world = new World();
    world.restic();
    const env = { METRICS_DIR: '"/m"', AWS_SECRET_ACCESS_KEY: "'x'", RESTIC_PASSWORD: '"quite secret"' };
    expect((await world.run("backup", [], { env })).code).toBe(0);
    const { code, stdout } = await world.run("config-check", [], { env });
    expect(code).toBe(1);
    expect(stdout).toContain("[FAIL] METRICS_DIR: is in quotes");
    expect(stdout).toContain("[WARN] AWS_SECRET_ACCESS_KEY: is in quotes");
    expect(stdout).toContain("[WARN] RESTIC_PASSWORD: is in quotes");
    expect(stdout).not.toContain("quite secret");
  });
});

test.each<[string, string]>([
  ["REPLICATE_JOB_FILE", "is a folder"],
  ["RCLONE_CONFIG", "is a folder"],
  ["RESTIC_REPOSITORY_FILE", "is a folder"],
  ["WEBHOOK_URL_FILE", "is a folder"],
  ["GOOGLE_APPLICATION_CREDENTIALS", "is a folder"],
  ["RESTORE_TEST_CANARY_FILE", "is a folder"],
  ["MSMTPRC", "is a folder"],
])("a folder in place of %s", (name, said) => {
  using world = new World();
  expect(
    oddities({ [name]: world.folder("made") }).map(({ name, message, fails }) => [
      name,
      message.includes(said),
      fails,
    ]),
  ).toEqual([[name, true, true]]);
});

test("an exclude file that is a folder, a relative source", async () => {
  using world = new World();
  const env = { RESTIC_JOB_ARGS: `--exclude-file ${world.folder("excludes")}`, BACKUP_ROOT_DIR: "source" };
  const { stdout } = await world.run("config-check", [], { env });
  expect(stdout).toMatch(/\[FAIL\] RESTIC_JOB_ARGS: --exclude-file .*excludes is a folder: docker makes one/);
  expect(stdout).toContain("[WARN] BACKUP_PATHS: source is a relative path");
});

test.each(
  (
    "RESTIC_REPO=RESTIC_REPOSITORY BACKUP_DIR=BACKUP_ROOT_DIR BACKUP_PATHS=BACKUP_ROOT_DIR BACKUP_SOURCE=BACKUP_ROOT_DIR " +
    "BACKUP_SOURCES=BACKUP_ROOT_DIR RESTIC_BACKUP_SOURCES=BACKUP_ROOT_DIR BACKUP_SCHEDULE=BACKUP_CRON CRON=BACKUP_CRON " +
    "CRON_SCHEDULE=BACKUP_CRON BACKUP_CRON_EXPRESSION=BACKUP_CRON RESTIC_KEEP_DAILY=RESTIC_FORGET_ARGS " +
    "RESTIC_KEEP=RESTIC_FORGET_ARGS KEEP_DAILY=RESTIC_FORGET_ARGS BACKUP_RETENTION_DAYS=RESTIC_FORGET_ARGS " +
    "FORGET_ARGS=RESTIC_FORGET_ARGS RESTIC_FORGET=RESTIC_FORGET_ARGS WEBHOOK=WEBHOOK_URL NOTIFICATION_URLS=WEBHOOK_URL " +
    "MAILX_TO=MAILX_RCPT MAILX_ARGS=MAILX_RCPT TIMEZONE=TZ RESTIC_BACKUP_ARGS=RESTIC_JOB_ARGS " +
    "RESTIC_PASSFILE=RESTIC_PASSWORD_FILE BACKUP_EXCLUDE_REGEXP=RESTIC_JOB_ARGS PRE_COMMANDS=HOOKS_DIR " +
    "HEALTHCHECK_URL=HEALTHCHECKS_URL RESTIC_BACKUP_TAG=RESTIC_TAG"
  ).split(" "),
)("another program's name: %s", (pair) => {
  const [name = "", ours = ""] = pair.split("=");
  const [found] = misspelt({ [name]: "1" }, knownNames(["pre-backup"], ["backup"]));
  expect(found?.nearest).toBe(ours);
  expect(found && misspeltText(found)).toStartWith(
    `is another program's name and has no effect here; ours is ${ours}`,
  );
});
