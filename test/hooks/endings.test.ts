/** How a hook ends is a fact: in the log, in the record, and nowhere else. */

import { describe, expect, test } from "bun:test";
import { World } from "../support/world.ts";

async function runPreHook(body: string) {
  using it = new World();
  it.restic("echo restic ran");
  it.hook("pre-backup", body);
  const { code, stdout } = await it.run("backup", [], { env: { HOOK_TIMEOUT: "30" } });
  expect({ code, ran: stdout.includes("restic | restic ran") }).toEqual({ code: 0, ran: true });
  expect(it.record()).toMatchObject({ exit_code: 0, status: "ok" });
  const said = stdout.match(/(\w+) +backup {2}hook pre-backup (?!started)(.*)/);
  return { level: said?.[1], words: said?.[2], hook: it.record().hooks[0] };
}

describe("by exit", () => {
  test.each<[number, RegExp]>([
    [0, /^INFO done in \d\.\ds$/],
    [1, /^ERROR failed in \d\.\ds \(exit 1\); the run goes on\.$/],
    [2, /\(exit 2\);/],
    [75, /\(exit 75\);/],
    [124, /^ERROR failed in \d\.\ds \(exit 124, its own, not a timeout\); the run goes on\.$/],
    [127, /\(exit 127\);/],
    [137, /^ERROR failed in \d\.\ds \(exit 137\);/],
    [143, /^ERROR failed in \d\.\ds \(exit 143\);/],
    [255, /\(exit 255\);/],
  ])("%d", async (exit, words) => {
    const { level, words: said, hook } = await runPreHook(`exit ${exit}`);
    expect(`${level} ${said}`).toMatch(words);
    expect(hook).toMatchObject({ phase: "pre-backup", exit_code: exit, timed_out: false, output_bytes: 0 });
    expect(hook.signal).toBeUndefined();
  });
});

describe("by signal", () => {
  test.each<[string, number]>([
    ["SEGV", 139],
    ["KILL", 137],
    ["TERM", 143],
    ["HUP", 129],
    ["INT", 130],
    ["PIPE", 141],
    ["ABRT", 134],
    ["ALRM", 142],
    ["XFSZ", 153],
  ])("%s", async (name, exit) => {
    const { level, words, hook } = await runPreHook(`kill -${name} $$; sleep 10`);
    expect(`${level} ${words}`).toMatch(
      new RegExp(`^ERROR was killed by SIG${name} \\(exit ${exit}\\) after \\d\\.\\ds; the run goes on\\.$`),
    );
    expect(hook).toMatchObject({ exit_code: exit, signal: `SIG${name}`, timed_out: false });
  });

  test("one without a name", async () => {
    const { level, words, hook } = await runPreHook("kill -40 $$; sleep 10");
    expect(`${level} ${words}`).toMatch(/^ERROR failed in \d\.\ds \(exit 168\)/);
    expect(hook).toMatchObject({ exit_code: 168, timed_out: false });
  });
});

test("a post-hook's end never is the run's", async () => {
  using it = new World();
  it.restic("exit 0");
  it.hook("post-backup", "kill -KILL $$");
  it.hook("post-backup.d/1", "exit 1");
  expect((await it.run("backup")).code).toBe(0);
  expect(it.record()).toMatchObject({
    exit_code: 0,
    status: "ok",
    hooks: [{ signal: "SIGKILL" }, { exit_code: 1 }],
  });
});
