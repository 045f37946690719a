/** One pass of restic over a snapshot, rehearsed or in earnest: what is said, and what is recorded. */

import { EXIT } from "../errors.ts";
import type { Restic } from "../restic/exec.ts";
import { RESTIC } from "../restic/outcome.ts";
import { patternText, type RestoreWords, restoreTree } from "../restic/restore.ts";
import { describeSnapshot, type Snapshot } from "../restic/snapshots.ts";
import type { Outcome, Run } from "../run/run.ts";
import { formatBytes } from "../size.ts";
import { localZone } from "../time/zone.ts";

export async function performRestore(
  run: Run,
  restic: Restic,
  snapshot: Snapshot,
  words: RestoreWords,
): Promise<Outcome> {
  const { log, facts } = run;
  const { target, include, dryRun = false, verify = false } = words;
  log.info(
    `${dryRun ? "Rehearsing the restore of" : "Restoring"} snapshot ${describeSnapshot(snapshot, localZone())} ` +
      `to ${target}: ${patternText(words)}.`,
  );
  const { exitCode, files, bytes, skipped } = await restoreTree(run, restic, words);
  Object.assign(facts, { dry_run: dryRun ? "ON" : "OFF", files_restored: files, bytes_restored: bytes });
  if (run.ending) return { exitCode };
  if (exitCode !== EXIT.ok) {
    await restic.afterFailure("restore", exitCode);
    return { exitCode };
  }
  const nothing = include.length > 0 && files + skipped === 0;
  facts.include_zero_match = nothing ? "ON" : "OFF";
  if (nothing) {
    log.error(
      `Nothing in the snapshot matches --include ${include.join(", ")}, so nothing was restored. A pattern is a ` +
        "path as `restic ls` shows it, such as /data/photos, or a name such as *.txt.",
    );
    return { exitCode: RESTIC.incomplete };
  }
  const amount = `${files} files and folders, ${formatBytes(bytes)}`;
  const present = skipped === 0 ? "" : ` ${skipped} files are there already, unchanged.`;
  if (dryRun) log.info(`Nothing was written; it would be ${amount}.${present}`);
  else log.info(`Restored ${amount}, to ${target}${verify ? ", and verified them" : ""}.${present}`);
  return { exitCode };
}
