/** What a hook leaves running on purpose: it holds nothing up, and goes on. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { alive, World, waitFor } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

/** A world whose hook leaves behind a daemon that counts in the file `count` and says so on its stdout. */
function world(phase: string, start = "daemon &"): World {
  const it = new World();
  it.restic("echo restic ran");
  it.program(
    "daemon",
    `n=0; while :; do n=$((n+1)); echo "count $n" || exit; echo $n > ${it.dir}/count; sleep 0.05; done`,
  );
  it.hook(phase, `echo before; ${start} echo $! > ${it.dir}/pid; echo after`);
  return it;
}

const count = (it: World) => (it.has("count") ? Number(it.read("count")) : 0);

describe("a daemon that keeps the hook's stdout", () => {
  test.each(["pre-backup", "post-backup"])(
    "of %s holds up neither the run nor the lock, and goes on printing",
    async (phase) => {
      using it = world(phase);
      const begun = performance.now();
      const { code, stdout } = await it.run("backup");
      expect(code).toBe(0);
      // A second to drain what it prints, and time to start and end.
      expect(performance.now() - begun).toBeLessThan(5000);
      expect(stdout).toContain(`${phase} | before\n`);
      expect(stdout).toContain(`${phase} | after\n`);
      expect(stdout).toContain(
        `hook ${phase} left a process behind that still holds its output; it is left alive.`,
      );
      expect(it.record().hooks[0]).toMatchObject({ exit_code: 0, timed_out: false });
      // Its time is that of the hook itself, not of what it left.
      expect(it.record().hooks[0].duration_ms).toBeLessThan(1000);
      expect((await it.exec(["flock", "-n", `${it.lock}/backup.lock`, "true"])).code).toBe(0);

      const pid = Number(it.read("pid"));
      const then = count(it);
      await waitFor(() => count(it) > then + 10, "the daemon to go on printing");
      expect(alive(pid)).toBe(true);
    },
  );

  test("is not in the way of the next runs, whose daemons neither know each other", async () => {
    using it = world("pre-backup");
    const pids: number[] = [];
    for (let run = 0; run < 3; run++) {
      const { code, stdout } = await it.run("backup");
      expect({ code, ran: stdout.includes("restic | restic ran\n") }).toEqual({ code: 0, ran: true });
      expect(stdout).toContain("pre-backup | count 1\n");
      pids.push(Number(it.read("pid")));
    }
    expect(pids.map(alive)).toEqual([true, true, true]);
  });

  test("survives although it is silent until the run is long over, and prints more than a pipe holds", async () => {
    using it = new World();
    it.restic();
    it.program(
      "daemon",
      `until [ -e ${it.dir}/go ]; do sleep 0.05; done; seq 200000 && echo survived > ${it.dir}/end`,
    );
    it.hook("pre-backup", "daemon &");
    expect((await it.run("backup")).code).toBe(0);
    it.file("go", "");
    expect(await waitFor(() => it.has("end") && it.read("end"), "the daemon's end")).toBe("survived\n");
  });

  test("its reader ends when it ends", async () => {
    using it = new World();
    it.restic();
    it.hook("pre-backup", `sleep 1.5 & echo $! > ${it.dir}/pid`);
    await it.run("backup");
    const pipe = `${it.lock}/backup.pipe`;
    const readers = () => it.processes().filter((pid) => targetOf(pid, 0) === pipe);
    await waitFor(() => !alive(Number(it.read("pid"))), "the end of sleep");
    await waitFor(() => readers().length === 0, "the end of its reader");
    // And the pipe serves the next run.
    expect((await it.run("backup")).code).toBe(0);
  });
});

test("a daemon that has closed its streams costs no second", async () => {
  using it = world("pre-backup", "daemon >/dev/null 2>&1 &");
  const { stdout } = await it.run("backup");
  expect(stdout).not.toContain("left a process behind");
  expect(stdout).toContain("pre-backup | after\n");
  const then = count(it);
  await waitFor(() => count(it) > then, "the daemon to go on");
});

test("locked_run: the daemon does not hold its lock either", async () => {
  using it = world("pre-backup");
  expect((await it.run("locked_run", ["backup", "backup"])).code).toBe(0);
  expect((await it.exec(["flock", "-n", `${it.lock}/backup.lock`, "true"])).code).toBe(0);
  const pid = Number(it.read("pid"));
  expect(existsSync(`/proc/${pid}/fd/3`)).toBe(false);
  expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toContain("daemon");
  expect((await it.run("locked_run", ["backup", "backup"])).stdout).not.toContain("skipped");
});

function targetOf(pid: number, fd: number): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    // It has ended.
    return "";
  }
}
