/** One export: what it needs to know, and what both ways of it say. */

import { EXIT } from "../errors.ts";
import { count } from "../plural.ts";
import type { Restic } from "../restic/exec.ts";
import { RESTIC } from "../restic/outcome.ts";
import { patternText } from "../restic/restore.ts";
import { describeSnapshot, type Snapshot, shortId } from "../restic/snapshots.ts";
import { removeLeftovers } from "../run/leftovers.ts";
import type { Outcome, Run } from "../run/run.ts";
import { formatBytes } from "../size.ts";
import { localZone } from "../time/zone.ts";
import type { ExportFlags } from "./plan.ts";

export interface Job {
  readonly run: Run;
  readonly restic: Restic;
  readonly flags: ExportFlags;
  readonly snapshot: Snapshot;
  /** The archive's absolute path. */
  readonly output: string;
}

/** Says what is about to happen. */
export function announce({ run, flags, snapshot, output }: Job, how: string): void {
  const what = `snapshot ${describeSnapshot(snapshot, localZone())} to ${output}: ${patternText(flags)}, ${how}`;
  run.log.info(`${flags["dry-run"] ? "Rehearsing the export of" : "Exporting"} ${what}.`);
}

/** Says that no archive was made, because it would hold nothing. */
export function nothing({ run, flags, snapshot }: Job): number {
  run.log.error(
    `Nothing in snapshot ${shortId(snapshot)} matches (${patternText(flags)}), so no archive was made. ` +
      `\`restic ls ${shortId(snapshot)}\` shows what is in it.`,
  );
  run.facts.include_zero_match = "ON";
  return RESTIC.incomplete;
}

/** What a rehearsal came to. */
export function wouldBe({ run }: Job, files: number, bytes: number): Outcome {
  Object.assign(run.facts, { files, bytes });
  run.log.info(
    `Nothing was written; it would be ${count(files, "file")}, ${formatBytes(bytes)} before compression.`,
  );
  return { exitCode: EXIT.ok };
}

/** Removes what exports that died have left in a folder. */
export function clean(run: Run, folder: string): void {
  for (const name of removeLeftovers(folder)) {
    run.log.warn(`${folder}/${name} was left by an export that died; it is removed.`);
  }
}
