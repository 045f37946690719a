// What people who come from another container bring along: words, schedules, gates, and what reads records and metrics.
import { expect } from "bun:test";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isPlain, splitCanaries, splitPaths } from "../../lib/restore-test/test-plan.ts";
import { needing } from "../support/needing.ts";
import { restic, restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

const { afterAll, beforeAll, describe, test } = needing("restic");
const JSON_COMMANDS = ["status", "doctor", "config-check", "env"];

let base: World;
beforeAll(async () => {
  base = new World();
  base.useRestic(restics[0]?.path ?? "restic");
  for (const name of ["one", "two", "My Photos"]) {
    mkdirSync(join(base.source, name));
    writeFileSync(join(base.source, name, "file"), `${name}\n`);
  }
  await base.exec(["restic", "init"]);
  expect((await base.run("backup")).code).toBe(0);
});
afterAll(() => base[Symbol.dispose]());

class Moved extends World {
  constructor(path = restic.path) {
    super();
    this.useRestic(path);
    cpSync(base.repository, this.repository, { recursive: true });
    const folders = { TMPDIR: this.folder("tmp"), METRICS_DIR: this.folder("metrics") };
    Object.assign(this.env, {
      ...folders,
      CRONTAB_DIR: this.folder("crontabs"),
      BACKUP_ROOT_DIR: base.source,
    });
  }

  metric(name: string): number | undefined {
    const worker = name.replace(/_last_.*/, "");
    const text = readFileSync(join(this.dir, `metrics/${worker}.testhost.prom`), "utf8");
    const value = new RegExp(`^${name}\\{.*\\} (\\S+)$`, "m").exec(text)?.[1];
    return value === undefined ? undefined : Number(value);
  }
}

const at = (name: string) => join(base.source, name);

test.each([
  ["/data/a /data/b", ["/data/a", "/data/b"]],
  ["  /data/a\t/data/b ", ["/data/a", "/data/b"]],
  ["/data/My Photos", ["/data/My Photos"]],
  ['"/data/My Photos" /data/b', ["/data/My Photos", "/data/b"]],
  ["'/data/My Photos'", ["/data/My Photos"]],
  ["/data/Bob's /data/b", ["/data/Bob's", "/data/b"]],
  ["/data/Bob's things", ["/data/Bob's things"]],
  ["*.jpg", ["*.jpg"]],
  ["/data/My *.jpg", ["/data/My *.jpg"]],
])("paths on a line: %s", (line, paths) => expect(splitPaths(line)).toEqual(paths));

const SHA = "0123456789abcdef".repeat(4);
test.each([
  [`/a=${SHA} /b=${SHA}`, [`/a=${SHA}`, `/b=${SHA}`]],
  [`/a b=${SHA} /c d=${SHA}`, [`/a b=${SHA}`, `/c d=${SHA}`]],
  [`${SHA}  /a`, [`${SHA}  /a`]],
  [`/a=${SHA} b=${SHA}`, [`/a=${SHA} b=${SHA}`]],
])("canaries on a line: %s", (line, canaries) => expect(splitCanaries(line)).toEqual(canaries));

test("a pattern is no plain path", () => {
  expect(["/a", "/a b", "/a*", "a", "/[a]"].map(isPlain)).toEqual([true, true, false, false, false]);
});

describe.each(restics.map(({ version, path }) => [version, path] as const))(
  "restore-test, restic %s",
  (_, path) => {
    test("several paths, by flags and by the variable; --yes changes nothing", async () => {
      using world = new Moved(path);
      const flags = await world.run("restore-test", ["--yes", "--path", at("one"), "--path", at("two")]);
      expect({ code: flags.code, stdout: flags.stdout }).toMatchObject({ code: 0 });
      const both = {
        files_restored: 2,
        include_paths_count: 2,
        keep: "OFF",
        verify: "OFF",
        verification: "passed",
      };
      expect(world.record("restore-test")).toMatchObject(both);
      for (const text of [`${at("one")} ${at("two")}`, `${at("one")}\n${at("two")}`]) {
        expect((await world.run("restore-test", [], { env: { RESTORE_TEST_PATH: text } })).code).toBe(0);
        expect(world.record("restore-test")).toMatchObject(both);
      }
      expect(world.metric("restic_restore_test_last_include_paths_count")).toBe(2);
      expect(world.metric("restic_restore_test_last_restic_files_restored")).toBeGreaterThan(0);
      const blank = { RESTORE_TEST_PATH: at("My Photos") };
      expect((await world.run("restore-test", [], { env: blank })).code).toBe(0);
      expect(world.record("restore-test")).toMatchObject({ files_restored: 1, path: at("My Photos") });
    });

    test("of several paths one that is not there is a failure", async () => {
      using world = new Moved(path);
      const { code, stdout } = await world.run("restore-test", ["--path", at("one"), "--path", at("three")]);
      expect(code).toBe(3);
      expect(stdout).toContain(`The snapshot has no ${at("three")}, which --path names`);
      expect(world.record("restore-test")).toMatchObject({ status: "failed", verification: "failed" });
    });
  },
);

needing("jq").test.each(JSON_COMMANDS)("%s -j is --json, and jq finds what fails", async (command) => {
  using world = new Moved();
  world.env.RESTIC_REPOSITORY = join(world.dir, "none");
  const program = command === "env" ? "restic-backup-helper" : command;
  const { stdout } = await world.run(program, program === command ? ["-j"] : [command, "-j"]);
  const filter = '[.checks[]? | select(.status == "fail")] | length > 0';
  const jq = Bun.spawnSync(["jq", "-e", filter], { stdin: Buffer.from(stdout) });
  expect(jq.exitCode).toBe(command === "doctor" ? 0 : 1);
});

needing("jq").test("a job whose last run failed is found by jobs, findings and recent_json", async () => {
  using world = new Moved();
  world.file("crontabs/root", "@daily /bin/locked_run backup /bin/backup\n");
  world.restic("exit 1");
  await world.run("backup");
  const { stdout } = await world.run("status", ["-j"]);
  for (const filter of [
    '.jobs[] | select(.job == "backup" and .core and .enabled and .status == "fail" and .last_status == "failed")',
    '.findings[] | select(.level == "FAIL" and .status == "FAIL")',
    '.schedules[] | select(.job == "backup" and .cron == "@daily" and .expression == "@daily" and .enabled)',
    '.recent_json[] | select(.job == "backup" and .exit_code == 1 and .age_human != "")',
    'select(.command == "status" and .runtime.repository != "")',
  ]) {
    expect([filter, Bun.spawnSync(["jq", "-e", filter], { stdin: Buffer.from(stdout) }).exitCode]).toEqual([
      filter,
      0,
    ]);
  }
});

test.each(["", "off", " OFF "])("BACKUP_CRON=%j: no backup in this container", async (value) => {
  using world = new Moved();
  const env = { BACKUP_CRON: value, CHECK_CRON: "0 3 * * *", PRUNE_CRON: "off", ROTATE_LOG_CRON: "Off" };
  const status = JSON.parse((await world.run("status", ["--json"], { env })).stdout);
  const on = status.schedules.filter(({ enabled }: { enabled: boolean }) => enabled);
  expect(on.map(({ job }: { job: string }) => job)).toEqual(["check"]);
  const listed = (await world.run("cron-list", [], { env })).stdout;
  expect(listed).toContain("locked_run check");
  expect(listed).not.toMatch(/locked_run (backup|prune|rotate_log)/);
  const { stdout } = await world.run("config-check", [], { env });
  expect(stdout).toContain("BACKUP_CRON: off: backup is not scheduled");
  expect(stdout).toContain("PRUNE_CRON: off: prune is not scheduled");
  const doctor = JSON.parse((await world.run("doctor", ["--json"], { env })).stdout);
  expect(doctor.environment.BACKUP_CRON).toBe(value.trim() === "" ? "" : value);
});

test("FORGET_CRON=off leaves the retention to backup", async () => {
  using world = new Moved();
  world.env.BACKUP_ROOT_DIR = world.source;
  const env = { FORGET_CRON: "off", RESTIC_FORGET_ARGS: "--keep-last 1" };
  expect((await world.run("backup", [], { env })).code).toBe(0);
  expect(world.record()).toMatchObject({
    forget_exit_code: 0,
    backup_root_dir: world.source,
    restic_tag: "automated",
  });
});

describe("records and metrics", () => {
  test("restore and snapshot-export", async () => {
    using world = new Moved();
    expect((await world.run("restore", ["--yes", "--target", world.folder("to")])).code).toBe(0);
    expect(world.record("restore")).toMatchObject({
      cancelled: "OFF",
      elapsed_human: expect.stringMatching(/^\d+s$/),
      tag_filter: "automated",
      host_filter: "testhost",
    });
    const output = join(world.dir, "a.tar");
    expect((await world.run("snapshot-export", ["--output", output])).code).toBe(0);
    const { files, bytes, files_restored, bytes_restored, elapsed_human } = world.record("snapshot-export");
    expect([files_restored, bytes_restored]).toEqual([files, bytes]);
    expect(elapsed_human).toMatch(/^\d+s$/);
    expect(world.metric("restic_snapshot_export_last_files_restored")).toBe(files);
  });

  test("forget-preview and sources-report", async () => {
    using world = new Moved();
    const words = ["--policy", "--keep-last 1", "--extra", "--group-by host", "--host", "testhost"];
    expect((await world.run("forget-preview", words)).code).toBe(0);
    expect(world.record("forget-preview")).toMatchObject({
      policy_args: world.record("forget-preview").policy,
      extra_args: "--group-by host",
      repo_wide: "OFF",
      host_filter: "testhost",
      tag_filter: "",
    });
    expect((await world.run("sources-report", ["--no-size", "--depth", "2"])).code).toBe(0);
    expect(world.record("sources-report")).toMatchObject({
      sources_count: 1,
      files_from_count: 0,
      exclude_files_count: 0,
      backup_root_dir: base.source,
      no_size: "ON",
      depth_limit: 2,
    });
    for (const name of ["sources", "files_from", "exclude_files"])
      expect(world.metric(`restic_sources_report_last_${name}_count`)).toBe(name === "sources" ? 1 : 0);
  });

  test("notify-test", async () => {
    using world = new Moved();
    const env = {
      WEBHOOK_URL: "http://127.0.0.1:1/secret-path",
      WEBHOOK_HEADER_AUTH: "Bearer secret-token",
      WEBHOOK_TIMEOUT: "7",
    };
    const words = ["--webhook", "--dry-run", "--subject", "hello"];
    expect((await world.run("notify-test", words, { env })).code).toBe(0);
    const record = world.record("notify-test");
    expect(record).toMatchObject({
      target_mode: "webhook",
      mail_requested: "OFF",
      webhook_requested: "ON",
      mail_configured: "OFF",
      webhook_configured: "ON",
      mail_rc: 0,
      webhook_rc: 0,
      mail_on_error: "OFF",
      webhook_on_error: "OFF",
      webhook_auth_header_set: "ON",
      webhook_timeout: 7,
      subject: "[TEST] hello",
    });
    expect(record.webhook_url).toStartWith("http://127.0.0.1:1");
    expect(JSON.stringify(record)).not.toContain("secret-");
    for (const [name, value] of [
      ["mail_rc", 0],
      ["webhook_rc", 0],
      ["webhook_timeout", 7],
    ] as const)
      expect(world.metric(`restic_notify_test_last_${name}`)).toBe(value);
  });
});

test("TZ: config-check says that the old image's default was another one, where its traces are", async () => {
  using world = new Moved();
  world.env.TZ = undefined;
  const said = async (env: Record<string, string> = {}) =>
    (await world.run("config-check", [], { env })).stdout.split("\n").filter((line) => /\] +TZ:/.test(line));
  expect(await said()).toEqual([expect.stringMatching(/^\[OK\]/)]);
  const warned = expect.stringMatching(/^\[WARN\] TZ: is not set, .*set TZ=Europe\/Amsterdam/);
  expect(await said({ SYNC_CRON: "0 4 * * *" })).toEqual([warned]);
  expect(await said({ SYNC_CRON: "0 4 * * *", TZ: "UTC" })).toEqual([expect.stringMatching(/^\[OK\]/)]);
  world.file(
    "log/last-check.json",
    JSON.stringify({ release: "2.14.2-0.18.1", job: "check", exit_code: "0" }),
  );
  expect(await said()).toEqual([warned]);
});

test("the image's RESTIC_REPOSITORY is no second repository beside RESTIC_REPOSITORY_FILE", async () => {
  using world = new Moved();
  const file = world.file("named", `${world.repository}\n`);
  const env = { RESTIC_REPOSITORY: "/mnt/restic", RESTIC_REPOSITORY_FILE: file };
  const { stdout } = await world.run("config-check", [], { env });
  expect(stdout).toContain(`RESTIC_REPOSITORY_FILE: ${world.repository}`);
  expect(stdout).not.toContain("is set too");
});
