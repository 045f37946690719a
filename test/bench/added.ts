/** What a worker adds to restic's own time, against a tick: a backup without hooks whose restic does nothing. */

import { World } from "../support/world.ts";
import { type Contender, compare } from "./paired.ts";
import { type Row, times } from "./report.ts";

const ROUNDS = 60;
/** Workers that call restic once. */
const WORKERS = ["check", "prune", "forget-preview"];
/** As much as a tick; the rest is the noise of a machine that does other things too. */
const LIMIT = 1.15;

export async function added(): Promise<Row[]> {
  using world = new World();
  world.restic();
  const contender = (name: string): Contender => ({
    name,
    command: [world.link(name)],
    env: { ...world.env, ...(name === "forget-preview" ? { RESTIC_FORGET_ARGS: "--keep-last 1" } : {}) },
  });
  const [tick, ...measured] = await compare(["backup", ...WORKERS].map(contender), ROUNDS);
  if (tick === undefined) throw new Error("nothing was measured");
  return measured.flatMap((each) =>
    times(`${each.name}, added to restic`, each, tick, "a tick", { limit: LIMIT }),
  );
}
