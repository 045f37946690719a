/** What the other ticks cost: one without hooks, and one that finds its lock held and goes home. */

import { join } from "node:path";
import { World, waitFor } from "../support/world.ts";
import { compare } from "./paired.ts";
import { hello } from "./programs.ts";
import { type Row, times } from "./report.ts";

const ROUNDS = 150;
/** What we want to see on a quiet machine, and what must not be exceeded on a busier one. */
const BOUNDS = { plain: { goal: 3.3, limit: 4.4 }, busy: { limit: 3 } };

export async function ticks(): Promise<Row[]> {
  using world = new World();
  using other = new World();
  world.restic();
  // Another run has the lock: its restic goes on until we are done.
  other.restic(`echo >${other.dir}/running; exec sleep 600`);
  const tick = (at: World) => [
    at.link("locked_run"),
    "backup",
    join(at.lock, "backup.lock"),
    at.link("backup"),
  ];
  const holder = Bun.spawn(tick(other), { env: other.env, stdio: ["ignore", "ignore", "inherit"] });
  try {
    await waitFor(() => other.has("running"), "the run that holds the lock");
    const [bare, plain, busy] = await compare(
      [
        { name: "bare start", command: [await hello()], env: world.env },
        { name: "no hooks", command: tick(world), env: world.env },
        { name: "lock busy", command: tick(other), env: other.env },
      ],
      ROUNDS,
    );
    if (bare === undefined || plain === undefined || busy === undefined)
      throw new Error("nothing was measured");
    return [
      ...times("tick, no hooks", plain, bare, "a bare Bun start", BOUNDS.plain, {
        limit: BOUNDS.plain.limit,
      }),
      ...times("tick, lock busy", busy, bare, "a bare Bun start", BOUNDS.busy),
    ];
  } finally {
    holder.kill();
    await holder.exited;
  }
}
