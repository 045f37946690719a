/** A restic whose answer is larger than any list of snapshots: it is ended, and memory does not grow with it. */

import { expect, setDefaultTimeout, test } from "bun:test";
import { World } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

const MIB = 2 ** 20;
/** More than the bound of 256 MiB, and little enough for a program that had none. */
const PRINTED = 400 * MIB;

test("an answer without end is a failure that says so, and restic is not left at it", async () => {
  using world = new World();
  world.restic(`head -c ${PRINTED} /dev/zero`);
  // The worker is the hook's parent; VmHWM is the most memory that it has ever had.
  world.hook(
    "post-snapshot-export",
    `sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$PPID/status >'${world.dir}/peak'`,
  );
  const { code, stdout, stderr } = await world.run("snapshot-export", ["--output", `${world.dir}/x.tar`]);
  expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
  expect(stdout).toMatch(
    / ERROR snapshot-export {2}restic's answer about .* is longer than 256\.000 MiB\.\n/,
  );
  expect(stdout).not.toContain("cannot be understood");
  expect(world.record("snapshot-export")).toMatchObject({ status: "failed", exit_code: 1 });
  // The answer up to its bound, in MiB, and the program itself; without a bound it would be 450.
  expect(Number(world.read("peak")) / 1024).toBeLessThan(400);
  expect(world.processes()).toEqual([]);
});
