/** The musl build among busybox's programs, as in alpine.test.ts: its lock, its stop, its end by SIGKILL. */

import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { Container, canEnter, useAlpine } from "./support/container.ts";
import { waitFor } from "./support/world.ts";

const locksOf = (it: Container) => readdirSync(`${it.root}/repository/locks`);
const lines = (text: string) => text.trimEnd().split("\n");

describe.skipIf(!canEnter || !useAlpine)("musl and busybox (needs root, tini and ../shared/alpine)", () => {
  test.each(["/usr/bin/flock", "/opt/util-linux/flock"])("6: one run at a time, with %s", async (flock) => {
    using it = await Container.idle();
    await it.exec("ln", "-sf", flock, "/usr/local/sbin/flock");
    it.restic("echo run >>/runs; [ ! -e /slow ] || until [ -e /go ]; do sleep 0.05; done");
    // Fifty ticks at once, started in both ways: one run, and the others are skipped.
    it.file("slow", "");
    const ticks = `i=0; while [ $i -lt 25 ]; do
      { backup >/dev/null; echo $? >>/codes; } & { locked_run backup backup >/dev/null; echo $? >>/codes; } & i=$((i+1)); done
      until [ "$(grep -c . /codes)" -ge 49 ]; do sleep 0.1; done; touch /go; wait`;
    it.file("codes", "");
    expect((await it.exec("sh", "-c", ticks)).code).toBe(0);
    expect(lines(it.read("runs"))).toEqual(["run"]);
    const codes = lines(it.read("codes"));
    expect(codes.length).toBe(50);
    expect(codes.filter((code) => code === "75").length).toBeGreaterThanOrEqual(24);
    expect(codes.every((code) => code === "75" || code === "0")).toBe(true);
    // A foreign command under the lock: its exit code, and a signal.
    expect((await it.exec("locked_run", "backup", "sh", "-c", "exit 42")).code).toBe(42);
    const killed =
      "locked_run job sh -c 'touch /up; exec sleep 60' & until [ -e /up ]; do sleep 0.05; done; kill $!; wait $!; echo $?";
    expect((await it.exec("sh", "-c", killed)).stdout).toBe("143\n");
  });

  test.each([
    ["a pre-hook", "pre-backup", "143 interrupted"],
    ["the work, with real restic", "work", "143 interrupted"],
    ["a post-hook", "post-backup", "0 ok"],
  ])("7: SIGTERM during %s: no lock is left, the post-hook ran", async (_, phase, told) => {
    using it = await Container.idle();
    const wait = "touch /here; sleep 2";
    it.hook("pre-backup", phase === "pre-backup" ? wait : ":");
    it.hook("post-backup", `echo "$1 $RBH_STATUS" >/post\n${phase === "post-backup" ? wait : ":"}`);
    if (phase === "work")
      await it.exec("sh", "-c", "dd if=/dev/urandom of=/data/random bs=1M count=20 2>/dev/null");
    else it.restic("exit 0");
    const here =
      phase === "work"
        ? '[ "$(ls /repository/locks)" ] && [ "$(find /repository/data -type f)" ]'
        : "[ -e /here ]";
    const stop = `backup & until ${here}; do sleep 0.05; done; kill $!; wait $!; echo "exit $?"`;
    const { stdout } = await it.exec("env", "RESTIC_JOB_ARGS=--limit-upload 500", "sh", "-c", stop);
    expect(stdout).toEndWith("exit 143\n");
    expect({ post: it.read("post"), locks: locksOf(it) }).toEqual({ post: `${told}\n`, locks: [] });
    expect(it.record()).toMatchObject({ exit_code: 143, status: "interrupted", signal: "SIGTERM" });
    expect(it.processes().filter(({ words }) => /restic.*backup|sleep 2/.test(words))).toEqual([]);
  });

  test("8: a run after one that was killed reports it", async () => {
    using it = await Container.idle();
    it.restic("touch /here; sleep 1");
    const kill = "backup >/dev/null & until [ -e /here ]; do sleep 0.05; done; kill -9 $!; wait $!; echo $?";
    expect((await it.exec("sh", "-c", kill)).stdout).toBe("137\n");
    // restic still holds the lock: it is not overtaken.
    expect((await it.exec("backup")).code).toBe(75);
    await waitFor(() => !it.processes().some(({ words }) => words === "sleep 1"), "the end of restic");
    it.restic("exit 0");
    const { code, stdout } = await it.exec("backup");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /WARN {2}backup {2}The run before this one died without a record: run backup-\S+, pid \d+, .* phase work/,
    );
    const history = lines(it.read("var/log/history.jsonl")).map((line) => JSON.parse(line).status);
    expect(history).toEqual(["skipped", "died", "ok"]);
  });
});
