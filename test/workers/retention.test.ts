// What retention may remove, and what it must not, on real restic: of a backup that has just been made, of other hosts.
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { equip, snapshots } from "../support/ready-repository.ts";
import { restic as newest, restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

/** A snapshot by restic itself, older than all that the test makes through us. */
async function older(world: World, host: string, day: number, path = world.source): Promise<void> {
  const time = `2026-03-0${day} 10:00:00`;
  const words = ["backup", "--quiet", "--time", time, "--host", host, "--tag", "automated", path];
  const { code, stderr } = await world.exec(["restic", ...words]);
  expect({ code, stderr }).toMatchObject({ code: 0 });
}

/** Two snapshots each of testhost and otherhost. */
async function shared(restic: (typeof restics)[number]): Promise<World> {
  const world = new World();
  equip(world, restic);
  for (const host of ["testhost", "otherhost"]) for (const day of [1, 2]) await older(world, host, day);
  return world;
}

const DANGEROUS = [
  "keep-daily 7",
  "—keep-daily 7",
  "--keep-last 1 ff",
  "latest",
  "--keep-last 1 -- latest",
  "--keep-last -1",
  "--keep-last=-1",
  "--keep-within=-5d",
  "--keep-last 0",
  "--prune",
];

describe.each(restics.map((restic) => [restic.version, restic] as const))("restic %s", (_, restic) => {
  test("what restic would take for ids, and what keeps nothing, is refused before it starts", async () => {
    using world = await shared(restic);
    const before = snapshots(world);
    for (const RESTIC_FORGET_ARGS of DANGEROUS) {
      for (const worker of ["backup", "forget", "forget-preview"]) {
        const { code, stdout } = await world.run(worker, [], { env: { RESTIC_FORGET_ARGS } });
        expect({ worker, RESTIC_FORGET_ARGS, code }).toEqual({ worker, RESTIC_FORGET_ARGS, code: 2 });
        expect(stdout).not.toContain("restic |");
      }
      expect(snapshots(world)).toEqual(before);
    }
  });

  test("a policy that empties a group is refused by every version alike", async () => {
    using world = await shared(restic);
    const env = { RESTIC_FORGET_ARGS: "--keep-tag nosuch" };
    const forget = await world.run("forget", [], { env });
    expect(forget.code).toBe(1);
    expect(forget.stdout).toMatch(/--keep-tag nosuch keeps no snapshot of host (test|other)host, /);
    expect(world.record("forget")).toMatchObject({
      status: "failed",
      retention_missed: 1,
      retention_withheld: expect.stringContaining("keeps no snapshot"),
    });
    const preview = await world.run("forget-preview", [], { env });
    expect(preview.code).toBe(1);
    expect(snapshots(world)).toHaveLength(4);

    const backup = await world.run("backup", [], { env });
    expect(backup.code).toBe(0);
    expect(snapshots(world)).toHaveLength(5);
    const record = world.record();
    expect(record).toMatchObject({ status: "warning", retention_missed: 1 });
    expect(record.alerts).toEqual([
      { kind: "retention-withheld", message: expect.stringContaining("was not applied, because ") },
    ]);
    expect(record.forget_exit_code).toBeUndefined();
  });

  test("the snapshot just made stays: where it would go, forget is not run", async () => {
    using world = await shared(restic);
    await world.exec(["restic", "tag", "--add", "kept", "--host", "testhost"]);
    await world.exec(["restic", "tag", "--add", "kept", "--host", "otherhost"]);
    const env = { RESTIC_FORGET_ARGS: "--keep-tag kept --prune" };
    for (const missed of [1, 2, 3]) {
      const { code, stdout } = await world.run("backup", [], { env });
      expect(code).toBe(0);
      const record = world.record();
      expect(stdout).toContain(
        `it would remove snapshot ${record.snapshot_id}, which this run has just made`,
      );
      expect(record).toMatchObject({ status: "warning", retention_missed: missed });
      expect(snapshots(world)).toHaveLength(4 + missed);
      expect(snapshots(world).some((id) => id.startsWith(record.snapshot_id))).toBe(true);
    }
    const { stdout } = await world.run("status");
    expect(stdout).toContain("its retention policy was not applied 3 runs in a row");

    const good = await world.run("backup", [], { env: { RESTIC_FORGET_ARGS: "--keep-last 1" } });
    expect(good.code).toBe(0);
    expect(world.record()).toMatchObject({
      status: "ok",
      retention_missed: 0,
      forget_exit_code: 0,
      snapshots_kept: 2,
      snapshots_removed: 6,
    });
    expect(world.record().retention_withheld).toBeUndefined();
    expect((await world.run("status")).stdout).not.toContain("retention policy was not applied");
  });

  test("a snapshot from the future, another host's newer one, a time that was given: all are seen", async () => {
    using world = new World();
    equip(world, restic);
    await world.exec([
      "restic",
      "backup",
      "-q",
      "--time",
      "2126-01-01 10:00:00",
      "--host",
      "z",
      world.source,
    ]);
    const wide = { RESTIC_FORGET_ARGS: "--keep-last 1 --group-by ''" };
    const first = await world.run("backup", [], { env: wide });
    expect(first.code).toBe(0);
    expect(world.record()).toMatchObject({ status: "warning", retention_missed: 1 });
    expect(snapshots(world)).toHaveLength(2);

    const dated = { RESTIC_FORGET_ARGS: "--keep-last 1", RESTIC_JOB_ARGS: "--time '2020-01-01 10:00:00'" };
    expect((await world.run("backup", [], { env: dated })).code).toBe(0);
    expect(world.record()).toMatchObject({ status: "warning", retention_missed: 2 });
    expect(snapshots(world)).toHaveLength(3);
  });

  test("one from the future that another program has made meanwhile: the new one stays, by one question more", async () => {
    using world = new World();
    equip(world, restic);
    world.program("restic", `echo "$*" >>${world.dir}/calls\nexec ${restic.path} "$@"`);
    const env = { RESTIC_FORGET_ARGS: "--keep-last 1" };
    const questions = () =>
      world
        .read("calls")
        .split("\n")
        .filter((call) => /^forget .*--dry-run/.test(call)).length;
    expect((await world.run("backup", [], { env })).code).toBe(0);
    expect((await world.run("backup", [], { env })).code).toBe(0);
    expect(world.record()).toMatchObject({ status: "ok", snapshots_kept: 1, snapshots_removed: 1 });
    // Nobody else has made one.
    expect(questions()).toBe(0);
    const future = [
      "--time",
      "2126-01-01 10:00:00",
      "--host",
      "testhost",
      "--cache-dir",
      join(world.dir, "theirs"),
    ];
    expect((await world.exec([restic.path, "backup", "-q", ...future, world.source])).code).toBe(0);
    const { stdout } = await world.run("backup", [], { env });
    const { snapshot_id, status, retention_missed } = world.record();
    expect({ status, retention_missed, questions: questions() }).toEqual({
      status: "warning",
      retention_missed: 1,
      questions: 1,
    });
    expect(stdout).toContain(`it would remove snapshot ${snapshot_id}, which this run has just made; `);
    expect(snapshots(world)).toHaveLength(3);
  });

  test("RESTIC_FORGET_SCOPE=host leaves the snapshots of others alone; the record counts", async () => {
    using world = await shared(restic);
    const env = { RESTIC_FORGET_ARGS: "--keep-last 1 --prune", RESTIC_FORGET_SCOPE: "host" };
    const { code, stdout } = await world.run("backup", [], { env });
    expect(code).toBe(0);
    expect(world.record()).toMatchObject({
      status: "ok",
      forget_exit_code: 0,
      snapshots_kept: 1,
      snapshots_removed: 2,
      retention_missed: 0,
    });
    expect(stdout).toContain("1 snapshot kept, 2 removed, of those with tag automated of host testhost.");
    expect(snapshots(world)).toHaveLength(3);
    expect((await world.run("forget", [], { env: { ...env, RESTIC_FORGET_SCOPE: "repository" } })).code).toBe(
      0,
    );
    expect(world.record("forget")).toMatchObject({ status: "ok", snapshots_kept: 2, snapshots_removed: 1 });
    expect(snapshots(world)).toHaveLength(2);
  });

  test("the preview says what forget then does, of other hosts too", async () => {
    using world = await shared(restic);
    const env = { RESTIC_FORGET_ARGS: "--keep-last 1" };
    const preview = await world.run("forget-preview", [], { env });
    expect(preview.code).toBe(0);
    expect(preview.stdout).toContain(`host otherhost, ${world.source}: 1 would be kept and 1 removed.`);
    expect(preview.stdout).toContain("Of 4 snapshots 2 would be kept and 2 removed.");
    const { snapshots_kept, snapshots_to_remove } = world.record("forget-preview");
    await world.run("forget", [], { env });
    expect(world.record("forget")).toMatchObject({
      snapshots_kept,
      snapshots_removed: snapshots_to_remove,
    });
  });

  test("--dry-run in the policy removes nothing, and is no success", async () => {
    using world = await shared(restic);
    const env = { RESTIC_FORGET_ARGS: "--keep-last 1 -cn" };
    expect((await world.run("forget", [], { env })).code).toBe(0);
    expect(world.record("forget")).toMatchObject({ status: "dry-run", retention_missed: 1 });
    expect((await world.run("backup", [], { env })).code).toBe(0);
    // The snapshot is there; that the policy removes nothing is said by an alert.
    expect(world.record()).toMatchObject({ status: "dry-run", retention_missed: 1 });
    expect(world.record().alerts).toMatchObject([{ kind: "retention-withheld" }]);
    expect(snapshots(world)).toHaveLength(5);
  });
});

test("--unsafe-allow-remove-all is the operator's wish, but not for the snapshot just made", async () => {
  using world = await shared(newest);
  const own = { RESTIC_FORGET_ARGS: "--unsafe-allow-remove-all --host testhost" };
  expect((await world.run("backup", [], { env: own })).code).toBe(0);
  expect(world.record()).toMatchObject({ status: "warning", retention_missed: 1 });
  expect(snapshots(world)).toHaveLength(5);
  const other = { RESTIC_FORGET_ARGS: "--unsafe-allow-remove-all --host otherhost" };
  expect((await world.run("forget", [], { env: other })).code).toBe(0);
  expect(world.record("forget")).toMatchObject({ status: "ok", snapshots_removed: 2 });
  expect(snapshots(world)).toHaveLength(3);
});

test("restic is asked first only where the policy could remove the new snapshot", async () => {
  using world = new World();
  world.restic(`echo "$*" >> ${world.dir}/calls`);
  const asks = async (RESTIC_FORGET_ARGS: string) => {
    world.file("calls", "");
    world.file("log/last-backup.json", "{}");
    await world.run("backup", [], { env: { RESTIC_FORGET_ARGS } });
    return world.read("calls").includes("forget --json --dry-run");
  };
  for (const policy of ["-l1", "--keep-daily 7 --prune", "--keep-yearly=unlimited", "-w4 --tag automated"])
    expect([policy, await asks(policy)]).toEqual([policy, false]);
  for (const policy of ["--keep-tag x", "--keep-within 7d", "-l0 --keep-tag x", "-l1 -g paths"])
    expect([policy, await asks(policy)]).toEqual([policy, true]);
});

test.each<[Record<string, string>, string, string]>([
  [{ RESTIC_FORGET_ARGS: "keep-daily 7" }, "RESTIC_FORGET_ARGS", "keep-daily is not a flag."],
  [{ RESTIC_FORGET_ARGS: "–keep-daily 7" }, "RESTIC_FORGET_ARGS", "a dash of typography (U+2013)"],
  [{ RESTIC_FORGET_ARGS: "--keep-last 0" }, "RESTIC_FORGET_ARGS", "keeps nothing: --keep-last 0."],
  [{ RESTIC_FORGET_ARGS: "-l-1" }, "RESTIC_FORGET_ARGS", "-l -1 is no whole number, 0 or more."],
  [{ RESTIC_FORGET_SCOPE: "hosts" }, "RESTIC_FORGET_SCOPE", "neither repository nor host"],
])("config-check and doctor FAIL: %j", async (env, key, words) => {
  using world = new World();
  const checked = await world.run("config-check", ["--json"], { env });
  expect(checked.code).not.toBe(0);
  const { checks } = JSON.parse(checked.stdout);
  const failed = checks.find(
    (each: { key: string; status: string }) => each.key === key && each.status === "fail",
  );
  expect(failed.message).toContain(words);
  const { stdout } = await world.run("doctor", [], { env });
  expect(stdout).toMatch(new RegExp(`\\[FAIL\\] +${key}.*${words.replace(/[()+.]/g, "\\$&")}`));
});

test("a scope that is none is refused, before restic starts", async () => {
  using world = new World();
  world.restic('echo "$@" >>"$HOME/calls"');
  const env = { RESTIC_FORGET_ARGS: "-l1", RESTIC_FORGET_SCOPE: "hosts" };
  const { code, stdout } = await world.run("backup", [], { env });
  expect({ code, called: world.has("calls") }).toEqual({ code: 2, called: false });
  expect(stdout).toContain("RESTIC_FORGET_SCOPE=hosts is neither repository nor host. Give one of them.");
});

test("what is not applied is counted, whatever the reason; a failed backup neither adds nor ends", async () => {
  using world = new World();
  const restic = (backup: number, forget: number) =>
    world.restic(`case $1 in backup) exit ${backup} ;; forget) exit ${forget} ;; esac`);
  const missed = async (policy = "--keep-last 1") => {
    await world.run("backup", [], { env: { RESTIC_FORGET_ARGS: policy } });
    const { retention_missed, forget_exit_code, retention_withheld } = world.record();
    return [retention_missed, forget_exit_code, retention_withheld];
  };
  restic(0, 11);
  expect(await missed()).toEqual([1, 11, undefined]);
  restic(0, 1);
  expect(await missed()).toEqual([2, 1, undefined]);
  expect((await world.run("status")).stdout).toContain(
    "its retention policy was not applied 2 runs in a row, so that old snapshots stay. " +
      "The last time restic forget ended with exit 1.",
  );
  restic(3, 0);
  expect(await missed()).toEqual([3, undefined, expect.stringContaining("could not be read")]);
  expect(await missed("keep-last 1")).toEqual([4, undefined, undefined]);
  restic(1, 0);
  expect(await missed()).toEqual([4, undefined, undefined]);
  restic(0, 0);
  expect(await missed()).toEqual([0, 0, undefined]);
});

test("a clock that was set back: the older snapshots are newer, and the new one stays all the same", async () => {
  using world = new World();
  equip(world, newest);
  const env = { RESTIC_FORGET_ARGS: "--keep-last 1" };
  expect((await world.run("backup", [], { env })).code).toBe(0);
  // As if both had been made when the clock was a century ahead.
  const future = ["--time", "2126-01-01 10:00:00", "--host", "testhost", "--tag", "automated", world.source];
  await world.exec(["restic", "backup", "-q", ...future]);
  const record = world.record();
  world.file("log/last-backup.json", JSON.stringify({ ...record, finished_epoch: 4922000000 }));
  for (const missed of [1, 2]) {
    const { stdout } = await world.run("backup", [], { env });
    const { snapshot_id, retention_missed } = world.record();
    expect(retention_missed).toBe(missed);
    expect(stdout).toContain(`it would remove snapshot ${snapshot_id}, which this run has just made; `);
    expect(stdout).toContain(" of 2126-01-01 10:00:00 (host testhost, ");
    expect(snapshots(world).some((id) => id.startsWith(snapshot_id))).toBe(true);
  }
});
