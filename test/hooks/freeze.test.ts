/** A hook that freezes the file system on which its run writes is warned of before it runs, and by doctor. */

import { describe, expect, test } from "bun:test";
import { frozenPaths } from "../../lib/hooks/freeze.ts";
import { canMount, Mount } from "../support/faulty-mounts.ts";
import { World } from "../support/world.ts";

test.each<[string, string[]]>([
  ["fsfreeze -f /data", ["/data"]],
  ["fsfreeze --freeze '/srv/my db' || exit 1", ["/srv/my db"]],
  [`fsfreeze --freeze "\${FREEZE_PATH:-/data}" && echo frozen`, ["/data"]],
  [`fsfreeze -f "$ROOT"; fsfreeze -f \${ROOT}/db`, ["/root", "/root/db"]],
  ["if ! xfs_freeze -f /x; then exit 1; fi\n/sbin/fsfreeze -f /y", ["/x", "/y"]],
  ["# fsfreeze -f /data\n  # fsfreeze -f /data", []],
  ['fsfreeze -f "$1"', []],
  ["fsfreeze -f data", []],
])("%j freezes %j", (text, paths) => {
  expect(frozenPaths(text, { ROOT: "/root" })).toEqual(paths);
});

/** What the run's log says about it, before the hook runs, and what doctor says. */
async function warnings(world: World, phase = "pre-backup") {
  world.restic();
  world.program("fsfreeze", "exit 0");
  const { code } = await world.run("backup");
  expect(code).toBe(0);
  const log = world.read("log/backup-last.log").split("\n");
  const started = log.findIndex((line) => line.includes(`hook ${phase} started`));
  expect(started).toBeGreaterThan(0);
  const said = log
    .slice(0, started)
    .flatMap((line) => /WARN {2}backup {2}(.* freezes .*)/.exec(line)?.[1] ?? []);
  const doctor = await world.run("doctor", ["--hooks"]);
  expect(said.map((line) => doctor.stdout.includes(`WARN ${line}`) || doctor.stdout.includes(line))).toEqual(
    said.map(() => true),
  );
  if (said.length === 0) expect(doctor.stdout).not.toContain(" freezes ");
  return said;
}

describe("LOG_DIR and LOCK_DIR lie where the source does", () => {
  test.each([
    ['fsfreeze -f "$BACKUP_ROOT_DIR"', "pre-backup"],
    [`fsfreeze --freeze "\${FREEZE_PATH:-/no/such/path}"`, "pre-backup"],
    ["xfs_freeze -f $BACKUP_ROOT_DIR", "pre-backup"],
    ["ssh host true\nexec /sbin/fsfreeze -f $(cat list)", "pre-backup.d/10-freeze"],
    ["fsfreeze -f $BACKUP_ROOT_DIR; fsfreeze -u $BACKUP_ROOT_DIR", "post-backup"],
  ])("%j in %s", async (body, name) => {
    using world = new World();
    world.hook(name, body.replace("exec ", "true "));
    expect(await warnings(world, name.replace(/\..*/, ""))).toEqual([
      `hooks/${name}.sh freezes a file system (${world.source}) on which LOG_DIR=${world.log} and LOCK_DIR=${world.lock} lie: ` +
        "the run would hang there for ever, and nothing would thaw it. Move LOG_DIR and LOCK_DIR to another one: a volume, a tmpfs.",
    ]);
  });

  test.each([
    ["echo nothing of the kind"],
    ["fsfreeze -u $BACKUP_ROOT_DIR; fsfreeze --unfreeze /data"],
    ["# fsfreeze -f $BACKUP_ROOT_DIR"],
    ["echo antifreeze unfsfreezed"],
    ["fsfreeze -f /proc"],
  ])("%j is not warned of", async (body) => {
    using world = new World();
    world.hook("pre-backup", body);
    expect(await warnings(world)).toEqual([]);
  });
});

test.skipIf(!canMount)("only what lies there is named, and nothing when all lies elsewhere", async () => {
  using world = new World();
  world.hook("pre-backup", "fsfreeze -f $BACKUP_ROOT_DIR");
  const METRICS_DIR = world.folder("metrics");
  using _log = Mount.tmpfs(world.log, "1m");
  expect(await warnings(world)).toEqual([expect.stringContaining(` on which LOCK_DIR=${world.lock} lies: `)]);
  using _lock = Mount.tmpfs(world.lock, "1m");
  expect(await warnings(world)).toEqual([]);
  world.env.METRICS_DIR = METRICS_DIR;
  expect(await warnings(world)).toEqual([
    expect.stringContaining(` on which METRICS_DIR=${METRICS_DIR} lies: `),
  ]);
});
