/** forget: `restic forget` on its own schedule, with the policy of RESTIC_FORGET_ARGS. */

import { ConfigError } from "../errors.ts";
import { applyPolicy, keepsAnything, policyFacts } from "../restic/policy.ts";
import { RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import type { Outcome, Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf } from "../schema/fields.ts";
import { quoteWord } from "../words.ts";

export default defineWorker({
  about:
    "Applies the retention policy of RESTIC_FORGET_ARGS to the repository. When another restic has locked it, the run " +
    "is skipped with a warning, for the next one will do the same. With FORGET_CRON set, backup leaves it to this worker.",
  flags: {},
  environment: [...RESTIC_ENVIRONMENT, "RESTIC_FORGET_ARGS"],
  exits: [
    ["0", "the policy was applied"],
    ["1", "restic failed"],
    ["10", "there is no repository"],
    ["11", "the repository is locked: skipped, with the status warning"],
    ["12", "the password is wrong"],
  ],
  facts: policyFacts,
  work,
});

async function work(run: Run<FactsOf<typeof policyFacts>>): Promise<Outcome> {
  const words = run.settings.words("RESTIC_FORGET_ARGS");
  if (!keepsAnything(words)) {
    const given = words.length === 0 ? "" : ` (${words.map(quoteWord).join(" ")} keeps nothing)`;
    throw new ConfigError(
      `There is no policy${given}. Set RESTIC_FORGET_ARGS, for example to --keep-daily 7.`,
    );
  }
  const restic = new Restic(run);
  run.log.info(`Applying the retention policy of RESTIC_FORGET_ARGS to ${restic.shown}.`);
  return applyPolicy(
    run,
    restic,
    words,
    "Forgetting was skipped, because another restic has locked the repository. If it has died, run unlock.",
  );
}
