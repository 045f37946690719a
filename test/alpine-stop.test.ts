/** The musl build among busybox's programs, as in alpine.test.ts: what is one stop, what is none, and what it reaches. */

import { describe, expect, test } from "bun:test";
import { Container, canEnter, useAlpine } from "./support/container.ts";

/** Asked by SIGINT it takes a second, as restic does for its lock. */
const POLITE = `case $1 in backup) ;; *) exit 0 ;; esac
  trap 'echo asked >>/order; sleep 1; echo clean >>/order; exit 130' INT; touch /up; while :; do sleep 0.05; done`;
const ORDER = "asked\nclean\npost interrupted\n";
const up = "until [ -e /up ]; do sleep 0.05; done";

describe.skipIf(!canEnter || !useAlpine)("musl and busybox (needs root, tini and ../shared/alpine)", () => {
  test.each([
    ["two signals", `backup & ${up}; kill -HUP $!; sleep 0.3; kill -HUP $!; wait $!; echo $?`, "129"],
    [
      "a signal that means nothing before it",
      `backup & ${up}; kill -USR1 $!; kill -ALRM $!; sleep 0.3; kill $!; wait $!; echo $?`,
      "143",
    ],
    [
      "locked_run's, of a shell",
      `locked_run backup sh -c 'backup; true' & ${up}; kill $!; wait $!; echo $?`,
      "143",
    ],
    ["busybox timeout's", "timeout 1 locked_run backup sh -c 'backup; true'; echo $?", "143"],
  ])("%s: one stop, and the post-hook runs after restic", async (_, script, code) => {
    using it = await Container.idle();
    it.restic(POLITE);
    it.hook("post-backup", "echo post $RBH_STATUS >>/order");
    const { stdout } = await it.exec("sh", "-c", script);
    expect(stdout.trimEnd().split("\n").at(-1)).toBe(code);
    // busybox's timeout does not wait for what it has ended.
    expect(
      (await it.exec("sh", "-c", "while [ -e /var/run/backup.run.json ]; do sleep 0.05; done")).code,
    ).toBe(0);
    expect(it.read("order")).toBe(ORDER);
    expect(it.record()).toMatchObject({ status: "interrupted" });
  });

  test("SIGCHLD ignored by the parent, a leftover under the lock, HOOKS_DIR a loop of links", async () => {
    using it = await Container.idle();
    it.restic("exit 0");
    const ran = await it.exec("sh", "-c", "trap '' CHLD; exec backup");
    expect({ code: ran.code, stderr: ran.stderr }).toEqual({ code: 0, stderr: "" });
    expect(
      (await it.exec("sh", "-c", "locked_run backup sh -c 'sleep 60 & backup' >/dev/null 2>&1")).code,
    ).toBe(0);
    expect((await it.exec("flock", "-n", "/var/run/backup.lock", "echo", "free")).stdout).toBe("free\n");
    const looped = await it.exec("sh", "-c", "ln -s loop /loop; HOOKS_DIR=/loop backup");
    expect(looped.code).toBe(0);
    expect(looped.stdout).toContain("A link on the way to it leads back to itself: remove that link.");
    expect(looped.stdout).not.toContain("This is a bug");
  });
});
