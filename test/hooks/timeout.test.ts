/** A hook that takes too long: asked to end, then killed, with all that it has started; the backup runs. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync, readFileSync } from "node:fs";
import { alive, finish, World, waitFor } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

/** A world with a fake restic and `lingerer`, a sleep(1) that can be told from all others by its path. */
function world(): World & { lingerer: string } {
  const it = new World();
  it.restic("echo restic ran");
  const lingerer = `${it.bin}/lingerer`;
  copyFileSync(Bun.which("sleep") ?? "", lingerer);
  return Object.assign(it, { lingerer });
}

/** Pids of what a hook of this world has started. */
const lingering = (it: World) =>
  it.processes().filter((pid) => commandOf(pid).includes(it.dir) && alive(pid));

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    // It has just ended.
    return "";
  }
}

test("the log tells a time-out, the record too, and the life goes on", async () => {
  using it = world();
  it.hook("pre-backup", "echo waiting; exec sleep 600");
  it.hook("post-backup", "echo post $1");
  const { code, stdout, stderr } = await it.run("backup", [], { env: { HOOK_TIMEOUT: "1" } });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/ERROR backup {2}hook pre-backup timed out after 1s \(exit 124\)/);
  expect(stdout).toContain("restic | restic ran\n");
  expect(stdout).toContain("post-backup | post 0\n");
  const [pre, post] = it.record().hooks;
  expect(pre).toMatchObject({ exit_code: 124, timed_out: true, output_bytes: "waiting\n".length });
  expect(pre.signal).toBeUndefined();
  expect(pre.duration_ms).toBeGreaterThanOrEqual(1000);
  expect(post).toMatchObject({ exit_code: 0, timed_out: false });
});

test("a post-hook's time-out leaves the exit code as it is", async () => {
  using it = world();
  it.restic("exit 3");
  it.hook("post-backup", "exec sleep 600");
  const { code, stdout } = await it.run("backup", [], { env: { HOOK_TIMEOUT_POST_BACKUP: "1" } });
  expect(code).toBe(3);
  expect(stdout).toContain("hook post-backup timed out after 1s (exit 124)");
  expect(it.record()).toMatchObject({
    exit_code: 3,
    status: "warning",
    hooks: [{ exit_code: 124, timed_out: true }],
  });
});

test("a hook within its time is left alone, another phase's limit is not its own", async () => {
  using it = world();
  it.hook("pre-backup", "sleep 1.3; echo in time");
  const env = { HOOK_TIMEOUT: "1", HOOK_TIMEOUT_PRE_BACKUP: "30", HOOK_TIMEOUT_POST_BACKUP: "1" };
  expect((await it.run("backup", [], { env })).stdout).toContain("pre-backup | in time\n");
  expect(it.record().hooks[0]).toMatchObject({ exit_code: 0, timed_out: false });
});

describe.concurrent("HOOK_KILL_AFTER", () => {
  test.each([0, 1, 3])(
    "%d: a hook that ignores SIGTERM is killed so many seconds after it",
    async (grace) => {
      using it = world();
      it.hook("pre-backup", `trap 'date +%s.%N > ${it.dir}/asked' TERM; while :; do sleep 0.05; done`);
      const env = { HOOK_TIMEOUT: "1", HOOK_KILL_AFTER: String(grace) };
      const { code, stdout } = await it.run("backup", [], { env });
      expect(code).toBe(0);
      expect(stdout).toContain("hook pre-backup timed out after 1s (exit 124)");
      const { duration_ms } = it.record().hooks[0];
      expect(duration_ms).toBeGreaterThanOrEqual((1 + grace) * 1000);
      expect(duration_ms).toBeLessThan((1 + grace) * 1000 + 3000);
      if (grace > 0) expect(it.has("asked")).toBe(true);
      expect(lingering(it)).toEqual([]);
    },
  );

  test("a hook that cleans up on SIGTERM may do so, and nobody waits longer than it", async () => {
    using it = world();
    it.hook("pre-backup", "trap 'sleep 0.5; echo cleaned up; exit 7' TERM; sleep 600 & wait");
    const { stdout } = await it.run("backup", [], { env: { HOOK_TIMEOUT: "1", HOOK_KILL_AFTER: "30" } });
    expect(stdout).toContain("pre-backup | cleaned up\n");
    expect(it.record().hooks[0]).toMatchObject({ exit_code: 124, timed_out: true });
    expect(it.record().hooks[0].duration_ms).toBeLessThan(15_000);
  });
});

describe.concurrent("nothing of it lives on", () => {
  const DEAF = 'trap "" TERM HUP INT;';
  test.each<[string, string]>([
    ["a child", "$L 600 & wait"],
    ["a deaf child", `${DEAF} $L 600 & wait`],
    ["a child under timeout(1), which makes a group of its own", "timeout 600 $L 601 & wait"],
    ["a deaf one under timeout(1)", `${DEAF} timeout 600 $L 601 & wait`],
    ["a job of a shell with set -m", "set -m; $L 600 & wait"],
    ["a child in a session of its own", "setsid $L 600 & wait"],
    ["a deaf child in a session of its own", `${DEAF} setsid $L 600 & wait`],
    [
      "a daemon: two forks and a session, its streams closed",
      "(setsid sh -c '$L 600 &' <&- >&- 2>&- &); sleep 600",
    ],
    ["a deaf daemon", `${DEAF} (setsid sh -c '$L 600 &' </dev/null >/dev/null 2>&1 &); sleep 600`],
    ["a daemon without our environment, but with our stdout", "(setsid env -i $L 600 &); sleep 600"],
    ["a child without our environment and stdout", "setsid env -i $L 600 >&- 2>&- & wait"],
    [
      "a stopped child",
      '$L 600 & until [ "$(readlink /proc/$!/exe)" = "$L" ]; do :; done; kill -STOP $!; wait',
    ],
    ["children of children", "sh -c 'sh -c \"setsid $L 600; :\" & $L 601; :' & wait"],
    [
      "what outlives a hook that ends at SIGTERM",
      `trap 'exit 0' TERM; (${DEAF} exec $L 600) & sleep 600 & wait`,
    ],
  ])("%s", async (_, body) => {
    using it = world();
    it.hook("pre-backup", `export L=${it.lingerer}\n${body}`);
    // On a busy machine it is seconds until the child is up, and until we look.
    const child = it.start("backup", [], { env: { HOOK_TIMEOUT: "6", HOOK_KILL_AFTER: "1" } });
    const result = finish(child);
    const isUp = () => lingering(it).some((pid) => commandOf(pid).startsWith(it.lingerer));
    await waitFor(isUp, "the hook's child", 20_000);
    const { code, stdout } = await result;
    expect(lingering(it)).toEqual([]);
    expect(code).toBe(0);
    expect(stdout).toContain("hook pre-backup timed out after 6s (exit 124)");
    expect(stdout).not.toContain("left alive");
    expect(stdout).toContain("restic | restic ran\n");
  });

  test("and a daemon is asked before it is killed", async () => {
    using it = world();
    const polite = `trap 'echo asked > ${it.dir}/asked; exit' TERM; touch ${it.dir}/up; while :; do sleep 0.05; done`;
    it.program("daemon", polite);
    it.hook("pre-backup", "(setsid daemon >/dev/null 2>&1 &); sleep 600");
    const result = it.run("backup", [], { env: { HOOK_TIMEOUT: "6", HOOK_KILL_AFTER: "20" } });
    await waitFor(() => it.has("up"), "the daemon", 20_000);
    expect((await result).code).toBe(0);
    expect(it.read("asked")).toBe("asked\n");
    expect(it.record().hooks[0].duration_ms).toBeLessThan(15_000);
  });
});
