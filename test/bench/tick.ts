/** What a tick costs: `locked_run backup …` with a restic that does nothing and two hooks of two lines. */

import { join } from "node:path";
import { World } from "../support/world.ts";
import { both, ownMemory, peakOf, peaksOf, tellOfParent } from "./memory.ts";
import { compare } from "./paired.ts";
import { countProcesses } from "./processes.ts";
import { floor, hello, least } from "./programs.ts";
import { cpuRow, type Row, wallRow } from "./report.ts";

const ROUNDS = 150;

/**
 * What we want to see on a quiet machine, and what must not be exceeded on a busy one. Below 2.5 it cannot be with Bun
 * 1.4.5: that is what a program costs that loads our modules and starts the same four children (floor.ts).
 */
const TICK_BOUNDS = { goal: 4.1, limit: 5 };

const BASH = join(import.meta.dir, "bash-tick");

export async function tick(): Promise<Row[]> {
  using world = new World();
  world.restic();
  const hooks = ["pre", "post"].map((phase) => world.hook(`${phase}-backup`, `echo "${phase} $1"\nexit 0`));
  const { env } = world;
  const ours = [world.link("locked_run"), "backup", join(world.lock, "backup.lock"), world.link("backup")];
  const byHand = ["flock", "-n", join(world.lock, "floor.lock"), "sh", "-c", byHandOf(world)];
  const bash = [BASH, join(world.lock, "bash.lock"), world.log, world.hooks];
  const [bare, modules, leastTick, tick, hand, inBash] = await compare(
    [
      { name: "bare start", command: [await hello()], env },
      { name: "floor", command: [await floor(), world.log, ...hooks], env },
      { name: "least", command: [await least(), world.log, ...hooks], env },
      { name: "tick", command: ours, env },
      { name: "by hand", command: byHand, env },
      { name: "bash", command: bash, env },
    ],
    ROUNDS,
  );
  if (!bare || !modules || !leastTick || !tick || !hand || !inBash) throw new Error("nothing was measured");
  const what = "tick, two hooks";
  const start = "a bare Bun start";
  return [
    wallRow(what, tick, bare, start, TICK_BOUNDS),
    cpuRow(what, tick, bare, start, { limit: TICK_BOUNDS.limit }),
    wallRow("our modules and four children, less is not possible", modules, bare, start),
    wallRow("the least tick in Bun", leastTick, bare, start),
    wallRow(what, tick, leastTick, "the least tick in Bun"),
    wallRow(what, tick, hand, "flock + sh by hand"),
    wallRow(what, tick, inBash, "a system in bash"),
    cpuRow(what, tick, inBash, "a system in bash"),
    ...processRows(what, ours, byHand, "flock + sh by hand", env),
    ...processRows(what, ours, bash, "a system in bash", env),
    ...memoryRows(what, ours, await hello(), world),
  ];
}

/** Resident memory at its peak, and what is the process's own while its last hook runs. */
function memoryRows(what: string, ours: readonly string[], bare: string, world: World): Row[] {
  const row = { against: "a bare Bun start", unit: "MiB" };
  const { env } = world;
  const told = join(world.dir, "status");
  const peak = { ...peaksOf(ours, env), floor: peakOf([bare], env) };
  world.hook("post-backup", tellOfParent(told));
  const own = both(ours, (command) => {
    Bun.spawnSync([...command], { env });
    return ownMemory(told);
  });
  Bun.spawnSync(["sh", "-c", `${bare} status >'${told}'`]);
  return [
    { ...row, what: `${what}: peak memory (RSS)`, ...peak },
    { ...row, what: `${what}: own memory (RssAnon)`, ...own, floor: ownMemory(told) },
  ];
}

function processRows(
  what: string,
  ours: readonly string[],
  theirs: readonly string[],
  against: string,
  env: World["env"],
): Row[] {
  const floor = countProcesses(theirs, env);
  return (["forks", "execs"] as const).map((kind) => ({
    what: `${what}: ${kind}`,
    ...both(ours, (command) => countProcesses(command, env)[kind]),
    floor: floor[kind],
    against,
    unit: "",
  }));
}

const byHandOf = ({ hooks }: World) =>
  `${hooks}/pre-backup.sh; timeout 300 restic; code=$?; ${hooks}/post-backup.sh $code; exit $code`;
