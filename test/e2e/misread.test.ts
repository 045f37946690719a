// Words that make restic save nothing, or something else than was meant: a dry run, standard input, the repository itself.
import { describe, expect, test } from "bun:test";
import { mkdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { equip, snapshots } from "../support/ready-repository.ts";
import { restics } from "../support/restics.ts";
import { World } from "../support/world.ts";

describe.each(restics.map((restic) => [restic.version, restic] as const))("restic %s", (_, restic) => {
  test("a dry run, by RESTIC_JOB_ARGS or by the flag, is no backup", async () => {
    using world = new World();
    equip(world, restic);
    const env = { METRICS_DIR: world.folder("metrics"), RESTIC_FORGET_ARGS: "--keep-last 1" };
    for (const words of ["--dry-run", "-n", "-qn", "--dry-run=true", "-n --exclude x"]) {
      const { code, stdout } = await world.run("backup", [], { env: { ...env, RESTIC_JOB_ARGS: words } });
      expect(stdout).toContain("WARN  backup  backup finished: dry-run, exit 0");
      expect({ code, words, status: world.record().status }).toEqual({ code: 0, words, status: "dry-run" });
      expect(world.record().alerts).toMatchObject([{ kind: "dry-run" }]);
    }
    await world.run("backup", ["--dry-run"], { env: { ...env, RESTIC_JOB_ARGS: "--dry-run=false" } });
    expect(world.record()).toMatchObject({ status: "dry-run", total_files_processed: 1 });
    for (const name of ["snapshot_id", "alerts", "usual_files", "forget_exit_code"])
      expect(world.record()).not.toHaveProperty(name);
    expect(snapshots(world)).toEqual([]);
    expect(world.read("metrics/restic_backup.testhost.prom")).not.toContain(
      "last_success_timestamp_seconds{",
    );
    await world.run("backup", [], { env: { ...env, RESTIC_JOB_ARGS: "-n --dry-run=false --exclude -n" } });
    expect(world.record()).toMatchObject({ status: "ok" });
    expect(snapshots(world)).toHaveLength(1);
  });

  test("prune that is told to change nothing", async () => {
    using world = new World();
    equip(world, restic);
    await world.run("prune", [], { env: { RESTIC_PRUNE_ARGS: "--dry-run" } });
    expect(world.record("prune")).toMatchObject({ status: "dry-run", alerts: [{ kind: "dry-run" }] });
  });

  test("a repository inside the source is said in each run, unless it is left out", async () => {
    using world = new World();
    equip(world, restic);
    mkdirSync(join(world.source, "deep"));
    const inside = join(world.source, "deep/repository");
    renameSync(world.repository, inside);
    const env = { RESTIC_REPOSITORY: inside };
    const { code, stdout } = await world.run("backup", [], { env });
    expect(code).toBe(0);
    expect(stdout).toContain(`The repository ${inside} lies in the source ${world.source}: `);
    expect(world.record()).toMatchObject({ status: "warning", alerts: [{ kind: "repository-in-source" }] });
    for (const words of [
      `--exclude ${inside}`,
      "--exclude=repository",
      "-e 'rep*/*'",
      "--iexclude REPOSITORY",
    ]) {
      await world.run("backup", [], { env: { ...env, RESTIC_JOB_ARGS: words } });
      expect([
        words,
        world.record().alerts?.filter(({ kind }: { kind: string }) => /repo/.test(kind)) ?? [],
      ]).toEqual([words, []]);
    }
    const check = await world.run("config-check", [], { env });
    expect(check.code).toBe(1);
    expect(check.stdout).toContain(`The repository ${inside} lies in the source ${world.source}: `);
  });
});

test.each([
  ["--stdin", undefined, "has --stdin, but a run gives restic no input"],
  ["--stdin=true --tag x", undefined, "has --stdin, but a run gives restic no input"],
  [
    "--stdin-from-command dump",
    undefined,
    "would take BACKUP (BACKUP_ROOT_DIR) as an argument of that command",
  ],
  ["--files-from -", "", "has --files-from with -, standard input"],
  ["--files-from /dev/stdin", "", "has --files-from with /dev/stdin, standard input"],
  ["--files-from-raw=/dev/fd/0", "", "has --files-from with /dev/fd/0, standard input"],
])("RESTIC_JOB_ARGS=%j is refused before restic is started", async (words, roots, said) => {
  using world = new World();
  world.restic(`touch ${world.dir}/called`);
  const env = { RESTIC_JOB_ARGS: words, ...(roots === undefined ? {} : { BACKUP_ROOT_DIR: roots }) };
  const { code, stdout } = await world.run("backup", [], { env });
  const expected = said.replace("BACKUP ", `${world.source} `);
  expect({ code, called: world.has("called") }).toEqual({ code: 2, called: false });
  expect(stdout).toContain(expected);
  const check = await world.run("config-check", [], { env });
  expect(check.code).toBe(1);
  expect(check.stdout).toContain(expected);
});

test.each(["RESTIC_JOB_ARGS", "RESTIC_PRUNE_ARGS", "REPLICATE_JOB_ARGS"])(
  "config-check warns of a dry run in %s",
  async (name) => {
    using world = new World();
    const { stdout } = await world.run("config-check", [], { env: { [name]: "-qn" } });
    expect(stdout).toContain(`${name}: has --dry-run (-n): each run changes nothing. Take it out.`);
  },
);

test.each([
  ["", "--dry-run", undefined],
  ["-n", "", undefined],
  ["", "", "true"],
] as const)(
  "replicate that is told to change nothing: REPLICATE_JOB_ARGS=%j, row %j, RCLONE_DRY_RUN=%j",
  async (args, extra, dry) => {
    using world = new World();
    world.link("replicate");
    const jobs = world.file("jobs", `${world.source};${world.dir}/copy;copy;${extra}\n`);
    const env = {
      REPLICATE_JOB_FILE: jobs,
      REPLICATE_JOB_ARGS: args,
      RCLONE_CONFIG: world.file("rclone.conf", ""),
      ...(dry === undefined ? {} : { RCLONE_DRY_RUN: dry }),
    };
    expect((await world.run("replicate", [], { env })).code).toBe(0);
    expect(world.record("replicate")).toMatchObject({ status: "dry-run", alerts: [{ kind: "dry-run" }] });
    expect(world.has("copy")).toBe(false);
  },
);
