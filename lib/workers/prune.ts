/** prune: `restic prune`, with RESTIC_PRUNE_ARGS. */

import { EXIT } from "../errors.ts";
import { commandWords, isDryRun } from "../restic/backup-args.ts";
import { REPOSITORY_EXITS } from "../restic/messages.ts";
import { callRestic, RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import type { Outcome, Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";

export default defineWorker({
  about:
    "Removes from the repository what no snapshot needs any more, with restic and the words of RESTIC_PRUNE_ARGS.",
  flags: {},
  environment: [...RESTIC_ENVIRONMENT, "RESTIC_RETRY_LOCK", "RESTIC_PRUNE_ARGS", "RESTIC_COMPRESSION"],
  exits: [["0", "restic pruned the repository"], ["1", "restic failed"], ...REPOSITORY_EXITS],
  subject: ({ repository }) => repository,
  work,
});

async function work(run: Run): Promise<Outcome> {
  const words = commandWords(run.settings, "RESTIC_PRUNE_ARGS");
  const restic = new Restic(run);
  run.log.info(`Pruning ${restic.shown}.`);
  const outcome = await callRestic(run, restic, ["prune", ...words]);
  if (outcome.exitCode !== EXIT.ok || !isDryRun(words)) return outcome;
  run.alert("dry-run", "RESTIC_PRUNE_ARGS has --dry-run (-n): nothing was removed. Take it out.");
  return { ...outcome, status: "dry-run" };
}
