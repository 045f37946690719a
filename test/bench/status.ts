/** What status costs, which an orchestrator asks every half a minute: 14 records and a full history. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { workerNames } from "../../lib/run/command.ts";
import { table } from "../../lib/workers/index.ts";
import { World } from "../support/world.ts";
import { peakOf, peaksOf } from "./memory.ts";
import { compare } from "./paired.ts";
import { hello } from "./programs.ts";
import { type Row, times } from "./report.ts";

const ROUNDS = 150;
const LINES = 1000;
/** workers.md asks for less than 20 ms, and the issue for three bare starts at the most. */
const LIMIT = 3;

const JOBS = workerNames(table);

export async function status(): Promise<Row[]> {
  using world = new World();
  const env = {
    ...world.env,
    CRONTAB_DIR: world.folder("crontabs"),
    CHECK_CRON: "0 3 * * 0",
    FORGET_CRON: "0 4 * * *",
    PRUNE_CRON: "0 5 * * 0",
    REPLICATE_CRON: "0 */6 * * *",
    RESTORE_TEST_CRON: "0 6 1 * *",
  };
  await fill(world);
  const [bare, ours] = await compare(
    [
      { name: "bare start", command: [await hello()], env },
      { name: "status", command: [world.link("status")], env },
    ],
    ROUNDS,
  );
  if (bare === undefined || ours === undefined) throw new Error("nothing was measured");
  const against = "a bare Bun start";
  const what = `status, ${JOBS.length} records, ${LINES} lines`;
  return [
    ...times(what, ours, bare, against, { limit: LIMIT }),
    {
      what: `${what}: peak memory (RSS)`,
      ...peaksOf([world.link("status")], env),
      floor: peakOf([await hello()], env),
      against,
      unit: "MiB",
    },
  ];
}

/** One real record, and the others and the history made of it. */
async function fill(world: World): Promise<void> {
  const summary = JSON.stringify({
    message_type: "summary",
    files_new: 3,
    files_changed: 2,
    files_unmodified: 12_000,
    data_added: 1_293_943,
    total_files_processed: 12_005,
    total_bytes_processed: 123_456_789,
    snapshot_id: "a1b2c3d4e5f6",
  });
  world.restic(`echo '${summary}'`);
  world.hook("pre-backup", "exit 0");
  world.hook("post-backup", "exit 0");
  await world.run("backup");
  const real = world.record();
  for (const job of JOBS) {
    writeFileSync(join(world.log, `last-${job}.json`), JSON.stringify({ ...real, job }, null, 2));
  }
  const lines = Array.from({ length: LINES }, (_, n) => {
    const ago = (LINES - n) * 6 * 3600;
    const shifted = { started_epoch: real.started_epoch - ago, finished_epoch: real.finished_epoch - ago };
    return `${JSON.stringify({ ...real, ...shifted, run_id: `${real.run_id}-${n}` })}\n`;
  });
  writeFileSync(join(world.log, "history.jsonl"), lines.join(""));
}
