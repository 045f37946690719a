/**
 * What sources-report costs on a large tree, against the two programs that it does without: `du -sk` and
 * `find -type f`, one after the other. SOURCES_BENCH_FILES (1000000, which takes a minute) says how large.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { World } from "../support/world.ts";
import { peakOf, peaksOf } from "./memory.ts";
import { type Contender, compare } from "./paired.ts";
import { cpuRow, less, type Row, wallRow } from "./report.ts";

const ROUNDS = 5;
const FILES = Number(process.env.SOURCES_BENCH_FILES ?? 1_000_000);
const IN_A_FOLDER = 100;
/**
 * The walk itself, the run on an empty folder taken off. We have seen from 0.95 to 1.06: it is one lstat for each
 * name on both sides, most of which is the kernel's.
 */
const TIME_BOUNDS = { goal: 1, limit: 1.15 };
/** The runtime's own memory is many times theirs; what the walk adds to it must not grow with the tree. */
const MEMORY_LIMIT = 2;

export async function sources(): Promise<Row[]> {
  using world = new World();
  const tree = makeTree(world);
  const empty = world.folder("empty");
  const { env } = world;
  const ours = (name: string, folder: string): Contender => ({
    name,
    command: [world.link("sources-report"), "--source", folder],
    env,
  });
  const both = `du -sk ${tree} && find ${tree} -type f`;
  const [walk, nothing, theirs] = await compare(
    [ours("walk", tree), ours("nothing", empty), { name: "theirs", command: ["sh", "-c", both], env }],
    ROUNDS,
    1,
  );
  if (walk === undefined || nothing === undefined || theirs === undefined)
    throw new Error("nothing was measured");
  const what = `sources-report, ${FILES} files`;
  const against = "du -sk + find -type f";
  const { command } = ours("", tree);
  const peak = { what: `${what}: peak memory (RSS)`, ...peaksOf(command, env), unit: "MiB" };
  const onEmpty = peakOf(ours("", empty).command, env);
  return [
    wallRow(`${what}, of the walk`, less(walk, nothing), theirs, against, TIME_BOUNDS),
    wallRow(`${what}, of the whole run`, walk, theirs, against),
    cpuRow(`${what}, of the walk`, less(walk, nothing), theirs, against, TIME_BOUNDS),
    { ...peak, floor: onEmpty, against: "an empty folder", limit: MEMORY_LIMIT },
    { ...peak, floor: peakOf(["sh", "-c", both], env), against },
  ];
}

/** Folders of a hundred files, a hundred folders in each folder above them. */
function makeTree(world: World): string {
  const tree = world.folder("tree");
  for (let folder = 0; folder < FILES / IN_A_FOLDER; folder++) {
    const path = join(tree, String(folder % 100), `folder-${folder}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < IN_A_FOLDER; file++)
      writeFileSync(join(path, `file-number-${file}.txt`), "content");
  }
  return tree;
}
