// The JSON Schemas, and real output held against them.
import { describe, expect, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { declaredFacts } from "../../lib/run/command.ts";
import { SCHEMAS, type SchemaName, schemaText } from "../../lib/schema/index.ts";
import { processMark } from "../../lib/state/alive.ts";
import { table } from "../../lib/workers/index.ts";
import { lacks } from "../support/needing.ts";
import { Receiver, status } from "../support/receiver.ts";
import { restics } from "../support/restics.ts";
import { violations } from "../support/schema.ts";
import { World, waitFor } from "../support/world.ts";

const workers = await declaredFacts(table);
const schemaOf = async (name: SchemaName) => JSON.parse(await schemaText(name, workers));
const wrongWith = async (name: SchemaName, value: unknown) => violations(await schemaOf(name), value);

class Quiet extends World {
  constructor() {
    super();
    this.env.CRONTAB_DIR = this.folder("crontabs");
  }
}

describe("`schema`", () => {
  test.each(SCHEMAS)("%s: prints what lies in the binary", async (name) => {
    using world = new Quiet();
    const { code, stdout, stderr } = await world.run("restic-backup-helper", ["schema", name]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe(await schemaText(name, workers));
    expect(JSON.parse(stdout)).toMatchObject({
      $schema: "https://json-schema.org/draft/2020-12/schema",
      $id: `urn:restic-backup-helper:${name}:1`,
      properties: { schema: { const: `restic-backup-helper.${name}/1` } },
    });
  });

  test.each([[[]], [["runs"]], [["run", "status"]]])("%j: exit 2", async (words) => {
    using world = new Quiet();
    const { code, stdout, stderr } = await world.run("restic-backup-helper", ["schema", ...words]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toStartWith(
      "restic-backup-helper: schema takes one of run, status, doctor, config-check.\n",
    );
  });

  test("every keyword in them is one that the validator checks", async () => {
    for (const name of SCHEMAS) expect(await wrongWith(name, {})).not.toEqual([]);
  });

  // An implementation that we did not write, where the machine has it.
  test.skipIf(lacks("python3") || Bun.spawnSync(["python3", "-c", "import jsonschema"]).exitCode !== 0)(
    "they are valid themselves, says Python's jsonschema (skipped where it is not installed)",
    async () => {
      const script =
        "import sys, json, jsonschema\nfor s in json.load(sys.stdin): jsonschema.Draft202012Validator.check_schema(s)";
      const child = Bun.spawn(["python3", "-W", "ignore", "-c", script], {
        stdin: new TextEncoder().encode(JSON.stringify(await Promise.all(SCHEMAS.map(schemaOf)))),
        stderr: "pipe",
      });
      expect(await new Response(child.stderr).text()).toBe("");
      expect(await child.exited).toBe(0);
    },
  );
});

describe("run", () => {
  test.each(restics.map(({ version, path }) => [version, path]))(
    "a backup by restic %s, with hooks of each kind",
    async (_, path) => {
      using world = new Quiet();
      world.useRestic(path);
      world.hook("pre-backup", "exit 7");
      world.hook("pre-backup.d/10-dies", "kill -SEGV $$");
      world.hook("pre-backup.d/20-late", "sleep 30");
      world.hook("post-backup", "exit 0", 0o644);
      await world.exec(["restic", "init"]);
      const env = { HOOK_TIMEOUT: "1", HOOK_KILL_AFTER: "1", RESTIC_FORGET_ARGS: "--keep-last 1" };
      expect((await world.run("backup", [], { env })).code).toBe(0);
      expect(world.record().hooks).toHaveLength(4);
      expect(await wrongWith("run", world.record())).toEqual([]);
      expect(await Promise.all(world.history().map((line) => wrongWith("run", line)))).toEqual([[]]);
    },
  );

  test("failures, a warning, a time-out, a stop, a skip and a death, as the history has them", async () => {
    using world = new Quiet();
    for (const body of ["exit 1", "exit 3"]) {
      world.restic(body);
      await world.run("backup");
    }
    await world.run("backup", [], { env: { RESTIC_TAG: "" } });
    world.restic("sleep 30");
    await world.run("backup", [], { env: { BACKUP_TIMEOUT: "1" } });
    world.restic('touch "$HOME/there"; sleep 30');
    const stopped = world.start("backup");
    await waitFor(() => world.has("there"), "restic");
    await world.run("backup");
    stopped.kill("SIGTERM");
    await stopped.exited;
    world.restic('touch "$HOME/again"; sleep 30');
    const killed = world.start("backup");
    await waitFor(() => world.has("again"), "restic");
    killed.kill("SIGKILL");
    await killed.exited;
    for (const pid of world.processes()) process.kill(pid, "SIGKILL");
    world.restic();
    await waitFor(async () => (await world.run("backup")).code === 0, "the lock to be free");
    const lines = world.history();
    const seen = [...new Set(lines.map((line) => line.status))].sort();
    expect(seen).toEqual(["died", "failed", "interrupted", "ok", "skipped", "timed_out", "warning"]);
    expect(await Promise.all(lines.map((line) => wrongWith("run", line)))).toEqual(lines.map(() => []));
  });

  test("whatever each worker leaves when nothing is as it should be", async () => {
    using world = new Quiet();
    world.restic("exit 1");
    world.program("rclone", "exit 1");
    const { stdout } = await world.run("restic-backup-helper", ["--help"]);
    const runs = /RUNS[^\n]*\n([\s\S]*?)\n\n/
      .exec(stdout)?.[1]
      ?.split("\n")
      .map((line) => line.trim().split(" ")[0] ?? "");
    expect(runs).toContain("backup");
    for (const worker of runs ?? []) {
      await world.run(worker, [], { env: { RESTORE_TEST_TARGET: world.folder("restored") } });
      expect({ worker, wrong: await wrongWith("run", world.record(worker)) }).toEqual({ worker, wrong: [] });
    }
  });

  test("the body of a webhook, also of notify-test's", async () => {
    using world = new Quiet();
    world.restic();
    using receiver = await Receiver.start(status(200));
    world.env.WEBHOOK_URL = `http://127.0.0.1:${receiver.port}/`;
    await world.run("backup");
    await world.run("notify-test");
    expect(
      await Promise.all(receiver.requests.map(({ body }) => wrongWith("run", JSON.parse(body)))),
    ).toEqual([[], []]);
    expect(await wrongWith("run", world.record("notify-test"))).toEqual([]);
  });

  test.each([
    [{ exit_code: "0" }, "$.exit_code is string, not integer"],
    [{ exit_code: undefined }, "$ lacks exit_code"],
    [
      { status: "okay" },
      '$.status is "okay", none of ok,warning,dry-run,failed,interrupted,timed_out,cancelled,died,skipped,window_closed',
    ],
    [{ status: "timed_out" }, "$ lacks timed_out"],
    [{ started_at: "2026-05-11 09:30:00" }, "$.started_at does not match"],
    [{ files_new: -1 }, "$.files_new is -1, less than 0"],
    [{ dry_run: true }, "$.dry_run is true, none of ON,OFF"],
    [{ hooks: [{ phase: "pre-backup", path: "/x" }] }, "$.hooks[0] fits none of anyOf"],
    [
      { hooks: [{ phase: "pre-backup", path: "/x", exit_code: 0, odd: 1 }] },
      "$.hooks[0] has odd, which is not declared",
    ],
  ])("%j is wrong", async (change, words) => {
    using world = new Quiet();
    world.restic();
    await world.run("backup");
    const changed = JSON.parse(JSON.stringify({ ...world.record(), ...change }));
    const [first, ...more] = await wrongWith("run", changed);
    expect(first).toStartWith(words);
    expect(more).toEqual([]);
  });
});

describe("status", () => {
  test("nothing yet, a success, a failure, a run in progress, a corrupt record, a broken schedule", async () => {
    using world = new Quiet();
    // A schedule that runs, or each job that a variable schedules would be a failure.
    const mark = processMark();
    world.file("lock/entry.json", JSON.stringify({ entry: mark, scheduler: mark, since_epoch: 0 }));
    const look = async (verdict: string, env = {}) => {
      const report = JSON.parse((await world.run("status", ["--json"], { env })).stdout);
      expect({ verdict: report.verdict, wrong: await wrongWith("status", report) }).toEqual({
        verdict,
        wrong: [],
      });
    };
    await look("WARN");
    world.restic();
    await world.run("backup");
    await look("OK");
    await look("WARN", { CHECK_CRON: "0 25 * * *", PRUNE_CRON: "0 0 30 2 *" });
    const crontab = world.file("crontabs/root", "0 25 * * * /bin/locked_run check /c.lock /bin/check\n");
    await look("WARN");
    rmSync(crontab);
    const line = JSON.stringify({ message_type: "status", percent_done: 0.5, seconds_remaining: 9 });
    world.restic(`echo '${line}'; touch "$HOME/there"; sleep 30`);
    const child = world.start("backup");
    await waitFor(() => world.has("there"), "restic");
    await look("OK");
    child.kill("SIGKILL");
    await child.exited;
    await look("WARN");
    world.restic("exit 1");
    for (const pid of world.processes()) process.kill(pid, "SIGKILL");
    await waitFor(async () => (await world.run("backup")).code === 1, "the lock to be free");
    await look("FAIL");
    writeFileSync(join(world.log, "last-backup.json"), "{");
    await look("WARN");
  });
});

describe("doctor", () => {
  test.each([[["--json"]], [["--json", "--hooks"]]])("%j", async (args) => {
    using world = new Quiet();
    world.restic("exit 12");
    world.hook("pre-backup", "exit 0", 0o666);
    world.hook("post-backup", "exit 0", 0o777);
    world.hook("pre-backups", "exit 0");
    const { stdout } = await world.run("doctor", args);
    const report = JSON.parse(stdout);
    expect(await wrongWith("doctor", report)).toEqual([]);
    expect(report.hooks.present).toHaveLength(2);
  });
});

describe("config-check", () => {
  test.each([[{}], [{ BACKUP_CRON: "0 25 * * *", RESTIC_PASSWORD: "" }]])("with %j", async (env) => {
    using world = new Quiet();
    const { stdout } = await world.run("config-check", ["--json"], { env });
    const report = JSON.parse(stdout);
    expect(await wrongWith("config-check", report)).toEqual([]);
    expect(report.checks.length).toBeGreaterThan(5);
  });
});
