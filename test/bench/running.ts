/** The memory of a worker while restic runs for a minute: a restic that says 60 times a second how far it is, as real ones do. */

import { rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { binary, World } from "../support/world.ts";
import { oldProgram } from "./before.ts";
import { ownMemory, peakMeanwhile, peakOf, tellOfParent } from "./memory.ts";
import { hello } from "./programs.ts";
import type { Row } from "./report.ts";

const SECONDS = 60;
/** restic prints with --json as often as it would draw a screen. */
const A_SECOND = 60;
/** A heap of 6 MiB differs by so much from run to run, as its garbage has just been collected or not. */
const GARBAGE = 1.25;
/** What we have seen on a quiet machine, and room for a busier one. */
const LIMITS = { ofStart: 2.7, ofShort: 1.5 };

export async function running(): Promise<Row[]> {
  const what = `backup, restic runs ${SECONDS} s`;
  const start = [await hello()];
  const [now, older] = await Promise.all([
    ofProgram(binary),
    oldProgram === undefined ? undefined : ofProgram(oldProgram),
  ]);
  const row = { what: `${what}: peak memory (RSS)`, ours: now.long, before: older?.long, unit: "MiB" };
  return [
    { ...row, floor: now.bare(start), against: "a bare Bun start", limit: LIMITS.ofStart },
    { ...row, floor: now.short, against: "restic runs 0 s", limit: LIMITS.ofShort },
    {
      what: `${what}: own memory (RssAnon)`,
      ours: now.ownLong,
      before: older?.ownLong,
      floor: now.ownShort,
      against: "restic runs 0 s",
      unit: "MiB",
      noise: GARBAGE,
    },
  ];
}

/** In MiB, of a program that runs in a world of its own: two at once do not get into each other's way. */
async function ofProgram(program: string) {
  using world = new World();
  const { env } = world;
  const told = join(world.dir, "status");
  const link = join(world.bin, "backup");
  rmSync(link);
  symlinkSync(program, link);
  world.restic(resticOf(1, told));
  const short = peakOf([link], env);
  const ownShort = ownMemory(told);
  world.restic(resticOf(SECONDS * A_SECOND, told));
  const long = await peakMeanwhile([link], env);
  return { short, ownShort, long, ownLong: ownMemory(told), bare: (start: string[]) => peakOf(start, env) };
}

/** At its end it leaves in a file what the system tells of the worker. */
function resticOf(lines: number, told: string): string {
  const status =
    '{"message_type":"status","seconds_elapsed":%d,"seconds_remaining":%d,"percent_done":0.%06d,"total_files":1200000,' +
    '"files_done":%d,"total_bytes":5368709120000,"bytes_done":%d000000,"current_files":["/data/photos/%d.jpg","/data/%d"]}';
  const summary =
    '{"message_type":"summary","files_new":1,"files_changed":0,"files_unmodified":2,"data_added":12,' +
    '"total_files_processed":3,"total_bytes_processed":123,"snapshot_id":"a1b2c3d4e5f6"}';
  return [
    '[ "$1" = version ] && exec echo "restic 0.19.1"',
    "n=0",
    `while [ $n -lt ${lines} ]; do`,
    `  printf '${status}\\n' $((n / ${A_SECOND})) $((${SECONDS} - n / ${A_SECOND})) $n $n $n $n $n`,
    `  n=$((n + 1)); sleep ${(1 / A_SECOND).toFixed(4)}`,
    "done",
    `echo '${summary}'`,
    tellOfParent(told),
  ].join("\n");
}
