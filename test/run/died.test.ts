// A run after one that was killed with SIGKILL reports it, whatever that one was doing.
import { describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync } from "node:fs";
import { Gate } from "../support/gate.ts";
import { World, waitFor } from "../support/world.ts";

interface Death {
  readonly phase: string;
  readonly pid: number;
}

/** Kills the worker while somebody stands at the gate, and then that one too. */
async function killAt(world: World, gate: Gate, phase: string): Promise<Death> {
  const run = world.start("backup");
  const other = await gate.reached();
  run.kill("SIGKILL");
  await run.exited;
  process.kill(other, "SIGKILL");
  await waitFor(() => world.processes().length === 0, "the end of what it had started");
  gate.open();
  return { phase, pid: run.pid };
}

const deaths: Record<string, (world: World) => Promise<Death>> = {
  "a pre-hook": (world) => {
    const gate = new Gate(world);
    world.hook("pre-backup", gate.here);
    return killAt(world, gate, "pre-hooks");
  },
  "the work": (world) => {
    const gate = new Gate(world);
    world.restic(gate.here);
    return killAt(world, gate, "work");
  },
  "a post-hook": (world) => {
    const gate = new Gate(world);
    world.hook("post-backup", gate.here);
    return killAt(world, gate, "post-hooks");
  },
  "writing the record": async (world) => {
    const kill = ["-f", "-qq", "-o", "strace.out", "-e", "inject=fsync:signal=SIGKILL:when=1"];
    await world.exec(["strace", ...kill, "-e", "trace=fsync", "backup"]);
    expect(readdirSync(world.log)).toContainEqual(
      expect.stringMatching(/^last-backup\.json\.\d+-[0-9a-f]{12}\.tmp$/),
    );
    return { phase: "record", pid: JSON.parse(world.read("lock/backup.run.json")).pid };
  },
};

/** Only strace(1) kills so exactly: without it one way to die is left out. */
const ways = Object.keys(deaths).filter((where) => where !== "writing the record" || Bun.which("strace"));

describe("a run that was killed in", () => {
  test.each(ways)("%s is reported by the next one", async (where) => {
    using world = new World();
    world.restic();
    const death = await deaths[where]!(world);
    const mark = JSON.parse(world.read("lock/backup.run.json"));
    expect(mark).toMatchObject(death);

    const { code, stdout, stderr } = await world.run("backup");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const said = new RegExp(
      ` WARN  backup  The run before this one died without a record: run ${mark.run_id}, pid ${death.pid}, ` +
        `started [-\\d]{10} [:\\d]{8}, last seen in phase ${death.phase}\\. If it was killed, restic may have left ` +
        "its lock in the repository\\.\n",
    );
    expect(stdout).toMatch(said);
    expect(world.read("log/backup-last.log")).toMatch(said);
    expect(world.history().map(({ status }) => status)).toEqual(["died", "ok"]);
    expect(world.history()[0]).toMatchObject({
      ...death,
      job: "backup",
      run_id: mark.run_id,
      started_epoch: mark.started_epoch,
      hooks: [],
    });
    expect(world.record()).toMatchObject({ status: "ok", exit_code: 0 });
    expect(world.has("lock/backup.run.json")).toBe(false);
    expect(readdirSync(world.log).filter((name) => name.endsWith(".tmp"))).toEqual([]);

    const third = await world.run("backup");
    expect(third.stdout).not.toContain("died");
    expect(world.history().map(({ status }) => status)).toEqual(["died", "ok", "ok"]);
  });
});

describe("a marker that tells nothing", () => {
  const spoil: Record<string, (world: World, path: string) => void> = {
    "of another process with the same pid": (world, path) =>
      world.file(
        path,
        `{"pid":${process.pid},"ticks":1,"run_id":"backup-x","started_epoch":1,"phase":"work"}`,
      ),
    empty: (world, path) => world.file(path, ""),
    torn: (world, path) => world.file(path, '{"pid":12,"ti'),
    "of another kind": (world, path) => world.file(path, "null"),
    "a folder": (world, path) => mkdirSync(`${world.dir}/${path}`),
  };
  test.each(Object.keys(spoil))("(%s) does not hold up a run", async (how) => {
    using world = new World();
    world.restic();
    spoil[how]?.(world, "lock/backup.run.json");
    const { code, stderr } = await world.run("backup");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(world.record()).toMatchObject({ status: "ok" });
  });
});
