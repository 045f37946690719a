import { expect, test } from "bun:test";
import { ask } from "../../lib/process/child.ts";
import { CannotStart } from "../../lib/process/spawn.ts";
import { Stop } from "../../lib/process/stop.ts";
import { alive, waitFor } from "../support/world.ts";

const stop = new Stop(() => 2000);
const sh = (script: string, timeoutMs = 20_000) =>
  ask(["/bin/sh", "-c", script], { env: { PATH: process.env.PATH }, timeoutMs, stop });

test("what a program says, on either stream, and how it ends", async () => {
  expect(await sh("echo out; echo err >&2; exit 3")).toEqual({
    code: 3,
    signal: undefined,
    cause: undefined,
    stdout: "out\n",
    stderr: "err\n",
  });
});

test("its standard input is empty: nobody is asked for a password", async () => {
  expect((await sh("cat; echo done")).stdout).toBe("done\n");
});

test("what is longer than an answer is read and thrown away", async () => {
  const { code, stdout } = await sh("yes | head -c 20000000");
  expect(code).toBe(0);
  expect(stdout.length).toBe(256 * 1024);
});

test("one that does not answer is ended, with all that it has started", async () => {
  const { cause, stdout } = await sh("trap '' INT TERM; sleep 1000 & echo $!; sleep 1000", 300);
  expect(cause).toBe("timed out");
  const child = Number(stdout);
  expect(child).toBeGreaterThan(0);
  await waitFor(() => !alive(child), "the end of its child");
});

test("a daemon that keeps its output open is not waited for", async () => {
  const begun = performance.now();
  const { code, stdout } = await sh("sleep 30 & echo $!; exit 0");
  expect({ code, soon: performance.now() - begun < 20_000 }).toEqual({ code: 0, soon: true });
  process.kill(Number(stdout), "SIGKILL");
});

test("a program that is not there", async () => {
  const question = { env: { PATH: "/nowhere" }, timeoutMs: 1000, stop };
  await expect(ask(["restic"], question)).rejects.toThrow(CannotStart);
});
