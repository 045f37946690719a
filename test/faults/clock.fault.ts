// The clock is set by an hour in mid-run. What takes time is measured by the monotonic clock, which nobody sets.
import { expect, test } from "bun:test";
import { existsSync, renameSync } from "node:fs";
import type { World } from "../support/world.ts";
import { fault } from "./fault.ts";

/** Debian's faketime: where its library lies on each architecture. */
const library = [...new Bun.Glob("*/faketime/libfaketime.so.1").scanSync({ cwd: "/usr/lib" })][0];

/** All of this world lives by a clock that is so far from the true one; a shell sets it by `set`. */
function clock(world: World) {
  const path = world.file("clock", "+0\n");
  Object.assign(world.env, {
    LD_PRELOAD: `/usr/lib/${library}`,
    FAKETIME_TIMESTAMP_FILE: path,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  });
  return {
    set: (offset: string) => `echo ${offset} >'${path}.new' && mv '${path}.new' '${path}'`,
    restore: () => {
      for (const name of Object.keys(world.env).filter((each) => /^FAKETIME|^LD_PRELOAD/.test(each)))
        delete world.env[name];
      if (existsSync(`${path}.new`)) renameSync(`${path}.new`, path);
    },
  };
}

interface Setting {
  readonly how: string;
  readonly offset: string;
  /** Seconds. */
  readonly by: number;
}

const settings: Setting[] = [
  { how: "back an hour", offset: "-1h", by: -3600 },
  { how: "forward an hour", offset: "+1h", by: 3600 },
];

for (const { how, offset, by } of settings) {
  const injected = `the clock is set ${how} in mid-run`;
  if (library === undefined) {
    test.skip(`${injected} (faketime is not installed)`, () => {});
    continue;
  }

  const promised = "durations are those of the work, status calls nothing overdue, the next run is right";
  fault({ injected, promised }, async (world) => {
    const { set, restore } = clock(world);
    world.env.METRICS_DIR = world.folder("metrics");
    world.hook("pre-backup", "sleep 0.1");
    world.restic(`${set(offset)}; sleep 1.1`);
    const first = await world.run("backup");
    expect(first).toMatchObject({ code: 0, stderr: "" });
    const record = world.record();
    expect(record.duration_seconds).toBeWithin(1, 20);
    expect(record.finished_epoch - record.started_epoch - by).toBeWithin(0, 10);
    expect(world.history()[0].duration_seconds).toBe(record.duration_seconds);
    expect(world.read("metrics/restic_backup.testhost.prom")).toMatch(
      /^restic_backup_last_duration_seconds\{.*\} \d\d?$/m,
    );

    const env = { BACKUP_CRON: "*/10 * * * *", CRONTAB_DIR: world.folder("crontabs") };
    const { stdout } = await world.run("status", ["--json"], { env });
    const job = JSON.parse(stdout).jobs.find((each: { job: string }) => each.job === "backup");
    expect(job).toMatchObject({ overdue: false, status: "ok" });

    world.restic();
    expect(await world.run("backup")).toMatchObject({ code: 0, stderr: "" });
    expect(world.history().map(({ status }) => status)).toEqual(["ok", "ok"]);
    restore();
    delete world.env.METRICS_DIR;
    const between = record.finished_epoch - record.started_epoch;
    return `duration ${record.duration_seconds}s though the record's clock shows ${between}s, not overdue`;
  });

  fault(
    { injected: `${injected}, with time-outs`, promised: "they end what they bound, at their time" },
    async (world) => {
      const { set, restore } = clock(world);
      world.hook("pre-backup", `${set(offset)}; exec sleep 30`);
      world.restic(`${set("+0")}; exec sleep 30`);
      world.hook("post-backup", `${set(offset)}; exec sleep 30`);
      const begun = performance.now();
      const { code } = await world.run("backup", [], { env: { HOOK_TIMEOUT: "1", BACKUP_TIMEOUT: "1" } });
      const took = performance.now() - begun;
      expect(code).toBe(124);
      // The clock is set three times; waiting by it would take an hour, or nothing.
      expect(took).toBeWithin(2900, 25_000);
      const { status, hooks } = world.record();
      expect(status).toBe("timed_out");
      expect(hooks.map(({ timed_out }: { timed_out: boolean }) => timed_out)).toEqual([true, true]);
      for (const { duration_ms } of hooks) expect(duration_ms).toBeWithin(990, 10_000);
      restore();
      return `exit 124; hooks ended after ${hooks.map(({ duration_ms }: { duration_ms: number }) => `${duration_ms} ms`).join(", ")}`;
    },
  );

  fault(
    { injected: `${injected}, then a stop`, promised: "the stop keeps to STOP_TIMEOUT" },
    async (world) => {
      const { set, restore } = clock(world);
      world.restic(`trap '' INT; ${set(offset)}; kill -TERM $PPID; while :; do sleep 0.05; done`);
      const begun = performance.now();
      const { code } = await world.run("backup", [], { env: { STOP_TIMEOUT: "2" } });
      const took = performance.now() - begun;
      expect(code).toBe(143);
      expect(took).toBeWithin(1000, 15_000);
      expect(world.record()).toMatchObject({ status: "interrupted", signal: "SIGTERM" });
      restore();
      return `exit 143 after ${(took / 1000).toFixed(1)}s`;
    },
  );
}
