/** What ends with a hook, and why: its own family and nobody else's, for the first of two reasons. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { copyFileSync } from "node:fs";
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

/** A hook that notes each SIGTERM in the file `asked` and does not end by it. */
const deaf = (it: World) => `trap 'echo asked >>${it.dir}/asked' TERM; while :; do sleep 0.05; done`;

test("the daemon that one hook left on purpose survives the time-out of the next hook of its phase", async () => {
  using it = world();
  const daemon = `${it.lingerer} 600 </dev/null >/dev/null 2>&1 & echo $! >${it.dir}/pid`;
  it.hook("pre-backup.d/10-first", `setsid sh -c '${daemon}'`);
  it.hook("pre-backup.d/20-second", "exec sleep 600");
  const { code, stdout } = await it.run("backup", [], { env: { HOOK_TIMEOUT: "1", HOOK_KILL_AFTER: "1" } });
  expect(code).toBe(0);
  expect(stdout).toContain("hook pre-backup timed out after 1s (exit 124)");
  expect(it.record().hooks.map(({ timed_out }: { timed_out: boolean }) => timed_out)).toEqual([false, true]);
  expect(alive(Number(it.read("pid")))).toBe(true);
});

describe.concurrent("the first reason for which a hook is ended is the one that is told", () => {
  test("a time-out, although the run is told to stop while the hook has its grace", async () => {
    using it = world();
    it.hook("pre-backup", deaf(it));
    const run = it.start("backup", [], {
      env: { HOOK_TIMEOUT: "1", HOOK_KILL_AFTER: "60", STOP_TIMEOUT: "4" },
    });
    await waitFor(() => it.has("asked"), "the time-out");
    run.kill("SIGTERM");
    const { code, stdout } = await finish(run);
    expect(code).toBe(143);
    expect(stdout).toContain("hook pre-backup timed out after 1s (exit 124)");
    expect(stdout).not.toContain("hook pre-backup was stopped");
    expect(it.record().hooks[0]).toMatchObject({ exit_code: 124, timed_out: true });
    expect(it.read("asked")).toBe("asked\n");
  });

  test("a stop, although the hook's time is over before it has ended", async () => {
    using it = world();
    it.hook("pre-backup", `touch ${it.dir}/up; ${deaf(it)}`);
    const run = it.start("backup", [], { env: { HOOK_TIMEOUT: "2", STOP_TIMEOUT: "12" } });
    await waitFor(() => it.has("up"), "the hook");
    run.kill("SIGTERM");
    const { code, stdout } = await finish(run);
    expect(code).toBe(143);
    expect(stdout).toContain("hook pre-backup was stopped after");
    expect(stdout).not.toContain("timed out");
    expect(it.record().hooks[0]).toMatchObject({ exit_code: 137, signal: "SIGKILL", timed_out: false });
    expect(it.record().hooks[0].duration_ms).toBeGreaterThan(2000);
    expect(it.read("asked")).toBe("asked\n");
  });
});
