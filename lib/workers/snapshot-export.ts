/** snapshot-export: a snapshot, or part of one, as an archive file. */

import {
  admitOutput,
  checkFlags,
  clean,
  defaultOutput,
  type ExportFlags,
  type ExportRun,
  exportFacts,
  exportFlags,
  nothing,
  plainPath,
} from "../export/export-plan.ts";
import { exportPacked } from "../export/packed.ts";
import { exportStreamed, findLineage, isDumpable } from "../export/streamed.ts";
import { REPOSITORY_EXITS } from "../restic/messages.ts";
import { RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import { chooseSnapshot, filterOf, listSnapshots, readId, shortId } from "../restic/snapshots.ts";
import type { Outcome } from "../run/run.ts";
import { memoryAt, namedPlaces, nameSilent } from "../run/target.ts";
import { defineWorker } from "../run/worker.ts";
import { amountText, formatDuration } from "../text.ts";
import { localZone } from "../time/zone.ts";

export default defineWorker({
  about:
    "Writes a snapshot, or part of one, into an archive. All of a snapshot, and one file or folder of it, is streamed: " +
    "nothing else is written to any disk. Patterns, several includes and excludes go by way of a work directory. " +
    "Members are named by their whole path in the snapshot, without the slash in front. The archive can be read by its " +
    "owner only, and gets its name when it is whole.",
  flags: exportFlags,
  environment: [...RESTIC_ENVIRONMENT, "RESTIC_TAG", "BACKUP_ROOT_DIR", "TMPDIR"],
  exits: [
    ["0", "the archive is written"],
    ["1", "restic or tar failed, no snapshot matches, or the archive cannot be written"],
    ["3", "there is nothing to export: no --include matched anything"],
    ...REPOSITORY_EXITS,
  ],
  check: ({ flags }) => checkFlags(flags),
  facts: exportFacts,
  subject: ({ files, archive_size_bytes, bytes, dry_run, archive }) =>
    amountText({ files, bytes: archive_size_bytes ?? bytes, dry_run, target: archive }),
  work: async (run, { flags }) => {
    const beganMs = Date.now();
    try {
      return await work(run, flags);
    } finally {
      run.facts.elapsed_human = formatDuration((Date.now() - beganMs) / 1000);
    }
  },
});

async function work(run: ExportRun, flags: ExportFlags): Promise<Outcome> {
  const restic = new Restic(run, { canReadUnlocked: true });
  const named = [flags.output, flags["work-dir"]].filter((each) => each !== undefined);
  await nameSilent(run.log, [...namedPlaces(run.settings), ...named]);
  if (flags.output !== undefined) admitOutput(flags.output, flags.force);
  const request = { id: readId(flags.id), filter: filterOf(flags, run) };
  const snapshot = chooseSnapshot(await listSnapshots(restic), request, localZone());
  const id = shortId(snapshot);
  const output = admitOutput(flags.output ?? defaultOutput(id, Date.now(), localZone()), flags.force);
  const memory = memoryAt(output);
  if (memory !== undefined) {
    run.log.warn(`The archive goes to ${output}, although ${memory}. Mount a folder of a disk there.`);
  }
  const dry_run = flags["dry-run"] ? "ON" : "OFF";
  run.addFacts({ snapshot: id, snapshot_id: id, archive: output, work_dir: null, dry_run });
  await clean(run, output.slice(0, output.lastIndexOf("/")) || "/");

  const job = { run, restic, flags, snapshot, output };
  const path = flags.exclude.length > 0 ? undefined : plainPath(flags.include);
  if (path === undefined) return exportPacked(job);
  const lineage = await findLineage(job, path);
  if (lineage === undefined) return { exitCode: nothing(job) };
  return isDumpable(lineage) ? exportStreamed(job, lineage) : exportPacked(job);
}
