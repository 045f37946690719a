/** What a start costs: with the program in memory, and when it has to be read from the disk. */

import { World } from "../support/world.ts";
import { oldProgram } from "./before.ts";
import { forget, readInOrder } from "./page-cache.ts";
import { type Contender, compare, type Measure } from "./paired.ts";
import { hello } from "./programs.ts";
import { type Row, wallRow } from "./report.ts";

const WARM_ROUNDS = 100;
const COLD_ROUNDS = 15;
/** What we have seen on a quiet machine, and room for a busier one. */
const LIMITS = { warm: 2.1, cold: 1.35 };

export async function cold(): Promise<Row[]> {
  using world = new World();
  const { env } = world;
  const program = world.link("restic-backup-helper");
  const bare = await hello();
  const contenders: Contender[] = [
    { name: "hello world", command: [bare], env },
    { name: "--version", command: [program, "--version"], env },
  ];
  const forgetful = contenders.map((each) => ({
    ...each,
    reset: (command: readonly string[]) => forget(command[0] ?? ""),
  }));
  const warm = await compare(contenders, WARM_ROUNDS);
  const fromDisk = await compare(forgetful, COLD_ROUNDS, 1);
  for (const { command } of contenders) readInOrder(command[0] ?? "");
  if (oldProgram !== undefined) readInOrder(oldProgram);
  return [
    row("start, --version", warm, LIMITS.warm),
    row("start from the disk, --version", fromDisk, LIMITS.cold),
  ];
}

function row(what: string, [bare, ours]: readonly Measure[], limit: number): Row {
  if (bare === undefined || ours === undefined) throw new Error("nothing was measured");
  return wallRow(what, ours, bare, "hello world", { limit });
}
