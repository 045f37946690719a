// A backup of nothing is no good backup: empty sources, links, a collapse; what is usual, and what may be said to be so.
import { describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { equip, snapshots } from "../support/ready-repository.ts";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

const RESTIC_FORGET_ARGS = "--keep-last 3";

/** Files `0` to `count - 1` of some bytes each in a folder of the world. */
function fill(world: World, folder: string, count: number): void {
  for (let file = 0; file < count; file++) world.file(`${folder}/${file}`, `content of ${file}\n`);
}

const kinds = ({ alerts = [] }: { alerts?: { kind: string }[] }) => alerts.map(({ kind }) => kind);

describe.each(restics.map((restic) => [restic.version, restic] as const))("restic %s", (_, restic) => {
  test("a source that is empty: a warning that does not fade, and no retention", async () => {
    using world = new World();
    equip(world, restic);
    world.link("status");
    fill(world, "source", 20);
    const env = { RESTIC_FORGET_ARGS, METRICS_DIR: world.folder("metrics") };
    for (let run = 0; run < 2; run++)
      expect(await world.run("backup", [], { env })).toMatchObject({ code: 0, stderr: "" });
    expect(world.record()).toMatchObject({ status: "ok", usual_files: 21 });
    const success = /last_success_timestamp_seconds\{.*/.exec(
      world.read("metrics/restic_backup.testhost.prom"),
    )?.[0];
    renameSync(world.source, join(world.dir, "away"));
    mkdirSync(world.source);
    for (let run = 0; run < 4; run++) {
      const { code, stdout } = await world.run("backup", [], { env });
      expect(code).toBe(0);
      expect(stdout).toContain(
        `WARN  backup  ${world.source} (BACKUP_ROOT_DIR) is empty: is its volume not mounted? `,
      );
      expect(stdout).toContain("run backup --accept");
      expect(stdout).not.toContain("Applying the retention policy");
      expect(world.record()).toMatchObject({ status: "warning", exit_code: 0, usual_files: 21 });
      expect(world.record().retention_withheld).toBe(`a source is suspicious: ${world.source} is empty.`);
      expect(world.record().alerts[1].message).toStartWith(
        `The retention policy was not applied, because a source is suspicious: ${world.source} is empty.`,
      );
      expect(kinds(world.record())).toEqual(["empty-source", "retention-withheld"]);
    }
    expect(snapshots(world)).toHaveLength(6);
    expect(world.read("metrics/restic_backup.testhost.prom")).toContain(success ?? "no success");
    const status = await world.run("status", [], { env: { BACKUP_CRON: "* * * * *" } });
    expect(status.stdout).toContain(`${world.source} (BACKUP_ROOT_DIR) is empty`);
    // The record is lost: the history knows what was usual.
    rmSync(join(world.log, "last-backup.json"));
    await world.run("backup", [], { env });
    expect(world.record()).toMatchObject({ status: "warning", usual_files: 21 });
    // Mounted again: all is well.
    rmSync(world.source, { recursive: true });
    renameSync(join(world.dir, "away"), world.source);
    await world.run("backup", [], { env });
    expect(world.record()).toMatchObject({ status: "ok", forget_exit_code: 0 });
    expect(world.record()).not.toHaveProperty("retention_withheld");
    expect(world.record()).not.toHaveProperty("suspicious_sources");
    expect(world.record()).not.toHaveProperty("alerts");
  });

  test("the very first run; BACKUP_EXPECT_EMPTY and --accept say what is meant", async () => {
    using world = new World();
    equip(world, restic);
    rmSync(join(world.source, "file.txt"));
    await world.run("backup");
    expect(world.record()).toMatchObject({ status: "warning", exit_code: 0 });
    await world.run("backup", [], { env: { BACKUP_EXPECT_EMPTY: "ON" } });
    expect(world.record()).toMatchObject({ status: "ok" });
    await world.run("backup");
    expect(world.record()).toMatchObject({ status: "warning" });
    await world.run("backup", ["--accept"]);
    expect(world.record()).toMatchObject({ status: "ok", accepted_sources: [world.source] });
    await world.run("backup");
    expect(world.record()).toMatchObject({ status: "ok", usual_files: 0 });
    world.file("source/again", "x");
    await world.run("backup");
    expect(world.record()).toMatchObject({ status: "ok", usual_files: 1 });
    rmSync(join(world.source, "again"));
    await world.run("backup");
    expect(world.record()).toMatchObject({ status: "warning", usual_files: 1 });
  });

  test("one of several sources, in BACKUP_ROOT_DIR and in a list, is named", async () => {
    using world = new World();
    equip(world, restic);
    fill(world, "full", 3);
    const [full, empty] = [join(world.dir, "full"), world.folder("empty")];
    world.folder("empty/folder/below");
    await world.run("backup", [], { env: { BACKUP_ROOT_DIR: `${full}\n${empty}` } });
    expect(world.record()).toMatchObject({ status: "warning", total_files_processed: 3 });
    expect(world.record().alerts[0].message).toStartWith(
      `${empty} (BACKUP_ROOT_DIR) holds folders, but not a single file: `,
    );
    const list = world.file("list", `# a comment\n${full}\n${empty}/fold*\n`);
    const listed = { BACKUP_ROOT_DIR: "", RESTIC_JOB_ARGS: `--files-from ${list}` };
    await world.run("backup", [], { env: listed });
    expect(world.record().status).toBe("warning");
    expect(world.record().alerts[0].message).toStartWith(`${empty}/fold* (--files-from ${list}) is empty: `);
    await world.run("backup", ["--accept"], { env: listed });
    expect(world.record().status).toBe("ok");
    await world.run("backup", [], { env: listed });
    expect(world.record().status).toBe("ok");
  });

  test("a source that is a symbolic link, however it is written", async () => {
    using world = new World();
    equip(world, restic);
    const link = join(world.dir, "link");
    symlinkSync(world.source, link);
    for (const path of [link, `${link}/`, `${link}/.`]) {
      const { code, stdout } = await world.run("backup", [], { env: { BACKUP_ROOT_DIR: path } });
      expect(code).toBe(0);
      expect(stdout).toContain(`${path} (BACKUP_ROOT_DIR) is a symbolic link: `);
      expect(stdout).toContain(`Name ${world.source} instead`);
      expect(world.record()).toMatchObject({ status: "warning", total_files_processed: 0 });
      expect(kinds(world.record())).toEqual(["link-source"]);
    }
  });

  test("a collapse against the last good backup, by files or by bytes; BACKUP_MIN_PERCENT", async () => {
    using world = new World();
    equip(world, restic);
    fill(world, "source/part", 20);
    await world.run("backup");
    for (let file = 0; file < 12; file++) rmSync(join(world.source, `part/${file}`));
    for (let run = 0; run < 2; run++) {
      await world.run("backup", [], { env: { RESTIC_FORGET_ARGS } });
      expect(world.record()).toMatchObject({ status: "warning", exit_code: 0, usual_files: 21 });
      expect(kinds(world.record())).toEqual(["collapsed", "retention-withheld"]);
      expect(world.record().alerts[0].message).toContain("holds 9 files, and the last good one held 21: ");
    }
    await world.run("backup", [], { env: { BACKUP_MIN_PERCENT: "40" } });
    expect(world.record()).toMatchObject({ status: "ok", usual_files: 9 });
    world.file("source/large", "x".repeat(100_000));
    await world.run("backup");
    rmSync(join(world.source, "large"));
    await world.run("backup");
    expect(kinds(world.record())).toEqual(["collapsed"]);
    expect(world.record().alerts[0].message).toContain("and the last good one held 97.");
    await world.run("backup", [], { env: { BACKUP_MIN_PERCENT: "0" } });
    expect(world.record().status).toBe("ok");
  });

  test("forget on its own schedule waits for a good backup", async () => {
    using world = new World();
    equip(world, restic);
    world.link("forget");
    const env = { RESTIC_FORGET_ARGS: "--keep-last 1", FORGET_CRON: "0 5 * * *" };
    await world.run("backup", [], { env });
    rmSync(join(world.source, "file.txt"));
    await world.run("backup", [], { env });
    await world.run("backup", [], { env: { ...env, RESTIC_PASSWORD: "wrong" } });
    const { stdout } = await world.run("forget", [], { env });
    expect(stdout).toContain(
      `The retention policy was not applied, because a source is suspicious: ${world.source} is empty.`,
    );
    expect(world.record("forget")).toMatchObject({ status: "warning" });
    expect(world.record("forget").retention_withheld).toContain(world.source);
    expect(snapshots(world)).toHaveLength(2);
    await world.run("backup", ["--accept"], { env });
    await world.run("forget", [], { env });
    expect(world.record("forget")).toMatchObject({ status: "ok" });
    expect(snapshots(world)).toHaveLength(1);
  });
});
