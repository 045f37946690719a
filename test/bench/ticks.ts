/** What the other ticks cost: one without hooks, and one that finds its lock held and goes home. */

import { join } from "node:path";
import { World, waitFor } from "../support/world.ts";
import { compare, type Measure } from "./paired.ts";
import { hello } from "./programs.ts";
import type { Row } from "./report.ts";

const ROUNDS = 150;
/** What we have seen on a quiet machine, and room for a busier one. */
const LIMITS = { plain: { wall: 4.4, cpu: 4.4 }, busy: { wall: 3, cpu: 3 } };

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
      ...rows("tick, no hooks", plain, bare, LIMITS.plain),
      ...rows("tick, lock busy", busy, bare, LIMITS.busy),
    ];
  } finally {
    holder.kill();
    await holder.exited;
  }
}

function rows(what: string, ours: Measure, bare: Measure, limits: { wall: number; cpu: number }): Row[] {
  const row = { against: "a bare Bun start", unit: "ms" };
  return [
    { ...row, what: `${what}: wall`, ours: ours.wallMs, floor: bare.wallMs, limit: limits.wall },
    { ...row, what: `${what}: CPU`, ours: ours.cpuMs, floor: bare.cpuMs, limit: limits.cpu },
  ];
}
