/** forget: `restic forget` on its own schedule, with the policy of RESTIC_FORGET_ARGS. */

import { EXIT } from "../errors.ts";
import { Retention } from "../restic/apply-policy.ts";
import { RESTIC } from "../restic/messages.ts";
import { RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import { RETENTION_ENVIRONMENT, retentionFacts } from "../restic/retention.ts";
import type { Outcome, Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf } from "../schema/fields.ts";
import { lastFields } from "../state/record.ts";

export default defineWorker({
  about:
    "Applies the retention policy of RESTIC_FORGET_ARGS to the repository, or with RESTIC_FORGET_SCOPE=host to the " +
    "snapshots of this host and tag. A policy that would remove every snapshot of a group is refused. When another " +
    "restic has locked the repository, the run is skipped with a warning, for the next one will do the same. With " +
    "FORGET_CRON set, backup leaves it to this worker.",
  flags: {},
  environment: [...RESTIC_ENVIRONMENT, ...RETENTION_ENVIRONMENT, "RESTIC_RETRY_LOCK"],
  exits: [
    ["0", "the policy was applied"],
    ["1", "restic failed, or the policy keeps no snapshot of a group"],
    ["10", "there is no repository"],
    ["11", "the repository is locked: skipped, with the status warning"],
    ["12", "the password is wrong"],
  ],
  facts: retentionFacts,
  work,
});

async function work(run: Run<FactsOf<typeof retentionFacts>>): Promise<Outcome> {
  const retention = new Retention(run);
  await retention.refuseTooNew();
  const { suspicious_sources } = lastFields(run.context, "backup");
  if (typeof suspicious_sources === "string") {
    retention.withhold(suspicious_sources);
    return { exitCode: EXIT.ok };
  }
  const restic = new Restic(run);
  run.log.info(`Applying the retention policy of RESTIC_FORGET_ARGS to ${restic.shown}.`);
  const { exitCode, withheld } = await retention.apply(restic);
  if (withheld !== undefined) {
    retention.withhold(withheld);
    return { exitCode };
  }
  if (exitCode === EXIT.ok && retention.policy.isDryRun) {
    run.alert("dry-run", "RESTIC_FORGET_ARGS has --dry-run (-n): nothing was removed. Take it out.");
    return { exitCode, status: "dry-run" };
  }
  if (exitCode === EXIT.ok) return { exitCode };
  if (exitCode !== RESTIC.locked) {
    await restic.afterFailure("forget", exitCode);
    return { exitCode };
  }
  run.alert(
    "retention-locked",
    "Forgetting was skipped, because the repository is locked. If the restic that has locked it has died, run unlock.",
  );
  return { exitCode, status: "warning" };
}
