// LOG_DIR missing, read-only, full or no folder: the backup happens, its exit code stands, one line warns.
import { describe, expect, test } from "bun:test";
import { chmodSync, readdirSync, rmSync } from "node:fs";
import { canMount, Mount } from "../support/faulty-mounts.ts";
import { World } from "../support/world.ts";

/** A world whose restic and hooks say on stdout that they ran, and say a lot. */
function talkative(): World {
  const world = new World();
  world.restic(`echo ran; exit "\${RESTIC_EXIT:-0}"`);
  for (const phase of ["pre", "post"]) {
    world.hook(
      `${phase}-backup`,
      `yes 0123456789012345678901234567890123456789 | head -n 2000; echo ${phase} $1`,
    );
  }
  return world;
}

const warnings = (stdout: string) => stdout.split("\n").filter((line) => line.includes(" WARN "));
const leftovers = (world: World) => readdirSync(world.log).filter((name) => name.endsWith(".tmp"));

/** The run does everything but write its log: the exit code is restic's own, and one line warns. */
async function lives(world: World, exitCode: number, reason: string, command = ["backup"]): Promise<void> {
  const { code, stdout, stderr } = await world.exec(command, { env: { RESTIC_EXIT: String(exitCode) } });
  expect({ code, stderr }).toEqual({ code: exitCode, stderr: "" });
  expect(stdout).toContain("restic | ran\n");
  expect(stdout).toContain("pre-backup | pre\n");
  expect(stdout).toContain(`post-backup | post ${exitCode}\n`);
  expect(stdout).toContain(`, exit ${exitCode}, 0s\n`);
  const about = warnings(stdout).filter((line) => line.includes("cannot be written: "));
  expect(about).toHaveLength(1);
  expect(about[0]).toContain(`cannot be written: ${reason}. Nothing else changes by that; `);
}

describe.each([0, 1, 12])("with restic's exit code %d, the run goes on when LOG_DIR is", (exitCode) => {
  test("missing", async () => {
    using world = talkative();
    rmSync(world.log, { recursive: true });
    await lives(world, exitCode, "no such file or directory");
    expect(world.has("log")).toBe(false);
  });

  test("a file", async () => {
    using world = talkative();
    rmSync(world.log, { recursive: true });
    world.file("log", "precious");
    await lives(world, exitCode, "a part of the path is not a directory");
    expect(world.read("log")).toBe("precious");
  });

  test.skipIf(!canMount)("read-only (mounted by root)", async () => {
    using world = talkative();
    using mount = Mount.bind(world.log);
    expect(await world.run("backup")).toMatchObject({ code: 0 });
    const before = ["last-backup.json", "history.jsonl", "backup-last.log"].map((name) =>
      world.read(`log/${name}`),
    );
    mount.makeReadOnly();
    await lives(world, exitCode, "the file system is read-only");
    const after = ["last-backup.json", "history.jsonl", "backup-last.log"].map((name) =>
      world.read(`log/${name}`),
    );
    expect(after).toEqual(before);
  });

  test.skipIf(!canMount)("full (a tmpfs mounted by root)", async () => {
    using world = talkative();
    using mount = Mount.tmpfs(world.log);
    expect(await world.run("backup", [], { env: { HOOK_LOG_MAX_BYTES: "0" } })).toMatchObject({ code: 0 });
    const before = world.read("log/last-backup.json");
    const history = world.read("log/history.jsonl");
    const makeRoom = mount.fill();
    await lives(world, exitCode, "no space left on the device");
    expect(world.read("log/last-backup.json")).toBe(before);
    // The page that a line was begun in may have room for another: a whole one, or none.
    expect(world.read("log/history.jsonl")).toStartWith(history);
    expect(world.history().every(({ job }) => job === "backup")).toBe(true);
    expect(leftovers(world)).toEqual([]);
    makeRoom();
    expect(await world.run("backup", [], { env: { HOOK_LOG_MAX_BYTES: "0" } })).toMatchObject({ code: 0 });
    expect(world.record()).toMatchObject({ status: "ok" });
    expect(world.history().at(-1)).toMatchObject({ run_id: world.record().run_id });
  });

  test.skipIf(!canMount)("another user's (as nobody, whom root becomes)", async () => {
    using world = talkative();
    for (const folder of [world.dir, world.lock]) chmodSync(folder, 0o777);
    const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "backup"];
    await lives(world, exitCode, "permission denied", nobody);
    expect(readdirSync(world.log)).toEqual([]);
  });
});

test.skipIf(!canMount)(
  "a disk that fills up bit by bit never leaves half a record or half a line",
  async () => {
    using world = new World();
    world.restic('[ "$1" != backup ] || exit "$RESTIC_EXIT"');
    using _mount = Mount.tmpfs(world.log, "16k");
    let failures = 0;
    for (let round = 0; round < 60; round++) {
      const exitCode = round % 3;
      const { code, stdout } = await world.run("backup", [], { env: { RESTIC_EXIT: String(exitCode) } });
      expect(code).toBe(exitCode);
      const about = warnings(stdout).filter((line) => line.includes("cannot be written"));
      expect(about.length).toBeLessThanOrEqual(1);
      failures += about.length;
      expect(world.record()).toMatchObject({ job: "backup" });
      expect(world.history().every(({ run_id }) => typeof run_id === "string")).toBe(true);
      expect(leftovers(world)).toEqual([]);
    }
    expect(failures).toBeGreaterThan(0);
  },
);
