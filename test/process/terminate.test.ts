/** How a process and all that it has started are killed. */

import { expect, test } from "bun:test";
import { terminate } from "../../lib/process/supervise.ts";
import { alive } from "../support/world.ts";

/** A process that only SIGKILL ends, in a session of its own, with this mark in its environment. */
function member(mark: string): number {
  const child = Bun.spawn(["/bin/sh", "-c", "trap '' TERM INT HUP; while :; do sleep 0.05; done"], {
    env: { PATH: process.env.PATH, RBH_TEST_MARK: mark },
    detached: true,
  });
  return child.pid;
}

test("what joins the family while it is killed is killed too", async () => {
  const mark = `terminate-${process.pid}`;
  const first = member(mark);
  // Without grace the first round of SIGKILL is over when the call returns; what is forked in that instant survives it.
  const ending = terminate(
    { leader: first, marks: [`RBH_TEST_MARK=${mark}`] },
    { first: "SIGTERM", msLeft: () => 0 },
  );
  const second = member(mark);
  expect(alive(second)).toBe(true);
  expect(await ending).toEqual({ forced: true });
  const survivors = [first, second].filter(alive);
  for (const pid of survivors) process.kill(-pid, "SIGKILL");
  expect(survivors).toEqual([]);
});
