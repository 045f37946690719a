// A stop of what does not want to end, within STOP_TIMEOUT; a second signal, and what is none; nohup.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Gate } from "../support/gate.ts";
import { finish, type RunOptions, World, waitFor } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

/** Seconds of STOP_TIMEOUT, and what a busy machine may add to them in milliseconds. */
const BUDGET = 3;
const SLACK_MS = 1500;
/** What comes within this time of the first signal belongs to the same stop. */
const ONE_STOP_MS = 2000;
const options: RunOptions = { env: { STOP_TIMEOUT: String(BUDGET) } };

/** Deaf to the polite signals, as are its children, in the group and out of it. */
const deaf = (gate: Gate) =>
  `trap '' TERM INT HUP; sleep 60 & setsid sleep 60 & (set -m; sleep 60 &) ; ${gate.here}`;

async function stopped(run: ReturnType<World["start"]>, signals: readonly NodeJS.Signals[] = ["SIGTERM"]) {
  const begun = performance.now();
  for (const [at, signal] of signals.entries()) {
    if (at > 0) await Bun.sleep(ONE_STOP_MS + 100);
    run.kill(signal);
  }
  const result = await finish(run);
  return { ...result, took: performance.now() - begun };
}

describe(`within ${BUDGET} s of STOP_TIMEOUT`, () => {
  test("a pre-hook that ignores SIGTERM is killed with its family, and the post-hook runs", async () => {
    using world = new World();
    const gate = new Gate(world);
    world.restic(`touch '${world.dir}/worked'`);
    world.hook("pre-backup", deaf(gate));
    world.hook("post-backup", 'echo "post $1"');
    const run = world.start("backup", [], options);
    await gate.reached();
    const { code, stdout, took } = await stopped(run);
    expect(code).toBe(143);
    expect(stdout).toContain("post-backup | post 143\n");
    expect(world.has("worked")).toBe(false);
    expect(world.record().hooks[0]).toMatchObject({ exit_code: 137, signal: "SIGKILL", timed_out: false });
    expect(took).toBeLessThan(BUDGET * 1000 + SLACK_MS);
    expect(world.processes()).toEqual([]);
  });

  test("a restic that ignores SIGINT is killed, and the post-hook has time left", async () => {
    using world = new World();
    const gate = new Gate(world);
    world.restic(`trap '' TERM INT HUP; sleep 60 & ${gate.here}`);
    world.hook("post-backup", 'sleep 0.3; echo "post $1"');
    const run = world.start("backup", [], options);
    await gate.reached();
    const { code, stdout, took } = await stopped(run, ["SIGINT"]);
    expect(code).toBe(130);
    expect(stdout).toContain("post-backup | post 130\n");
    expect(world.record()).toMatchObject({
      status: "interrupted",
      signal: "SIGINT",
      hooks: [{ exit_code: 0 }],
    });
    expect(took).toBeGreaterThan(BUDGET * 1000 * 0.5);
    expect(took).toBeLessThan(BUDGET * 1000 + SLACK_MS);
    expect(world.processes()).toEqual([]);
  });

  test("a post-hook that never ends is ended before the budget is", async () => {
    using world = new World();
    const gate = new Gate(world);
    world.restic();
    world.hook("post-backup", deaf(gate));
    const run = world.start("backup", [], options);
    await gate.reached();
    const { code, took } = await stopped(run);
    expect(code).toBe(143);
    expect(world.record()).toMatchObject({
      status: "interrupted",
      exit_code: 143,
      work_exit_code: 0,
      hooks: [{ exit_code: 137, signal: "SIGKILL" }],
    });
    expect(took).toBeGreaterThan(BUDGET * 1000 * 0.8);
    expect(took).toBeLessThan(BUDGET * 1000 + SLACK_MS);
    expect(world.processes()).toEqual([]);
  });
});

describe("a second signal", () => {
  // The share of no phase is over so soon: with the default of 8 s only the second signal can end it.
  const phases: Record<string, (world: World, gate: Gate) => void> = {
    "in a pre-hook": (world, gate) => world.hook("pre-backup", deaf(gate)),
    "in the work": (world, gate) => world.restic(`trap '' TERM INT HUP; sleep 60 & ${gate.here}`),
    "in a post-hook": (world, gate) => world.hook("post-backup", deaf(gate)),
  };
  test.each(Object.keys(phases))("%s ends all at once", async (phase) => {
    using world = new World();
    const gate = new Gate(world);
    world.restic();
    phases[phase]?.(world, gate);
    world.hook("post-backup.d/last", `touch '${world.dir}/last'`);
    const run = world.start("backup", [], { env: { STOP_TIMEOUT: "30" } });
    await gate.reached();
    const { code, took } = await stopped(run, ["SIGTERM", "SIGINT"]);
    expect(code).toBe(143);
    expect(took).toBeLessThan(ONE_STOP_MS + 4000);
    expect(world.record()).toMatchObject({ status: "interrupted", signal: "SIGTERM", exit_code: 143 });
    expect(world.has("last")).toBe(false);
    expect(world.read("log/backup-last.log")).toContain(
      "hooks/post-backup.d/last.sh does not run: the run was stopped by SIGTERM.",
    );
    expect(world.has("lock/backup.run.json")).toBe(false);
    expect(world.processes()).toEqual([]);
  });
});

describe("what comes within two seconds of the first signal belongs to the same stop", () => {
  const pairs: [NodeJS.Signals, NodeJS.Signals][] = [
    ["SIGHUP", "SIGHUP"], // a closed terminal: the kernel's and the shell's
    ["SIGTERM", "SIGTERM"], // systemd's and entry's
    ["SIGINT", "SIGTERM"],
    ["SIGQUIT", "SIGHUP"],
  ];
  test.each(pairs)("%s, %s", async (first, second) => {
    using world = new World();
    const gate = new Gate(world);
    const goodbye = `echo asked >>'${world.dir}/order'; sleep 1; echo clean >>'${world.dir}/order'; exit 130`;
    world.restic(`trap "${goodbye}" INT; ${gate.here}`);
    world.hook("post-backup", `echo "post $RBH_STATUS" >>'${world.dir}/order'`);
    const run = world.start("backup");
    await gate.reached();
    run.kill(first);
    await waitFor(() => world.has("order"), "restic's signal");
    run.kill(second);
    const { stdout, stderr } = await finish(run);
    expect(stderr).toBe("");
    expect(world.read("order")).toBe("asked\nclean\npost interrupted\n");
    expect(world.record()).toMatchObject({ status: "interrupted", signal: first, hooks: [{ exit_code: 0 }] });
    expect(stdout).not.toContain("second signal");
  });

  test("however long the thread that hears them was kept", async () => {
    using world = new World();
    const gate = new Gate(world);
    world.restic(`trap "sleep 3; exit 130" INT; ${gate.here}`);
    world.hook("post-backup", "true");
    const run = world.start("backup");
    await gate.reached();
    run.kill("SIGTERM");
    await waitFor(() => world.read("log/backup-last.log").includes("Told to stop"), "the first signal");
    run.kill("SIGSTOP");
    run.kill("SIGHUP");
    await Bun.sleep(2300);
    run.kill("SIGCONT");
    const { stdout } = await finish(run);
    expect(stdout).not.toContain("second signal");
    expect(world.record()).toMatchObject({
      status: "interrupted",
      signal: "SIGTERM",
      hooks: [{ exit_code: 0 }],
    });
  });

  test("timeout(1), which signals its child and the group", async () => {
    using world = new World();
    world.restic(
      `trap "sleep 1; echo clean >'${world.dir}/order'; exit 130" INT; while :; do sleep 0.02; done`,
    );
    world.hook("post-backup", `echo "post $RBH_STATUS" >>'${world.dir}/order'`);
    const { code } = await world.exec([
      "timeout",
      "1",
      "locked_run",
      "backup",
      "sh",
      "-c",
      "backup; exit $?",
    ]);
    expect(code).toBe(124);
    expect(world.has("lock/backup.run.json")).toBe(false);
    expect(world.read("order")).toBe("clean\npost interrupted\n");
  });
});

describe("a signal that begins no stop does not end a run, and is said", () => {
  const signals = ["SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO"] as const;
  test.each(signals)("%s", async (signal) => {
    using world = new World();
    const gate = new Gate(world);
    world.restic(gate.here);
    const run = world.start("backup");
    await gate.reached();
    run.kill(signal);
    await waitFor(() => world.read("log/backup-last.log").includes(`${signal} came, `), "the word");
    gate.open();
    expect(await finish(run)).toMatchObject({ code: 0, stderr: "" });
    expect(world.record()).toMatchObject({ status: "ok" });
  });
});

test("a run whose parent ignores SIGCHLD hears of its children's ends", async () => {
  using world = new World();
  world.restic();
  world.hook("pre-backup", "exit 3");
  const { code, stderr } = await world.exec(["sh", "-c", "trap '' CHLD; exec backup"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(world.record()).toMatchObject({ status: "ok", hooks: [{ exit_code: 3 }] });
});

test("a SIGHUP that nohup had switched off does not stop a run", async () => {
  using world = new World();
  const gate = new Gate(world);
  world.restic(gate.here);
  const run = Bun.spawn(["sh", "-c", "trap '' HUP; exec backup"], { env: world.env, stdout: "pipe" });
  await gate.reached();
  run.kill("SIGHUP");
  await Bun.sleep(200);
  gate.open();
  expect(await run.exited).toBe(0);
  expect(world.record()).toMatchObject({ status: "ok", exit_code: 0 });
});

test("an odd STOP_TIMEOUT is complained of once, and the default serves", async () => {
  using world = new World();
  const gate = new Gate(world);
  world.restic(`trap '' INT; ${gate.here}`);
  const run = world.start("backup", [], { env: { STOP_TIMEOUT: "soon" } });
  await gate.reached();
  run.kill("SIGTERM");
  await waitFor(() => world.read("log/backup-last.log").includes("STOP_TIMEOUT"), "the complaint");
  await Bun.sleep(300);
  gate.open();
  const { code, stdout } = await finish(run);
  expect(code).toBe(143);
  expect(stdout.match(/STOP_TIMEOUT=soon is not a duration .*; 8 is used\./g)).toHaveLength(1);
});
