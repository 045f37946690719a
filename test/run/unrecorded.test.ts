/** A run that cannot leave its record in LOG_DIR leaves a word in LOCK_DIR, which everybody takes for the last run. */

import { describe, expect, test } from "bun:test";
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canMount, Mount } from "../support/faulty-mounts.ts";
import { World } from "../support/world.ts";

/** A world with a good run, whose record stands, and a restic that fails with RESTIC_EXIT. */
async function recorded(): Promise<World> {
  const world = new World();
  world.env.CRONTAB_DIR = world.folder("crontabs");
  world.restic(`[ -z "$RESTIC_EXIT" ] || echo "Fatal: $RESTIC_SAYS" >&2; exit "\${RESTIC_EXIT:-0}"`);
  world.hook("post-backup", `env | grep -e ^RBH_STATUS -e ^RBH_RECORD -e ^RBH_LOG | sort >${world.dir}/hook`);
  world.link("status");
  expect((await world.run("backup")).code).toBe(0);
  return world;
}

const WORD = "lock/backup.unrecorded.json";
const fail = (world: World, env: Record<string, string> = {}) =>
  world.run("backup", [], { env: { RESTIC_EXIT: "12", RESTIC_SAYS: "wrong password", ...env } });

/** The findings of status about backup, and its row. */
async function status(world: World) {
  const { code, stdout } = await world.run("status", ["--json"]);
  const { findings, jobs } = JSON.parse(stdout);
  return { code, kinds: findings.map(({ kind }: { kind: string }) => kind), findings, job: jobs[0] };
}

type Fault = { readonly reason: string; end(): void };

const FAULTS: Readonly<Record<string, (world: World) => Fault>> = {
  "a file": (world) => {
    renameSync(world.log, `${world.log}-away`);
    writeFileSync(world.log, "");
    return {
      reason: "a part of the path is not a directory",
      end() {
        rmSync(world.log);
        renameSync(`${world.log}-away`, world.log);
      },
    };
  },
  missing: (world) => {
    renameSync(world.log, `${world.log}-away`);
    return {
      reason: "no such file or directory",
      end: () => renameSync(`${world.log}-away`, world.log),
    };
  },
  "a folder in the record's place": (world) => {
    renameSync(join(world.log, "last-backup.json"), join(world.log, "away"));
    world.folder("log/last-backup.json/x");
    return {
      reason: "it is a directory",
      end() {
        rmSync(join(world.log, "last-backup.json"), { recursive: true });
        renameSync(join(world.log, "away"), join(world.log, "last-backup.json"));
      },
    };
  },
};

/** Those that need root. */
const MOUNTED: Readonly<Record<string, (world: World) => Fault>> = {
  "read-only": (world) => {
    const mount = Mount.bind(world.log);
    mount.makeReadOnly();
    return { reason: "the file system is read-only", end: () => mount[Symbol.dispose]() };
  },
  full: (world) => {
    const record = world.read("log/last-backup.json");
    const mount = Mount.tmpfs(world.log);
    world.file("log/last-backup.json", record);
    mount.fill();
    return {
      reason: "no space left on the device",
      end() {
        mount[Symbol.dispose]();
        world.file("log/last-backup.json", record);
      },
    };
  },
};

const faults = Object.entries(canMount ? { ...FAULTS, ...MOUNTED } : FAULTS);

describe.each(faults)("LOG_DIR is %s", (name, make) => {
  const opensLog = name === "full" || name.includes("record");
  test("a failed run is known to its hook, to status, doctor and --alive, and to the next run, which ends that", async () => {
    using world = await recorded();
    const good = world.read("log/last-backup.json");
    expect(world.read("hook")).toContain("RBH_RECORD=");
    expect(world.has(WORD)).toBe(false);
    const fault = make(world);
    try {
      const { code, stdout } = await fail(world);
      expect(code).toBe(12);
      // A log that could be opened is this run's; otherwise that of the run before may stand there.
      const log = opensLog ? `RBH_LOG=${world.log}/backup-last.log\n` : "";
      expect(world.read("hook")).toBe(`${log}RBH_STATUS=failed\n`);
      const word = JSON.parse(world.read(WORD));
      expect(word).toMatchObject({
        job: "backup",
        status: "failed",
        exit_code: 12,
        unrecorded: fault.reason,
      });
      expect(stdout).toContain(word.run_id);
      expect(statSync(join(world.dir, WORD)).mode & 0o022).toBe(0);

      const { code: verdict, kinds, findings, job } = await status(world);
      expect(verdict).toBe(1);
      expect(kinds).toContain("failed");
      expect(kinds).toContain("unrecorded");
      expect(findings.find(({ kind }: { kind: string }) => kind === "unrecorded").message).toStartWith(
        `its last run could not leave its record in ${world.log}: ${fault.reason}. `,
      );
      expect(job).toMatchObject({ last_status: "failed", exit_code: 12, overdue: false });
      const doctor = (await world.run("doctor")).stdout;
      expect(doctor).toMatch(/FAIL.*backup: failed, exit 12, /);
      expect(doctor).toContain(`backup: its last run could not leave its record in ${world.log}`);
      expect((await world.run("status", ["--alive"])).stdout).toContain(
        `The last run of backup could not leave its record in ${world.log}: ${fault.reason}. It ended at `,
      );
    } finally {
      fault.end();
    }
    // The record of the run before is there again, and still not taken for the last one.
    if (world.has("log/last-backup.json")) expect(world.read("log/last-backup.json")).toBe(good);
    expect((await status(world)).kinds).toContain("failed");
    const { stdout } = await world.run("backup");
    expect(stdout).toMatch(
      /WARN {2}backup {2}The run before this one could not leave its record in .*: failed, exit 12\./,
    );
    expect(world.has(WORD)).toBe(false);
    expect((await status(world)).code).toBe(0);
    expect((await world.run("backup")).stdout).not.toContain("The run before this one");
  });
});

test("the word holds no secret, and is bounded", async () => {
  using world = await recorded();
  rmSync(world.log, { recursive: true });
  const RESTIC_SAYS = `wrong password for ${world.env.RESTIC_PASSWORD} ${"x".repeat(100_000)}`;
  // Each is named in the record.
  for (let n = 0; n < 3000; n++)
    world.file(`hooks/pre-backup.d/${String(n).padStart(200, "0")}.sh`, "", 0o644);
  await fail(world, { RESTIC_SAYS });
  const text = world.read(WORD);
  expect(text).not.toContain(world.env.RESTIC_PASSWORD);
  expect(text.length).toBeLessThan(16 * 1024);
  expect(JSON.parse(text)).toMatchObject({ status: "failed", exit_code: 12 });
  expect((await status(world)).code).toBe(1);
});

test("a good run without a record is a WARN, and a record that could be written after all ends the word", async () => {
  using world = await recorded();
  renameSync(world.log, `${world.log}-away`);
  expect((await world.run("backup")).code).toBe(0);
  expect(await status(world)).toMatchObject({ code: 0, job: { exit_code: 0 } });
  expect((await status(world)).kinds).toContain("unrecorded");
  world.hook("post-backup", `mv ${world.log}-away ${world.log}`);
  expect((await world.run("backup")).code).toBe(0);
  expect(world.has(WORD)).toBe(false);
  expect((await status(world)).kinds).not.toContain("unrecorded");
});

test("a word of an earlier run than the record's counts no more, and one that is torn says nothing", async () => {
  using world = await recorded();
  const record = world.record();
  const word = { ...record, run_id: "backup-x", status: "failed", exit_code: 1, unrecorded: "why" };
  const before = { ...word, started_epoch: record.started_epoch - 60 };
  for (const [text, verdict] of [
    [JSON.stringify(word), 1],
    [JSON.stringify(before), 0],
    ["{", 0],
    ["null", 0],
    ['{"started_epoch":1e300}', 0],
  ] as const) {
    writeFileSync(join(world.dir, WORD), text);
    expect([text, (await status(world)).code]).toEqual([text, verdict]);
  }
  // A record under a clock that was set back since is of a run before all the same.
  writeFileSync(join(world.dir, WORD), JSON.stringify(word));
  const path = join(world.log, "last-backup.json");
  const ahead = record.started_epoch + 1e9;
  writeFileSync(path, JSON.stringify({ ...record, started_epoch: ahead, finished_epoch: ahead }));
  expect((await status(world)).code).toBe(1);
  expect(JSON.parse(readFileSync(path, "utf8")).status).toBe("ok");
});

test("forget does not trust a backup whose suspicion stands in such a word only", async () => {
  using world = await recorded();
  const record = world.record();
  const suspicious_sources = "a source is suspicious: it is empty.";
  const word = { ...record, run_id: "backup-x", status: "warning", suspicious_sources, unrecorded: "why" };
  world.file(WORD, JSON.stringify(word));
  await world.run("forget", [], { env: { RESTIC_FORGET_ARGS: "--keep-last 1" } });
  expect(world.record("forget").retention_withheld).toBe(suspicious_sources);
});
