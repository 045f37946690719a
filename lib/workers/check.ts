/** check: `restic check`, with RESTIC_CHECK_ARGS. */

import { EXIT } from "../errors.ts";
import { type CheckSummary, checkAdvice, checkFacts, checkVerdict } from "../restic/check.ts";
import { Restic } from "../restic/exec.ts";
import { REPOSITORY_EXITS, RESTIC } from "../restic/outcome.ts";
import { callPlain } from "../restic/plain.ts";
import type { Outcome, Run } from "../run/run.ts";
import { defineWorker, RESTIC_ENVIRONMENT } from "../run/worker.ts";

export default defineWorker({
  about: "Checks the repository for errors with restic, with the words of RESTIC_CHECK_ARGS.",
  flags: {},
  environment: [...RESTIC_ENVIRONMENT, "RESTIC_CHECK_ARGS", "RESTIC_AUTO_UNLOCK", "PROGRESS_INTERVAL"],
  exits: [
    ["0", "restic found no errors"],
    ["1", "the repository has errors, or restic failed"],
    ...REPOSITORY_EXITS,
  ],
  work,
});

async function work(run: Run): Promise<Outcome> {
  const words = run.settings.words("RESTIC_CHECK_ARGS");
  const restic = new Restic(run);
  run.log.info(`Checking ${restic.shown}.`);
  let summary: CheckSummary | undefined;
  // restic before 0.18 knows --json but prints plain words all the same.
  return callPlain(run, restic, ["check", "--json", ...words], {
    onMessage: (message) => {
      if (message.message_type !== "summary") return false;
      summary = message as CheckSummary;
      return true;
    },
    onEnd: (exitCode) => {
      if (summary !== undefined) conclude(run, summary, exitCode);
    },
  });
}

/** A repository that could not be opened counts as one error in restic's summary; nothing was checked then. */
function conclude(run: Run, summary: CheckSummary, exitCode: number): void {
  if (exitCode !== EXIT.ok && exitCode !== RESTIC.failed) return;
  Object.assign(run.facts, checkFacts(summary));
  const verdict = `restic | ${checkVerdict(summary)}`;
  if (exitCode === EXIT.ok) run.log.info(verdict);
  else run.log.error(verdict);
  for (const advice of checkAdvice(summary)) run.log.warn(advice);
}
