import { describe, expect, test } from "bun:test";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  metricsPrefix,
  parseMetrics,
  renderMetrics,
  stateAfter,
  withSkips,
} from "../../lib/notify/metrics.ts";
import { RECORD_SCHEMA, type RunRecord } from "../../lib/state/record.ts";
import { needing } from "../support/needing.ts";
import { restic } from "../support/restics.ts";
import { stopInPostHook } from "../support/stopped.ts";
import { World, waitFor } from "../support/world.ts";

const record = (change: Partial<RunRecord> = {}): RunRecord => ({
  schema: RECORD_SCHEMA,
  job: "backup",
  hostname: "larak",
  release: "3.0.0",
  run_id: "backup-1",
  started_at: "2026-05-11T09:30:00+02:00",
  finished_at: "2026-05-11T09:35:12+02:00",
  started_epoch: 1000,
  finished_epoch: 1312,
  duration_seconds: 312,
  exit_code: 0,
  status: "ok",
  hooks: [],
  ...change,
});

const NONE = { lastSuccess: undefined, failures: 0 };

/** What promtool, Prometheus' own checker, has to say of it: nothing, when all is well. */
async function promtool(text: string): Promise<{ code: number; words: string }> {
  const child = Bun.spawn(["promtool", "check", "metrics"], {
    stdin: new TextEncoder().encode(text),
    stdout: "pipe",
    stderr: "pipe",
  });
  const words = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
  return { code: await child.exited, words };
}

/** name{labels} → value, as a reader of the format sees them. */
function samples(text: string): Record<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return Object.fromEntries(
    lines.map((line) => {
      const blank = line.lastIndexOf(" ");
      return [line.slice(0, blank), Number(line.slice(blank + 1))];
    }),
  );
}

describe("the state", () => {
  const before = { lastSuccess: 500, failures: 2 };
  test.each([
    ["ok", { exit_code: 0, status: "ok" }, false, { lastSuccess: 1312, failures: 0 }],
    ["failed", { exit_code: 1, status: "failed" }, false, { lastSuccess: 500, failures: 3 }],
    [
      "failed after one that died",
      { exit_code: 1, status: "failed" },
      true,
      { lastSuccess: 500, failures: 4 },
    ],
    ["ok after one that died", { exit_code: 0, status: "ok" }, true, { lastSuccess: 1312, failures: 0 }],
    ["timed out", { exit_code: 124, status: "timed_out" }, false, { lastSuccess: 500, failures: 3 }],
    ["interrupted", { exit_code: 143, status: "interrupted" }, false, { lastSuccess: 500, failures: 3 }],
    [
      "interrupted after its work",
      { exit_code: 143, status: "interrupted", work_exit_code: 0 },
      false,
      { lastSuccess: 1312, failures: 0 },
    ],
    [
      "interrupted after work that failed",
      { exit_code: 143, status: "interrupted", work_exit_code: 1 },
      false,
      { lastSuccess: 500, failures: 3 },
    ],
    ["a warning", { exit_code: 3, status: "warning" }, false, { lastSuccess: 500, failures: 0 }],
    ["a warning that exits 0", { exit_code: 0, status: "warning" }, false, { lastSuccess: 500, failures: 0 }],
    ["a dry run", { exit_code: 0, status: "dry-run" }, false, { lastSuccess: 500, failures: 2 }],
    [
      "interrupted after a warning that exits 0",
      { exit_code: 143, status: "interrupted", work_exit_code: 0, work_status: "warning" },
      false,
      { lastSuccess: 500, failures: 3 },
    ],
    ["a person said no", { exit_code: 130, status: "cancelled" }, false, { lastSuccess: 500, failures: 2 }],
  ] as const)("after %s", (_, change, died, after) => {
    expect(stateAfter(before, record(change), died)).toEqual(after);
    const text = renderMetrics(record(change), after, 0);
    expect(parseMetrics(text, "backup")).toEqual(after);
  });

  test.each([
    "",
    "garbage",
    "restic_backup_consecutive_failures NaN\n",
    "restic_backup_consecutive_failures{} x",
  ])("of %j nothing is known", (text) => expect(parseMetrics(text, "backup")).toEqual(NONE));
});

describe("the text", () => {
  needing("promtool").test("numbers by type become metrics, and nothing else", async () => {
    const text = renderMetrics(
      record({
        snapshot_id: "12345678",
        bytes_added: "1.234 MiB",
        data_added_bytes: 1_293_943,
        unreadable_count: 2,
        canary_total: 7,
        min_files_met: "ON",
        confirmed: true,
        nested: { number: 1 },
        list: [1, 2],
        nothing: null,
        "odd-name.of field": 1,
        not_finite: Number.POSITIVE_INFINITY,
      }),
      NONE,
      3,
    );
    const names = Object.keys(samples(text)).map((series) => series.replace(/\{.*/, ""));
    expect(names).toEqual(
      [
        "last_exit_code",
        "last_success",
        "last_duration_seconds",
        "last_started_timestamp",
        "last_finished_timestamp",
        "consecutive_failures",
        "consecutive_skips",
        "last_started_epoch",
        "last_finished_epoch",
        "last_data_added_bytes",
        "last_unreadable_count",
        "last_canary_total",
        "last_odd_name_of_field",
      ].map((name) => `restic_backup_${name}`),
    );
    expect(samples(text)['restic_backup_last_data_added_bytes{hostname="larak"}']).toBe(1_293_943);
    expect(await promtool(text)).toEqual({ code: 0, words: "" });
  });

  needing("promtool").test(
    "labels are escaped, in every place, so that promtool reads them back",
    async () => {
      const hostname = 'la"r\\ak\nof {hostname="x"} 5';
      const hooks = [
        {
          phase: "pre-backup",
          path: '/hooks/pre-backup.d/10"\\\n.sh',
          exit_code: 1,
          timed_out: false,
          duration_ms: 1500,
        },
      ];
      const text = renderMetrics(record({ hostname, hooks }), { lastSuccess: 99, failures: 4 }, 1);
      const host = String.raw`hostname="la\"r\\ak\nof {hostname=\"x\"} 5"`;
      expect(samples(text)).toMatchObject({
        [`restic_backup_last_success_timestamp_seconds{${host}}`]: 99,
        [`restic_backup_hook_exit_code{${host},${String.raw`hook="pre-backup.d/10\"\\\n"`}}`]: 1,
        [`restic_backup_hook_duration_seconds{${host},${String.raw`hook="pre-backup.d/10\"\\\n"`}}`]: 1.5,
      });
      expect(await promtool(text)).toEqual({ code: 0, words: "" });
      expect(parseMetrics(text, "backup")).toEqual({ lastSuccess: 99, failures: 4 });
      expect(
        samples(withSkips(text, "backup", hostname, 8))[`restic_backup_consecutive_skips{${host}}`],
      ).toBe(8);
    },
  );

  test("two hooks never share a series", () => {
    const paths = ["pre-backup.sh", "pre-backup.d/pre-backup.sh", "pre-backup.d/10-a.sh"];
    const hooks = paths.map((path, n) => ({ phase: "pre-backup", path: `/hooks/${path}`, exit_code: n }));
    const broken = {
      phase: "post-backup",
      path: "/hooks/post-backup.sh",
      error: "not executable (mode 0644)",
    };
    const found = samples(renderMetrics(record({ hooks: [...hooks, broken] }), NONE, 0));
    const of = (name: string, hook: string) =>
      found[`restic_backup_hook_${name}{hostname="larak",hook="${hook}"}`];
    expect([of("exit_code", "pre-backup"), of("exit_code", "pre-backup.d/pre-backup")]).toEqual([0, 1]);
    expect([of("exit_code", "pre-backup.d/10-a"), of("exit_code", "post-backup")]).toEqual([2, undefined]);
    expect([of("error", "pre-backup"), of("error", "post-backup")]).toEqual([0, 1]);
  });

  test.each([
    ["backup", "restic_backup"],
    ["restore-test", "restic_restore_test"],
    ["my.job", "restic_my_job"],
  ])("%s", (job, prefix) => expect(metricsPrefix(job)).toBe(prefix));
});

describe("real runs", () => {
  const METRIC = (name: string) => `restic_backup_${name}{hostname="testhost"}`;

  class Measured extends World {
    readonly metrics = this.folder("metrics");

    constructor() {
      super();
      this.env.METRICS_DIR = this.metrics;
    }

    get found(): Record<string, number> {
      return samples(this.read("metrics/restic_backup.testhost.prom"));
    }
  }

  needing("promtool").test(
    "a backup with hooks, whole: promtool, values, mode, nothing left beside it",
    async () => {
      using world = new Measured();
      world.useRestic(restic.path);
      world.hook("pre-backup", "exit 7");
      world.hook(
        "post-backup",
        'grep -c "last_exit_code" "$METRICS_DIR/restic_backup.testhost.prom" > "$HOME/seen"',
      );
      await world.exec(["restic", "init"]);
      const { code } = await world.run("backup");
      expect(code).toBe(0);
      const { found } = world;
      const kept = world.record();
      expect(found).toMatchObject({
        [METRIC("last_exit_code")]: 0,
        [METRIC("last_success")]: 1,
        [METRIC("last_files_new")]: 1,
        [METRIC("last_data_added_bytes")]: kept.data_added_bytes,
        [METRIC("last_started_timestamp")]: kept.started_epoch,
        [METRIC("last_success_timestamp_seconds")]: kept.finished_epoch,
        'restic_backup_hook_exit_code{hostname="testhost",hook="pre-backup"}': 7,
        'restic_backup_hook_exit_code{hostname="testhost",hook="post-backup"}': 0,
        'restic_backup_hook_timed_out{hostname="testhost",hook="post-backup"}': 0,
      });
      // The post-hook found the file there already: it may push it somewhere.
      expect(world.read("seen")).toBe("3\n");
      expect(await promtool(world.read("metrics/restic_backup.testhost.prom"))).toEqual({
        code: 0,
        words: "",
      });
      expect(readdirSync(world.metrics)).toEqual(["restic_backup.testhost.prom"]);
      expect(statSync(join(world.metrics, "restic_backup.testhost.prom")).mode & 0o777).toBe(0o644);
      expect(Object.keys(found).some((series) => series.includes("snapshot_id"))).toBe(false);
    },
  );

  test("the last success survives failures, which are counted once each and reset", async () => {
    using world = new Measured();
    const seen: unknown[] = [];
    for (const code of [0, 1, 12, 0, 3]) {
      world.restic(`exit ${code}`);
      world.hook("post-backup", "exit 0");
      await world.run("backup");
      seen.push([
        world.found[METRIC("last_exit_code")],
        world.found[METRIC("consecutive_failures")],
        world.found[METRIC("last_success_timestamp_seconds")],
      ]);
    }
    const ok = world
      .history()
      .filter(({ status }) => status === "ok")
      .map(({ finished_epoch }) => finished_epoch);
    expect(seen).toEqual([
      [0, 0, ok[0]],
      [1, 1, ok[0]],
      [12, 2, ok[0]],
      [0, 0, ok[1]],
      [3, 0, ok[1]],
    ]);
  });

  test("a success under a clock that was set back since hides no failure: the one before it counts", async () => {
    using world = new World();
    const METRICS_DIR = world.folder("metrics");
    world.restic('exit "$CODE"');
    const path = join(METRICS_DIR, "restic_backup.testhost.prom");
    const run = async (CODE: string) => {
      await world.run("backup", [], { env: { METRICS_DIR, CODE } });
      return samples(world.read("metrics/restic_backup.testhost.prom"));
    };
    const name = 'restic_backup_last_success_timestamp_seconds{hostname="testhost"}';
    await run("1");
    const now = Math.floor(Date.now() / 1000);
    const line = (finished_epoch: number) =>
      `${JSON.stringify({ ...world.record(), status: "ok", exit_code: 0, started_epoch: finished_epoch, finished_epoch })}\n`;
    writeFileSync(join(world.log, "history.jsonl"), line(now - 500) + line(now - 100) + line(now + 1e9));
    writeFileSync(path, `${name} ${now + 1e9}\n`);
    expect((await run("1"))[name]).toBe(now - 100);
    // Where the history does not know of one either, none is claimed.
    writeFileSync(join(world.log, "history.jsonl"), line(now + 1e9));
    writeFileSync(path, `${name} ${now + 1e9}\n`);
    expect(name in (await run("1"))).toBe(false);
    writeFileSync(path, `${name} ${now + 20}\n`);
    expect((await run("1"))[name]).toBe(now + 20);
  });

  test("a stop in the post-hooks leaves a success a success", async () => {
    using world = new Measured();
    expect(await stopInPostHook(world)).toBe(143);
    expect(world.found).toMatchObject({
      [METRIC("last_exit_code")]: 143,
      [METRIC("last_success")]: 1,
      [METRIC("consecutive_failures")]: 0,
      [METRIC("last_work_exit_code")]: 0,
      [METRIC("last_success_timestamp_seconds")]: world.record().finished_epoch,
    });
  });

  test("a killed run counts as a failure when the next one finds it", async () => {
    using world = new Measured();
    // One process: a sleep that is forked after the processes have been listed would keep the lock.
    world.restic('touch "$HOME/there"; exec sleep 30');
    const child = world.start("backup");
    await waitFor(() => world.has("there"), "restic");
    child.kill("SIGKILL");
    await child.exited;
    for (const pid of world.processes()) process.kill(pid, "SIGKILL");
    world.restic("exit 1");
    await waitFor(async () => (await world.run("backup")).code === 1, "the lock to be free");
    expect(world.found[METRIC("consecutive_failures")]).toBe(2);
  });

  needing("promtool").test("skips are counted while a run goes on, and reset by the next", async () => {
    using world = new Measured();
    world.restic('touch "$HOME/there"; until [ -e "$HOME/go" ]; do sleep 0.05; done');
    const child = world.start("backup");
    await waitFor(() => world.has("there"), "restic");
    await world.run("backup");
    // Before the first run has ended there is nothing but this.
    expect(world.found).toEqual({ [METRIC("consecutive_skips")]: 1 });
    await Promise.all(
      Array.from({ length: 8 }, () => world.run("locked_run", ["backup", world.link("backup")])),
    );
    expect(world.found[METRIC("consecutive_skips")]).toBe(9);
    expect(await promtool(world.read("metrics/restic_backup.testhost.prom"))).toEqual({ code: 0, words: "" });
    world.file("go", "");
    expect(await child.exited).toBe(0);
    expect(world.found).toMatchObject({ [METRIC("consecutive_skips")]: 9, [METRIC("last_success")]: 1 });
    await world.run("backup");
    expect(world.found[METRIC("consecutive_skips")]).toBe(0);
  });

  test.each([
    ["missing", (world: World) => join(world.dir, "not/there"), "no such file or directory"],
    ["a file", (world: World) => world.file("plain", ""), "a part of the path is not a directory"],
  ])("METRICS_DIR is %s: it is named once, and nothing else changes", async (_, path, reason) => {
    using world = new World();
    world.restic();
    const { code, stdout, stderr } = await world.run("backup", [], { env: { METRICS_DIR: path(world) } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const said = `WARN  backup  There is no metrics file of this run: METRICS_DIR=${path(world)} cannot be written: ${reason}.`;
    expect(stdout.split(said)).toHaveLength(2);
    expect(stdout.match(/metrics/g)).toHaveLength(1);
    expect(world.record()).toMatchObject({ status: "ok" });
  });

  needing("promtool").test("an old file that holds something else is replaced", async () => {
    using world = new Measured();
    world.restic();
    writeFileSync(join(world.metrics, "restic_backup.testhost.prom"), Buffer.from([0xff, 0xfe, 0, 1, 2]));
    expect((await world.run("backup")).code).toBe(0);
    expect(await promtool(world.read("metrics/restic_backup.testhost.prom"))).toEqual({ code: 0, words: "" });
  });

  const SUCCESS = METRIC("last_success_timestamp_seconds");

  test("two hosts that share METRICS_DIR have a file each, and a failing one does not inherit a success", async () => {
    using world = new Measured();
    world.restic();
    await world.run("backup");
    world.restic("exit 1");
    await world.run("backup", [], { env: { HOSTNAME: "other/host" } });
    expect(readdirSync(world.metrics).sort()).toEqual([
      "restic_backup.other%2Fhost.prom",
      "restic_backup.testhost.prom",
    ]);
    expect(world.found[SUCCESS]).toBe(world.history()[0]?.finished_epoch as number);
    const other = world.read("metrics/restic_backup.other%2Fhost.prom");
    expect(other).not.toContain("testhost");
    expect(other).not.toContain("last_success_timestamp_seconds");
    expect(other).toContain('restic_backup_consecutive_failures{hostname="other/host"} 1');
  });

  test.each([
    ["a run", (world: Measured) => world.run("backup")],
    [
      "a skip",
      (world: Measured) =>
        world.exec([
          "flock",
          `${world.lock}/backup.lock`,
          world.link("locked_run"),
          "backup",
          world.link("backup"),
        ]),
    ],
  ])("%s renames a file of the old name that is this host's, and keeps its state", async (_, run) => {
    using world = new Measured();
    world.restic("exit 1");
    world.file(
      "metrics/restic_backup.prom",
      `# HELP x y\n${SUCCESS} 1700000000\n${METRIC("consecutive_failures")} 3\n`,
    );
    await run(world);
    expect(readdirSync(world.metrics)).toEqual(["restic_backup.testhost.prom"]);
    expect(world.found[SUCCESS]).toBe(1_700_000_000);
    expect(world.found[METRIC("consecutive_failures")]).toBeGreaterThanOrEqual(3);
  });

  test("a file of the old name beside the new one is removed, and another host's is left alone", async () => {
    using world = new Measured();
    world.restic();
    await world.run("backup");
    world.file("metrics/restic_backup.prom", `${SUCCESS} 1\n`);
    await world.run("backup");
    expect(readdirSync(world.metrics)).toEqual(["restic_backup.testhost.prom"]);
    world.file("metrics/restic_backup.prom", `${SUCCESS} 1\n${SUCCESS.replace("testhost", "other")} 1\n`);
    await world.run("backup");
    expect(readdirSync(world.metrics)).toEqual(["restic_backup.prom", "restic_backup.testhost.prom"]);
  });

  test("the metrics stay readable under umask 077, of a run and of a skip", async () => {
    using world = new Measured();
    world.restic();
    const path = join(world.metrics, "restic_backup.testhost.prom");
    for (const held of ["", `flock ${world.lock}/backup.lock `]) {
      await world.exec(["sh", "-c", `umask 077; exec ${held}backup`]);
      expect(statSync(path).mode & 0o777).toBe(0o644);
    }
  });
});
