import { describe, expect, test } from "bun:test";
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { variables } from "../../lib/config/variables.ts";
import { binary, World } from "../support/world.ts";

const PROGRAM = "restic-backup-helper";

const env = (world: World, given: Record<string, string | undefined> = {}, ...args: string[]) =>
  world.run(PROGRAM, ["env", ...args], { env: given });

interface Shown {
  readonly name: string;
  readonly value: string | null;
  readonly default: string | null;
  readonly origin: string;
  readonly from?: string;
  readonly ignored?: string;
}

async function shownOf(world: World, given: Record<string, string | undefined> = {}) {
  const { code, stdout, stderr } = await env(world, given, "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const answer = JSON.parse(stdout);
  expect(answer.schema).toBe("restic-backup-helper.env/1");
  const rows: Shown[] = answer.variables;
  return { answer, row: (name: string) => rows.find((row) => row.name === name), rows };
}

test("every variable, with its value, its default and where it comes from", async () => {
  using world = new World();
  const { rows, row } = await shownOf(world, { RESTIC_TAG: "", BACKUP_CRON: "@daily", AWS_REGION: "eu" });
  const names = rows.map(({ name }) => name);
  for (const name of Object.keys(variables)) if (!name.includes("<")) expect(names).toContain(name);
  expect(row("RESTIC_TAG")).toMatchObject({ value: "automated", default: "automated", origin: "default" });
  expect(row("BACKUP_CRON")).toMatchObject({
    value: "@daily",
    default: "0 */6 * * *",
    origin: "environment",
  });
  expect(row("CHECK_CRON")).toMatchObject({ value: null, default: null, origin: "unset" });
  expect(row("AWS_REGION")).toMatchObject({ value: "eu", origin: "environment" });
  const { code, stdout, stderr } = await env(world, { BACKUP_CRON: "@daily" });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/^VARIABLE +FROM +DEFAULT +VALUE$/m);
  expect(stdout).toMatch(/^BACKUP_CRON +environment +0 \*\/6 \* \* \* +@daily$/m);
  expect(stdout).not.toContain("[WARN]");
});

test("files, old names, and those of phases and workers", async () => {
  using world = new World();
  const file = world.file("timeout", "25\n");
  const repository = world.file("repository-name", "# ours\nrest:https://me:s3cretword@host/\n");
  const { row } = await shownOf(world, {
    WEBHOOK_TIMEOUT_FILE: file,
    RESTIC_REPOSITORY_FILE: repository,
    SYNC_CRON: "@weekly",
    HOOK_TIMEOUT_PRE_BACKUP: "5",
    RESTORE_TEST_TIMEOUT: "6h",
  });
  expect(row("WEBHOOK_TIMEOUT")).toMatchObject({ value: "25", default: "10", origin: "file", from: file });
  expect(row("RESTIC_REPOSITORY")).toMatchObject({
    value: "rest:https://me:***@host/",
    origin: "file",
    from: repository,
  });
  expect(row("REPLICATE_CRON")).toMatchObject({ value: "@weekly", origin: "old name", from: "SYNC_CRON" });
  expect(row("HOOK_TIMEOUT_PRE_BACKUP")).toMatchObject({ value: "5", origin: "environment" });
  expect(row("RESTORE_TEST_TIMEOUT")).toMatchObject({ value: "6h", origin: "environment" });
});

describe("what the image sets", () => {
  /** A program of its own, beside which the note lies; what its image's ENV lines set. */
  function imageOf(world: World, set: Record<string, string>) {
    const program = join(world.bin, "of-the-image");
    copyFileSync(binary, program);
    const run = (args: string[], env: Record<string, string>) =>
      world.exec([program, "env", ...args], { env: { ...set, ...env } });
    return { run, note: () => run(["--image"], { http_proxy: "http://build:1" }) };
  }

  test("is an image default; what a container is given instead comes from its environment", async () => {
    using world = new World();
    for (const name of Object.keys(world.env)) if (name !== "PATH") delete world.env[name];
    const set = { BACKUP_CRON: "0 2 * * *", STOP_TIMEOUT: "30", RCLONE_BWLIMIT: "1M", HOOK_TIMEOUT: "soon" };
    const { note, run } = imageOf(world, set);
    const { code, stdout, stderr } = await note();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toEndWith("/image.json: BACKUP_CRON, HOOK_TIMEOUT, RCLONE_BWLIMIT, STOP_TIMEOUT\n");
    expect(JSON.parse(world.read("share/restic-backup-helper/image.json"))).toEqual(set);
    const shown = await run(["--json"], { STOP_TIMEOUT: "45", RESTIC_TAG: "automated" });
    const rows: Shown[] = JSON.parse(shown.stdout).variables;
    const row = (name: string) => rows.find((each) => each.name === name);
    expect(row("BACKUP_CRON")).toMatchObject({
      value: "0 2 * * *",
      default: "0 2 * * *",
      origin: "image default",
    });
    expect(row("STOP_TIMEOUT")).toMatchObject({ value: "45", default: "30", origin: "environment" });
    expect(row("RCLONE_BWLIMIT")).toMatchObject({ value: "1M", origin: "image default" });
    expect(row("RESTIC_TAG")).toMatchObject({ origin: "environment" });
    expect(row("HOOK_TIMEOUT")).toMatchObject({ value: "0", origin: "default", ignored: "soon" });
    expect((await run([], {})).stdout).toMatch(/^BACKUP_CRON +image default +0 2 \* \* \* +0 2 \* \* \*$/m);
    const doctor = await world.exec([join(world.bin, "of-the-image"), "doctor"], { env: set });
    expect(doctor.stdout).toMatch(/BACKUP_CRON +0 2 \* \* \* {2}\(image default\)$/m);
  });

  test("a secret in it fails its build; a note that is damaged counts as none", async () => {
    using world = new World();
    const { note, run } = imageOf(world, { RESTIC_PASSWORD: "correct horse battery", BACKUP_CRON: "@daily" });
    const refused = await note();
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("ENV sets RESTIC_PASSWORD: everyone who has the image can read that.");
    expect(refused.stderr).not.toContain("correct horse");
    expect(world.has("share")).toBe(false);
    world.file("share/restic-backup-helper/image.json", '{"BACKUP_CRON": "@dai');
    expect((await run([], {})).stdout).toMatch(/^BACKUP_CRON +environment +0 \*\/6 \* \* \* +@daily$/m);
  });
});

test("secrets are masked, wherever they stand; control characters are made visible", async () => {
  using world = new World();
  const given = {
    RESTIC_PASSWORD: "correct horse battery",
    WEBHOOK_URL: "https://hooks.example.org/services/T0123456789/B01234",
    AWS_SECRET_ACCESS_KEY: "wJalrXUtnFEMI",
    RESTIC_JOB_ARGS: "--exclude 'correct horse battery' \x1b[31m",
  };
  for (const args of [[], ["--json"]]) {
    const { stdout } = await env(world, given, ...args);
    for (const secret of ["correct horse", "T0123456789", "wJalrXUtnFEMI", "\x1b"])
      expect(stdout).not.toContain(secret);
    expect(stdout).toContain("https://hooks.example.org/***");
  }
});

describe("what is not understood", () => {
  test("a value: the default counts", async () => {
    using world = new World();
    const given = { STOP_TIMEOUT: "soon", RESTIC_CHECK_REPOSITORY_STATUS: "maybe", HOOK_TIMEOUT: "-1" };
    const { row, answer } = await shownOf(world, given);
    expect(row("STOP_TIMEOUT")).toMatchObject({ value: "8", origin: "default", ignored: "soon" });
    expect(row("RESTIC_CHECK_REPOSITORY_STATUS")).toMatchObject({ value: "ON", ignored: "maybe" });
    expect(row("HOOK_TIMEOUT")).toMatchObject({ value: "0", ignored: "-1" });
    expect(answer.warnings).toHaveLength(3);
    const { stdout } = await env(world, given);
    expect(stdout).toMatch(/^STOP_TIMEOUT +default \(soon makes no sense\) +8 +8$/m);
    expect(stdout).toContain("[WARN] STOP_TIMEOUT=soon is not a duration");
  });

  test.each([
    ["HOOK_TIMEOUTS", "HOOK_TIMEOUT"],
    ["RESTIC_FORGET_ARG", "RESTIC_FORGET_ARGS"],
    ["RESTORE_TEST_CANARIES", "RESTORE_TEST_CANARY"],
    ["BACKUP_ROOT_DIRS", "BACKUP_ROOT_DIR"],
  ])("%s: did you mean %s? Here, in doctor and in config-check", async (name, meant) => {
    using world = new World();
    world.restic();
    const given = { [name]: "1" };
    const { answer } = await shownOf(world, given);
    expect(answer.misspelt).toEqual([{ name, nearest: meant }]);
    expect((await env(world, given)).stdout).toContain(
      `[WARN] ${name} is not known and has no effect; did you mean ${meant}?`,
    );
    for (const tool of ["config-check", "doctor"]) {
      const { stdout } = await world.run(tool, [], { env: given });
      expect(stdout).toMatch(new RegExp(`\\[WARN\\].*${name}.*did you mean ${meant}\\?`));
    }
  });
});

describe("the name belongs to the system", () => {
  test("no link is made of it, and --list, which is for links, does not have it", async () => {
    using world = new World();
    const folder = world.folder("links");
    const { stdout } = await world.run(PROGRAM, ["--install", "-s", folder]);
    expect(stdout).toContain(`${folder}/doctor\n`);
    expect(existsSync(join(folder, "env"))).toBe(false);
    expect((await world.run(PROGRAM, ["--list"])).stdout.split("\n")).not.toContain("env");
    expect((await world.run(PROGRAM, ["--help"])).stdout).toMatch(/^ {2}env +show every variable/m);
  });

  test("called by that name it is not this command", async () => {
    using world = new World();
    const { code, stderr } = await world.run("env", []);
    expect(code).toBe(2);
    expect(stderr).toContain("A command is missing.");
  });

  test("its help and its complaints name it as it must be called", async () => {
    using world = new World();
    expect((await env(world, {}, "--help")).stdout).toContain(`USAGE ${PROGRAM} env [options]`);
    const { code, stdout, stderr } = await env(world, {}, "--jsn");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toBe(
      `${PROGRAM} env: The flag --jsn is unknown; did you mean --json?\nTry: ${PROGRAM} env --help\n`,
    );
  });

  test("entry runs the system's", async () => {
    using world = new World();
    const { code, stdout } = await world.run("entry", ["env", "MARK=1", "sh", "-c", "echo mark $MARK"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "mark 1\n" });
  });

  test("completion offers it as a word only", async () => {
    using world = new World();
    for (const shell of ["bash", "zsh", "fish"]) {
      const { stdout } = await world.run(PROGRAM, ["completion", shell]);
      expect(stdout).toContain("env");
      expect(stdout).not.toMatch(
        /^complete -c env |^complete .*_restic_backup_helper .*\benv\b|^#compdef .*\benv\b/m,
      );
    }
    const readme = readFileSync(join(import.meta.dir, "../../README.md"), "utf8");
    expect(readme).toContain(`| \`${PROGRAM} env\` | tool |`);
  });
});
