import { expect, test } from "bun:test";
import { createMask } from "../../lib/mask.ts";
import { type ChildEnd, type ChildPlan, runChild } from "../../lib/process/child.ts";
import { openPipe } from "../../lib/process/pipe.ts";
import { collect, onBytes, onLines, writeTo } from "../../lib/process/pump.ts";
import { CannotStart } from "../../lib/process/spawn.ts";
import { alive, World, waitFor } from "../support/world.ts";

const env = { PATH: process.env.PATH };
const mask = createMask({ X_TOKEN: "s3cret-of-some-length" });
const sh = (script: string, plan: Partial<ChildPlan> = {}) =>
  runChild(["/bin/sh", "-c", script], { env, graceMs: 200, ...plan });

test("both streams, each by a reader of its own", async () => {
  const lines: string[] = [];
  const stderr = collect(100);
  const end = await sh("echo one; echo two; echo no >&2; exit 3", {
    stdout: onLines((each) => lines.push(...each), mask),
    stderr,
  });
  expect(lines).toEqual(["one", "two"]);
  expect(stderr.text).toBe("no\n");
  expect(end).toMatchObject({
    code: 3,
    signal: undefined,
    cause: undefined,
    isDrained: true,
    outputBytes: 11,
  });
});

test("both streams through one pipe: in order, masked, and the pipe is closed", async () => {
  using world = new World();
  let text = "";
  const pipe = await openPipe(`${world.dir}/pipe`, env);
  const reader = () => writeTo((lines) => (text += lines), mask);
  await sh("echo 1; echo 2 >&2; echo s3cret-of-some-length; echo 4 >&2", { both: { pipe, reader } });
  expect(text).toBe("1\n2\n***\n4\n");
  expect(await openPipe(`${world.dir}/pipe`, env)).toBeDefined();
});

test("a deaf program is killed after the grace that was asked for", async () => {
  const stdout = collect(100);
  const end = await sh("trap '' TERM; echo ready; while :; do sleep 0.05; done", { stdout, timeoutMs: 300 });
  expect(stdout.text).toBe("ready\n");
  expect(end).toMatchObject({ code: 137, signal: "SIGKILL", cause: "timed out" });
  expect(end.tookMs).toBeWithin(500, 10_000);
});

test("the first cause of its end is the one that is told", async () => {
  const ends: ChildEnd[] = [];
  let seen = "";
  const failing = sh("trap 'echo late' TERM; echo ready; while :; do sleep 0.05; done", {
    stdout: onBytes((bytes) => {
      seen += new TextDecoder().decode(bytes);
      if (seen.includes("late")) throw new Error("the disk is full");
    }),
    timeoutMs: 300,
    graceMs: 500,
    onEnd: (end) => ends.push(end),
  });
  expect(await failing.catch(String)).toBe("Error: the disk is full");
  expect({ seen, causes: ends.map(({ cause }) => cause) }).toEqual({
    seen: "ready\nlate\n",
    causes: ["timed out"],
  });
});

test("a reader that must take everything and cannot: the child is ended, and how it ended is told before", async () => {
  const ends: ChildEnd[] = [];
  const failing = sh("while echo line; do sleep 0.02; done", {
    stdout: onBytes(() => {
      throw new Error("the disk is full");
    }),
    onEnd: (end) => ends.push(end),
  });
  expect(await failing.catch(String)).toBe("Error: the disk is full");
  expect(ends).toMatchObject([{ cause: "consumer failed" }]);
});

test("a reader that need not take everything and fails costs the child nothing", async () => {
  const ends: ChildEnd[] = [];
  const failing = sh("echo line; sleep 0.2; echo more; exit 5", {
    stdout: onLines(() => {
      throw new Error("a bug");
    }, mask),
    onEnd: (end) => ends.push(end),
  });
  expect(await failing.catch(String)).toBe("Error: a bug");
  expect(ends).toMatchObject([{ code: 5, cause: undefined }]);
});

test("what it leaves behind is let go after drainMs, and does not count in its time", async () => {
  using world = new World();
  const pipe = await openPipe(`${world.dir}/pipe`, env);
  let text = "";
  let held = 0;
  const both = { pipe, reader: () => writeTo((lines) => (text += lines), mask), onHeld: () => void held++ };
  const begun = performance.now();
  const end = await sh("sleep 60 & echo $!", { both, drainMs: 700 });
  expect(end).toMatchObject({ code: 0, isDrained: false });
  expect(performance.now() - begun - end.tookMs).toBeGreaterThan(650);
  expect(held).toBe(1);
  const daemon = Number(text);
  expect(alive(daemon)).toBe(true);
  process.kill(daemon, "SIGKILL");
  await waitFor(() => !alive(daemon), "the daemon's end");
});

test("a program that is not there closes the pipe that it was to have", async () => {
  using world = new World();
  const pipe = await openPipe(`${world.dir}/pipe`, env);
  const both = { pipe, reader: () => writeTo(() => {}, mask) };
  const missing = runChild(["no-such-program"], { env, graceMs: 0, both });
  expect(await missing.catch((error) => error instanceof CannotStart)).toBe(true);
  // With a writer left, this pipe would be passed over and another one made.
  const [again, old] = [await openPipe(`${world.dir}/pipe`, env), pipe];
  expect(again?.target).toBe(old?.target);
});
