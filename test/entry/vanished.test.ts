/** A repository that was there and is gone, and one that is another one: entry, init-repo and backup on real restics. */

import { describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { equip } from "../support/ready-repository.ts";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

describe.each(restics.map((tool) => [tool.version, tool] as const))("restic %s", (_, tool) => {
  test("after good runs an empty folder is no new repository: entry refuses, and says so by webhook and mail", async () => {
    using world = new World();
    equip(world, tool);
    expect((await world.run("backup")).code).toBe(0);
    renameSync(world.repository, `${world.dir}/elsewhere`);
    mkdirSync(world.repository);
    const posted: Record<string, unknown>[] = [];
    using receiver = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => {
        posted.push((await request.json()) as Record<string, unknown>);
        return new Response();
      },
    });
    world.program("sendmail", `cat >>'${world.dir}/mails'`);
    const env = {
      WEBHOOK_URL: `http://127.0.0.1:${receiver.port}/`,
      WEBHOOK_ON_ERROR: "ON",
      MAILX_RCPT: "me@example.org",
      MAILX_ON_ERROR: "ON",
      CRONTAB_DIR: world.folder("crontabs"),
    };
    const { code, stdout } = await world.run("restic-backup-helper", ["entry"], { env });
    const says = `There is no repository at ${world.repository}, but backup worked with one there, last at `;
    expect(code).toBe(1);
    expect(stdout).toContain(says);
    expect(stdout).toContain("run init-repo");
    expect(world.has("repository/config")).toBe(false);
    expect(world.has("crontabs/root")).toBe(false);
    expect(posted).toEqual([
      expect.objectContaining({
        job: "entry",
        status: "failed",
        exit_code: 1,
        error: expect.stringContaining(says),
        repository: world.repository,
      }),
    ]);
    const subject = Buffer.from("[FAIL 1] Entry testhost · 0s").toString("base64");
    expect(world.read("mails")).toContain(`Subject: =?UTF-8?B?${subject}?=`);
    expect(world.read("mails")).toContain(says);
    // The orchestrator starts it again at once, and every time for the same reason.
    expect((await world.run("restic-backup-helper", ["entry"], { env })).code).toBe(1);
    expect(posted).toHaveLength(1);
    // The records may be lost: the history says it too.
    rmSync(`${world.log}/last-backup.json`);
    rmSync(`${world.log}/entry-failed`);
    expect((await world.run("restic-backup-helper", ["entry"], { env })).code).toBe(1);
    expect(posted).toHaveLength(2);
    // The remedy.
    expect((await world.run("init-repo", ["--yes"])).code).toBe(0);
    expect(world.has("repository/config")).toBe(true);
  });

  test("a backup into another repository than before is a warning, once", async () => {
    using world = new World();
    equip(world, tool);
    expect((await world.run("backup")).code).toBe(0);
    const first = world.record().repository_id;
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    rmSync(world.repository, { recursive: true });
    expect((await world.exec(["restic", "init"])).code).toBe(0);
    const { code, stdout } = await world.run("backup");
    expect(code).toBe(0);
    const { status, alerts, repository_id } = world.record();
    expect(repository_id).toMatch(/^[0-9a-f]{64}$/);
    expect(repository_id).not.toBe(first);
    expect(status).toBe("warning");
    const message = `${world.repository} is another repository than before: its id is ${repository_id.slice(0, 8)}, and was ${first.slice(0, 8)}.`;
    expect(alerts).toContainEqual({ kind: "repository-changed", message: expect.stringContaining(message) });
    expect(stdout).toContain(message);
    await world.run("backup");
    expect(world.record()).toMatchObject({ status: "ok", repository_id });
  });

  test("without a cache the id is asked for, once a day", async () => {
    using world = new World();
    equip(world, tool);
    const env = { RESTIC_OPTIONS: "--no-cache" };
    await world.run("backup", [], { env });
    const first = world.record();
    expect(first.repository_id).toMatch(/^[0-9a-f]{64}$/);
    rmSync(world.repository, { recursive: true });
    expect((await world.exec(["restic", "init"])).code).toBe(0);
    await world.run("backup", [], { env });
    expect(world.record()).toMatchObject({ status: "ok", repository_id: first.repository_id });
    const yesterday = { ...world.record(), finished_epoch: first.finished_epoch - 86_400 };
    writeFileSync(`${world.log}/last-backup.json`, JSON.stringify(yesterday));
    await world.run("backup", [], { env });
    const { status, alerts } = world.record();
    expect(status).toBe("warning");
    expect(alerts).toContainEqual(expect.objectContaining({ kind: "repository-changed" }));
  });

  test("the id outlives a run that fails, and is that of one repository only", async () => {
    using world = new World();
    equip(world, tool);
    await world.run("backup");
    const { repository_id } = world.record();
    await world.run("backup", [], { env: { RESTIC_PASSWORD: "a wrong password" } });
    expect(world.record()).toMatchObject({ exit_code: 12, repository_id });
    // Another name is another repository, of which nothing was known.
    cpSync(world.repository, `${world.dir}/copy`, { recursive: true });
    await world.run("backup", [], { env: { RESTIC_REPOSITORY: `${world.dir}/copy` } });
    expect(world.record()).toMatchObject({ status: "ok", repository_id });
  });
});

test.each([
  ["another repository", { repository: "/elsewhere", snapshot_id: "a1b2c3d4", job: "backup" }],
  ["a job that needs none", { job: "rotate_log" }],
  ["a failure", { job: "check", status: "failed", exit_code: 1 }],
  ["a dry run", { job: "backup", status: "dry-run", snapshot_id: "a1b2c3d4" }],
])("the history of %s keeps nobody from creating one", async (_, run) => {
  using world = new World();
  world.restic('case "$*" in *" config "*) exit 10;; *) echo "restic $*"; exit 9;; esac');
  const line = { status: "ok", exit_code: 0, started_epoch: 1, finished_epoch: 2, duration_seconds: 1 };
  writeFileSync(
    `${world.log}/history.jsonl`,
    `${JSON.stringify({ ...line, repository: world.repository, ...run })}\n`,
  );
  const { stdout } = await world.run("restic-backup-helper", ["entry"]);
  expect(stdout).toContain("yet; creating it.");
});

test.each(["restic", "~/restic", "'/mnt/restic'", "/mnt/restic ", "C:\\restic"])(
  "entry creates nothing at %s, and quotes it",
  async (name) => {
    using world = new World();
    world.restic("exit 10");
    const { code, stdout } = await world.run("restic-backup-helper", ["entry"], {
      env: { RESTIC_REPOSITORY: name },
    });
    expect(code).toBe(1);
    expect(stdout).toContain(`The repository was read as "${name}": `);
    expect(stdout).not.toContain("creating it");
  },
);
