// The lock file and its folder, meddled with while a run is alive: two runs must not overlap, and no lock goes stale.
import { expect } from "bun:test";
import { chmodSync, mkdirSync, renameSync, rmSync, truncateSync } from "node:fs";
import { guarded } from "../support/guarded.ts";
import { modest } from "../support/modest.ts";
import type { World } from "../support/world.ts";
import { fault } from "./fault.ts";
import { waitForPeace } from "./peace.ts";

interface Meddling {
  readonly injected: string;
  readonly promised: string;
  readonly meddle: (world: World) => void;
  /** What a second and a third run come to meanwhile. */
  readonly code: number;
  readonly says: (first: number) => string;
  /** So that the next run meets ordinary surroundings. */
  readonly mend?: (world: World) => void;
  /** The worker's user may not do what root may. */
  readonly modest?: true;
}

const path = (world: World) => `${world.lock}/backup.lock`;
const skipped = (first: number) => `backup skipped: previous run still active (pid ${first} since `;
const NEVER_TWO = "no second run begins; the first ends right";

const meddlings: Meddling[] = [
  {
    injected: "the lock file is deleted in mid-run",
    promised: NEVER_TWO,
    meddle: (world) => rmSync(path(world)),
    code: 75,
    says: skipped,
  },
  {
    injected: "the lock file is replaced in mid-run",
    promised: NEVER_TWO,
    meddle: (world) => {
      world.file("other", "");
      renameSync(`${world.dir}/other`, path(world));
    },
    code: 75,
    says: skipped,
  },
  {
    injected: "the lock file is emptied in mid-run",
    promised: "no second run begins, and the first is named all the same",
    meddle: (world) => truncateSync(path(world)),
    code: 75,
    says: skipped,
  },
  {
    injected: "a folder takes the lock file's place in mid-run",
    promised: "no second run begins; it fails and names the folder",
    meddle: (world) => {
      rmSync(path(world));
      mkdirSync(path(world));
    },
    code: 1,
    says: () => "backup.lock cannot be taken: it is a directory",
    mend: (world) => rmSync(path(world), { recursive: true }),
  },
  {
    injected: "the lock file is made unwritable in mid-run",
    promised: "no second run begins; it fails and names the file",
    meddle: (world) => chmodSync(path(world), 0o444),
    code: 1,
    says: () => "backup.lock cannot be taken: permission denied",
    mend: (world) => chmodSync(path(world), 0o644),
    modest: true,
  },
  {
    injected: "LOCK_DIR is removed in mid-run",
    promised: NEVER_TWO,
    meddle: (world) => rmSync(world.lock, { recursive: true }),
    code: 75,
    says: (first) => `previous run still active (pid unknown, backup with pid ${first}, `,
  },
  {
    injected: "LOCK_DIR is removed and made anew in mid-run",
    promised: NEVER_TWO,
    meddle: (world) => {
      rmSync(world.lock, { recursive: true });
      mkdirSync(world.lock);
    },
    code: 75,
    says: (first) => `previous run still active (pid unknown, backup with pid ${first}, `,
  },
];

for (const { injected, promised, meddle, code, says, mend, ...how } of meddlings) {
  fault({ injected, promised }, async (world) => {
    const gate = guarded(world);
    const command = how.modest ? modest([`${world.bin}/backup`]) : ["backup"];
    const first = world.exec(command);
    await gate.reached();
    const pid = JSON.parse(world.read("lock/backup.run.json")).pid;
    meddle(world);
    for (let more = 0; more < 2; more++) {
      const second = await world.exec(command);
      expect(second).toEqual({ code, stdout: expect.stringContaining(says(pid)), stderr: "" });
    }
    gate.open();
    expect(await first).toMatchObject({ code: 0, stderr: "" });
    expect(world.has("overlaps")).toBe(false);
    mend?.(world);
    return `two more runs: exit ${code}; the first: exit 0, status ${world.record().status}`;
  });

  if (code !== 75 || injected.includes("emptied")) continue;
  const worse = `${injected}, then the run is killed while restic goes on`;
  fault({ injected: worse, promised: "no run begins until restic has ended" }, async (world) => {
    const gate = guarded(world);
    const first = world.start("backup");
    const restic = await gate.reached();
    meddle(world);
    first.kill("SIGKILL");
    await first.exited;
    for (let more = 0; more < 2; more++) {
      const { code, stdout } = await world.run("backup");
      expect({ code, stdout }).toEqual({ code, stdout: expect.stringContaining(`with pid ${restic}`) });
      expect(code).toBe(75);
    }
    gate.open();
    await waitForPeace(world);
    expect(world.has("overlaps")).toBe(false);
    return "two more runs: exit 75, naming restic and its pid";
  });
}
