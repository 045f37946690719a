// What a real restic cannot read is named and counted once, and the run is a warning.
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { modest } from "../support/modest.ts";
import { equip, snapshots } from "../support/ready-repository.ts";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

describe.each(restics.map((restic) => [restic.version, restic] as const))("restic %s", (_, restic) => {
  test("files and folders that may not be read", async () => {
    using world = new World();
    equip(world, restic);
    const names = ["plain", "two words", "-dash", 'it\'s "quoted"', "new\nline", "tab\tand\x1besc"];
    for (const name of names) chmodSync(world.file(`source/${name}`, "x"), 0);
    const odd = Buffer.concat([Buffer.from(`${world.source}/b`), Buffer.from([0xff]), Buffer.from("d")]);
    writeFileSync(odd, "x");
    chmodSync(odd, 0);
    const closed = `${world.source}/closed`;
    mkdirSync(closed);
    chmodSync(closed, 0);
    const env = { RESTIC_FORGET_ARGS: "--keep-last 1", RESTIC_AUTO_UNLOCK: "ON" };
    const { code, stdout, stderr } = await world.exec(modest(["backup"]), { env });
    chmodSync(closed, 0o700);

    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    const unreadable = [...names, "b\ufffdd", "closed"].map((name) => `${world.source}/${name}`);
    const { unreadable_paths, ...record } = world.record();
    expect(unreadable_paths.sort()).toEqual(unreadable.sort());
    expect(record).toMatchObject({
      status: "warning",
      exit_code: 3,
      unreadable_count: unreadable.length,
      files_new: 1,
      snapshot_id: expect.stringMatching(/^[0-9a-f]{8}$/),
    });
    const named = stdout.split("\n").filter((line) => line.includes("could not read "));
    const shown = unreadable.map((path) => path.replace("\n", "\\n").replace("\x1b", "\\x1b"));
    for (const path of shown) expect(named.filter((line) => line.includes(path))).toHaveLength(1);
    expect(named).toHaveLength(shown.length);
    // restic 0.14 gives no reason for a folder.
    const reasons = named.filter((line) => line.endsWith(": permission denied"));
    expect(reasons).toHaveLength(shown.length - (restic.version.startsWith("0.14") ? 1 : 0));
    expect(named.every((line) => / WARN {2}backup {2}restic \| could not read \//.test(line))).toBe(true);
    expect(stdout).toContain(
      `A snapshot was made, but ${shown.length} files or folders could not be read (exit 3): `,
    );
    expect(stdout).toContain(" WARN  backup  backup finished: warning, exit 3, ");
    expect(stdout).not.toContain('{"message_type"');
    expect(record).not.toHaveProperty("forget_exit_code");
    expect(snapshots(world)).toHaveLength(1);
  });

  test("more than twenty: the others are counted", async () => {
    using world = new World();
    equip(world, restic);
    for (let file = 0; file < 25; file++) chmodSync(world.file(`source/secret${file}`, "x"), 0);
    const { code, stdout } = await world.exec(modest(["backup"]));
    expect(code).toBe(3);
    expect(stdout.match(/could not read \//g)).toHaveLength(20);
    expect(stdout).toContain(" WARN  backup  5 more could not be read; the first 20 are named above.\n");
    expect(stdout).toContain("but 25 files or folders could not be read (exit 3): ");
    expect(world.record().unreadable_count).toBe(25);
    expect(world.record().unreadable_paths).toHaveLength(20);
  });

  test("a source that is not there, beside one that is", async () => {
    using world = new World();
    equip(world, restic);
    const env = {
      BACKUP_ROOT_DIR: `${world.source}\n${world.dir}/not mounted`,
      RESTIC_FORGET_ARGS: "--keep-last 1",
    };
    const { code, stdout } = await world.run("backup", [], { env });
    expect(code).toBe(3);
    expect(stdout).toContain(`restic | could not read ${world.dir}/not mounted: it does not exist\n`);
    expect(stdout).toContain("A snapshot was made, but 1 file or folder could not be read (exit 3): ");
    expect(world.record()).toMatchObject({ status: "warning", exit_code: 3, unreadable_count: 1 });
    expect(world.record()).not.toHaveProperty("forget_exit_code");
  });

  test("no source that is there", async () => {
    using world = new World();
    equip(world, restic);
    const { code, stdout } = await world.run("backup", [], { env: { BACKUP_ROOT_DIR: "/no/such" } });
    expect(code).toBe(1);
    expect(stdout).toMatch(/restic \| Fatal: all (source|target) directories\/files do not exist\n/);
    expect(stdout).toMatch(
      /ERROR backup {2}restic backup failed \(exit 1\)\. restic said: (Fatal: )?all (source|target) directories/,
    );
    expect(world.record()).toMatchObject({ status: "failed", exit_code: 1 });
    expect(snapshots(world)).toEqual([]);
  });
});

test("exit 3 for ever: no retention for ever, which the run says and status counts, with the file", async () => {
  using world = new World();
  equip(world, restics.at(-1) ?? { version: "missing", path: "restic" });
  world.link("status");
  chmodSync(world.file("source/secret", "x"), 0);
  const env = { RESTIC_FORGET_ARGS: "--keep-last 1" };
  for (let run = 0; run < 3; run++) {
    const { stdout } = await world.exec(modest(["backup"]), { env });
    expect(stdout).toContain(
      "WARN  backup  The retention policy was not applied, because 1 file or folder could not be read: ",
    );
    expect(world.record().retention_withheld).toContain("source/secret");
    expect(world.record().alerts).toMatchObject([{ kind: "incomplete" }, { kind: "retention-withheld" }]);
  }
  expect(snapshots(world)).toHaveLength(3);
  const { stdout } = await world.run("status", [], { env: { BACKUP_CRON: "0 3 * * *" } });
  expect(stdout).toContain(`its last 3 runs could not read ${world.source}/secret, `);
});
