/** What a tick costs: `locked_run backup …` with a restic that does nothing and two hooks of two lines. */

import { join } from "node:path";
import { World } from "../support/world.ts";
import { peakOf } from "./memory.ts";
import { compare } from "./paired.ts";
import { countProcesses } from "./processes.ts";
import { hello, least } from "./programs.ts";
import type { Row } from "./report.ts";

const ROUNDS = 150;

/**
 * What we would like, and what must not be exceeded. The goal is out of reach with Bun 1.4.5 on the machines that we
 * know: a program that only takes the lock, runs two hooks and a restic, and writes a log and a record (least.ts) needs
 * about that much already; the row "the least tick in Bun" says how much.
 */
const TICK_BOUNDS = { goal: 2.5, limit: 5 };

export async function tick(): Promise<Row[]> {
  using world = new World();
  world.restic();
  world.hook("pre-backup", 'echo "pre $RBH_WORKER"\nexit 0');
  world.hook("post-backup", 'echo "post $1"\nexit 0');
  const lock = join(world.lock, "backup.lock");
  const ours = [world.link("locked_run"), "backup", lock, world.link("backup")];
  const floor = ["flock", "-n", join(world.lock, "floor.lock"), "sh", "-c", floorOf(world)];
  const { env } = world;
  const hook = (phase: string) => join(world.hooks, `${phase}-backup.sh`);
  const [bare, leastTick, tick, hand] = await compare(
    [
      { name: "bare start", command: [await hello()], env },
      { name: "least", command: [await least(), world.log, hook("pre"), hook("post")], env },
      { name: "tick", command: ours, env },
      { name: "by hand", command: floor, env },
    ],
    ROUNDS,
  );
  if (!bare || !leastTick || !tick || !hand) throw new Error("nothing was measured");
  const counts = countProcesses(ours, env);
  const floorCounts = countProcesses(floor, env);
  return [
    {
      what: "tick, two hooks: wall",
      ours: tick.wallMs,
      floor: bare.wallMs,
      against: "a bare Bun start",
      unit: "ms",
      ...TICK_BOUNDS,
    },
    {
      what: "tick, two hooks: CPU",
      ours: tick.cpuMs,
      floor: bare.cpuMs,
      against: "a bare Bun start",
      unit: "ms",
      ...TICK_BOUNDS,
    },
    {
      what: "the least tick in Bun: wall",
      ours: leastTick.wallMs,
      floor: bare.wallMs,
      against: "a bare Bun start",
      unit: "ms",
    },
    {
      what: "tick, two hooks: wall",
      ours: tick.wallMs,
      floor: leastTick.wallMs,
      against: "the least tick in Bun",
      unit: "ms",
    },
    {
      what: "tick, two hooks: wall",
      ours: tick.wallMs,
      floor: hand.wallMs,
      against: "flock + sh by hand",
      unit: "ms",
    },
    {
      what: "tick, two hooks: peak memory",
      ours: peakOf(ours, env),
      floor: peakOf([await hello()], env),
      against: "a bare Bun start",
      unit: "MiB",
    },
    {
      what: "tick, two hooks: forks",
      ours: counts.forks,
      floor: floorCounts.forks,
      against: "flock + sh by hand",
      unit: "",
    },
    {
      what: "tick, two hooks: execs",
      ours: counts.execs,
      floor: floorCounts.execs,
      against: "flock + sh by hand",
      unit: "",
    },
  ];
}

const floorOf = ({ hooks }: World) =>
  `${hooks}/pre-backup.sh; timeout 300 restic; code=$?; ${hooks}/post-backup.sh $code; exit $code`;
