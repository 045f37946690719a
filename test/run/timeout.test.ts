// BACKUP_TIMEOUT bounds the work: SIGINT first, SIGKILL after WORK_KILL_AFTER (half a minute), exit 124.
import { expect, test } from "bun:test";
import { variables } from "../../lib/config/variables.ts";
import { Gate } from "../support/gate.ts";
import { alive, finish, World, waitFor } from "../support/world.ts";

/** A restic that notes who asked it to end, and ends then unless it is deaf. */
const restic = (world: World, { deaf = false } = {}) => {
  const note = (name: string) =>
    `trap "echo ${name} >>'${world.dir}/asked'${deaf ? "" : "; exit 130"}" ${name}`;
  world.restic(`echo "$1" >>'${world.dir}/calls'\n${["INT", "TERM", "HUP"].map(note).join("\n")}
while :; do sleep 0.05; done`);
};

test("restic is asked by SIGINT, and the time-out is told to the post-hook", async () => {
  using world = new World();
  restic(world);
  world.hook("post-backup", 'echo "post $1 $RBH_STATUS $RBH_EXIT_CODE"');
  const { code, stdout, stderr } = await world.run("backup", [], {
    env: { BACKUP_TIMEOUT: "1", RESTIC_FORGET_ARGS: "--keep-last 1", RESTIC_AUTO_UNLOCK: "ON" },
  });
  expect({ code, stderr }).toEqual({ code: 124, stderr: "" });
  expect(world.read("asked")).toBe("INT\n");
  expect(world.read("calls")).toBe("backup\n");
  expect(stdout).toContain("post-backup | post 124 timed_out 124\n");
  expect(stdout).toContain(
    "ERROR backup  The work was ended because it took longer than BACKUP_TIMEOUT=1.\n",
  );
  expect(stdout).toContain("ERROR backup  backup finished: timed_out, exit 124, 1s\n");
  expect(world.record()).toMatchObject({
    status: "timed_out",
    timed_out: true,
    exit_code: 124,
    duration_seconds: 1,
  });
  expect(world.record()).not.toHaveProperty("signal");
});

test("hooks do not count", async () => {
  using world = new World();
  world.restic();
  for (const phase of ["pre", "post"]) world.hook(`${phase}-backup`, "sleep 1.2");
  expect(await world.run("backup", [], { env: { BACKUP_TIMEOUT: "1" } })).toMatchObject({ code: 0 });
});

test("forget counts", async () => {
  using world = new World();
  world.restic(`echo "$1" >>'${world.dir}/calls'; [ "$1" = backup ] || exec sleep 60`);
  const env = { BACKUP_TIMEOUT: "1s", RESTIC_FORGET_ARGS: "--keep-last 1" };
  expect(await world.run("backup", [], { env })).toMatchObject({ code: 124 });
  expect(world.read("calls")).toBe("backup\nforget\n");
  expect(world.record()).toMatchObject({ status: "timed_out", forget_exit_code: 130 });
  expect(world.processes()).toEqual([]);
});

test("a stop shortens the half minute", async () => {
  using world = new World();
  restic(world, { deaf: true });
  const run = world.start("backup", [], { env: { BACKUP_TIMEOUT: "1", STOP_TIMEOUT: "2" } });
  await waitFor(() => world.has("asked"), "the time-out");
  const begun = performance.now();
  run.kill("SIGTERM");
  expect(await finish(run)).toMatchObject({ code: 143 });
  expect(performance.now() - begun).toBeLessThan(5000);
  expect(world.record()).toMatchObject({ status: "interrupted", signal: "SIGTERM", exit_code: 143 });
  expect(world.processes()).toEqual([]);
});

test("a restic that is deaf is killed after WORK_KILL_AFTER, which is half a minute where nobody set it", async () => {
  using world = new World();
  restic(world, { deaf: true });
  const begun = performance.now();
  const env = { BACKUP_TIMEOUT: "1", WORK_KILL_AFTER: "2" };
  expect(await world.run("backup", [], { env })).toMatchObject({ code: 124 });
  expect(performance.now() - begun).toBeWithin(3000, 12_000);
  expect(variables.WORK_KILL_AFTER.fallback).toBe("30");
  expect(world.read("asked")).toBe("INT\n");
  expect(world.record()).toMatchObject({ status: "timed_out", timed_out: true, exit_code: 124 });
  expect(world.processes()).toEqual([]);
});

test.each(["soon", "-1", "1.5", "1e3"])("BACKUP_TIMEOUT=%s is no limit, and said", async (value) => {
  using world = new World();
  const gate = new Gate(world);
  world.restic(gate.here);
  const run = world.start("backup", [], { env: { BACKUP_TIMEOUT: value } });
  await gate.reached();
  await Bun.sleep(200);
  gate.open();
  const { code, stdout } = await finish(run);
  expect(code).toBe(0);
  expect(stdout).toContain(
    `WARN  backup  BACKUP_TIMEOUT=${value} is not a duration such as 6h; none is used.`,
  );
});

// A machine that was suspended, a container that was paused: the worker alone is stopped here, and slept past the deadline.
test.each(["backup", "a hook"])(
  "%s that ended while the worker slept past its deadline has not timed out",
  async (which) => {
    using world = new World();
    const gate = new Gate(world);
    const body = `${gate.here}; echo gone >'${world.dir}/ending'`;
    if (which === "backup") world.restic(body);
    else {
      world.restic();
      world.hook("pre-backup", body);
    }
    const run = world.start("backup", [], {
      env: {
        BACKUP_TIMEOUT: which === "backup" ? "1" : "",
        HOOK_TIMEOUT: "1",
        RESTIC_FORGET_ARGS: "--keep-last 1",
      },
    });
    const child = await gate.reached();
    run.kill("SIGSTOP");
    gate.open();
    await waitFor(() => !alive(child), "its end");
    await Bun.sleep(1200);
    run.kill("SIGCONT");
    const { code, stdout, stderr } = await finish(run);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).not.toContain("timed out");
    expect(world.record()).toMatchObject({ status: "ok" });
    if (which !== "backup") expect(world.record().hooks).toMatchObject([{ exit_code: 0, timed_out: false }]);
  },
);

test("one that still runs when the worker wakes up after its deadline has", async () => {
  using world = new World();
  const gate = new Gate(world);
  world.restic(`trap 'exit 130' INT; ${gate.here}`);
  const run = world.start("backup", [], { env: { BACKUP_TIMEOUT: "1" } });
  await gate.reached();
  run.kill("SIGSTOP");
  await Bun.sleep(1200);
  run.kill("SIGCONT");
  expect(await finish(run)).toMatchObject({ code: 124 });
  expect(world.record()).toMatchObject({ status: "timed_out", timed_out: true });
});
