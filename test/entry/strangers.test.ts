// A marker is a file that others may be able to write: whatever process it names, entry signals none but its own workers.
import { expect, test } from "bun:test";
import { realpathSync } from "node:fs";
import { endWorkers } from "../../lib/entry/ending.ts";
import type { Log } from "../../lib/log/log.ts";
import { readStat } from "../../lib/process/proc.ts";
import { Stop } from "../../lib/process/stop.ts";
import { alive, World, waitFor } from "../support/world.ts";

const log = { info: () => {}, error: () => {}, warn: () => {} } as unknown as Log;

/** Lets entry's end pass over a marker that names `pid` in every detail. */
async function end(world: World, pid: number, ms: number): Promise<void> {
  const mark = { pid, ticks: readStat(pid)?.ticks, run_id: "x", started_epoch: 1, phase: "work" };
  world.file("lock/backup.run.json", JSON.stringify(mark));
  const until = performance.now() + ms;
  const plan = { lockDir: world.lock, jobs: [], stop: new Stop(() => 0), log, announcement: "" };
  await endWorkers({ ...plan, msLeft: () => until - performance.now() });
}

/** The program that the test runs in stands for ours. */
const WORKER = [process.execPath, "-e", "setTimeout(() => {}, 60_000)"];
const asNobody = ["setpriv", "--reuid=65534", "--clear-groups"];

test("a worker of ours gets SIGTERM", async () => {
  using world = new World();
  const child = Bun.spawn(WORKER, { stdout: "ignore" });
  await end(world, child.pid, 5000);
  expect(await child.exited).toBe(143);
});

test.each([
  ["another program", ["sleep", "60"]],
  ...(process.getuid?.() === 0 ? [["our program as another user", [...asNobody, ...WORKER]] as const] : []),
])("%s is a stranger", async (_, command) => {
  using world = new World();
  const child = Bun.spawn([...command], { stdout: "ignore", env: { ...process.env, HOME: "/tmp" } });
  try {
    const program = realpathSync(Bun.which(command[0] === "setpriv" ? process.execPath : "sleep") ?? "");
    await waitFor(() => realpathSync(`/proc/${child.pid}/exe`) === program, "the program to have begun");
    await end(world, child.pid, 300);
    expect(alive(child.pid)).toBe(true);
  } finally {
    child.kill("SIGKILL");
  }
});

test("entry itself is no worker of its own", async () => {
  using world = new World();
  let signals = 0;
  const count = () => signals++;
  process.on("SIGTERM", count);
  try {
    await end(world, process.pid, 300);
    await Bun.sleep(0);
    expect(signals).toBe(0);
  } finally {
    process.off("SIGTERM", count);
  }
});
