// LOCK_DIR full: the backup happens all the same, locked, and its exit code stands.
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { canMount, Mount } from "../support/faulty-mounts.ts";
import { Gate } from "../support/gate.ts";
import { World } from "../support/world.ts";

// A full disk takes root to mount.
describe.skipIf(!canMount)("in a LOCK_DIR without a free byte", () => {
  test.each([0, 3, 12])("a run is the same as ever (restic ends with %d)", async (exitCode) => {
    using world = new World();
    using mount = Mount.tmpfs(world.lock);
    world.restic(`exit ${exitCode}`);
    for (const phase of ["pre", "post"]) world.hook(`${phase}-backup`, `echo out; echo "err $1" >&2`);
    mount.fill();
    for (const start of [
      ["backup"],
      ["locked_run", "backup", "backup"],
      ["locked_run", "backup", "sh", "-c", "backup"],
    ]) {
      const { code, stdout, stderr } = await world.exec(start);
      expect({ code, stderr }).toEqual({ code: exitCode, stderr: "" });
      expect(stdout).toContain("pre-backup | out\n");
      expect(stdout).toContain(`post-backup | err ${exitCode}\n`);
      expect(stdout).not.toMatch(/cannot be|skipped|bug/);
      expect(world.record()).toMatchObject({ exit_code: exitCode });
    }
    expect(readdirSync(world.lock).filter((name) => /tmp|run\.json|skips/.test(name))).toEqual([]);
  });

  test("runs still exclude each other", async () => {
    using world = new World();
    using mount = Mount.tmpfs(world.lock);
    mount.fill();
    const gate = new Gate(world);
    world.restic(gate.here);
    const first = world.start("backup");
    await gate.reached();
    for (let tick = 0; tick < 2; tick++) {
      const { code, stdout } = await world.run("backup");
      expect(code).toBe(75);
      expect(stdout).toContain("backup skipped: previous run still active (");
    }
    expect(world.history().map(({ status }) => status)).toEqual(["skipped", "skipped"]);
    gate.open();
    expect(await first.exited).toBe(0);
  });

  test("a run that was stopped ends as ever", async () => {
    using world = new World();
    using mount = Mount.tmpfs(world.lock);
    mount.fill();
    const gate = new Gate(world);
    world.restic(`trap 'exit 130' INT; ${gate.here}`);
    const run = world.start("backup");
    await gate.reached();
    run.kill("SIGTERM");
    expect(await run.exited).toBe(143);
    expect(world.record()).toMatchObject({ status: "interrupted", exit_code: 143 });
  });
});

test.skipIf(!canMount)("in a LOCK_DIR that is read-only a run says so and fails", async () => {
  using world = new World();
  using mount = Mount.bind(world.lock);
  world.restic(`touch '${world.dir}/ran'`);
  expect(await world.run("backup")).toMatchObject({ code: 0 });
  mount.makeReadOnly();
  const { code, stdout, stderr } = await world.run("backup");
  expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
  expect(stdout).toContain(
    `The lock ${world.lock}/backup.lock cannot be taken: the file system is read-only.`,
  );
  expect(world.record()).toMatchObject({ status: "failed", exit_code: 1 });
});
