/**
 * How fast the output of a hook goes through: 200 MB of lines, each of which gets its date and its hook's name and is
 * looked through for secrets, against the same command piped into cat.
 */

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { World } from "../support/world.ts";
import { peakOf, peaksOf } from "./memory.ts";
import { type Contender, compare } from "./paired.ts";
import { less, type Row, times } from "./report.ts";

const ROUNDS = 5;
const BYTES = 200_000_000;
/** What we want to see on a quiet machine, and what must not be exceeded on a busier one. */
const BOUNDS = { time: { goal: 6, limit: 9 }, memory: 2.3 };

export async function output(): Promise<Row[]> {
  using world = new World();
  world.restic();
  const text = join(world.dir, "text");
  writeLines(text);
  const silent = world.folder("silent-hooks");
  const hook = world.hook("pre-backup", `exec cat ${text}`);
  const run = (name: string, HOOKS_DIR: string): Contender => ({
    name,
    command: [world.link("backup")],
    env: { ...world.env, HOOKS_DIR },
  });
  const byHand = ["sh", "-c", `${hook} | cat >/dev/null`];
  const [loud, quiet, cat] = await compare(
    [run("loud", world.hooks), run("quiet", silent), { name: "cat", command: byHand, env: world.env }],
    ROUNDS,
    1,
  );
  if (loud === undefined || quiet === undefined || cat === undefined) throw new Error("nothing was measured");
  const what = `hook output, ${BYTES / 1e6} MB`;
  const { command, env } = run("", world.hooks);
  return [
    ...times(what, less(loud, quiet), cat, "the hook | cat", BOUNDS.time, { limit: BOUNDS.time.limit }),
    {
      what: `${what}: peak memory (RSS)`,
      ...peaksOf(command, env),
      floor: peakOf(command, run("", silent).env),
      against: "a run without output",
      unit: "MiB",
      limit: BOUNDS.memory,
    },
  ];
}

/** Piece by piece: what the system tells of the memory of a child is at least what its parent has. */
function writeLines(path: string): void {
  const line = (n: number) =>
    `file ${String(n).padStart(8, "0")} /srv/data/photos/2026/05/IMG_${n}.jpg copied and verified\n`;
  const some = Array.from({ length: 10_000 }, (_, n) => line(n)).join("");
  for (let left = BYTES; left > 0; left -= some.length) appendFileSync(path, some);
}
