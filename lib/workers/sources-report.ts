/** sources-report: what the next backup would read. */

import { EXIT } from "../errors.ts";
import type { Outcome, Run } from "../run/run.ts";
import { defineWorker } from "../run/worker.ts";
import type { FactsOf } from "../schema/fields.ts";
import { type Examination, examineSources, judgeShrinkage, type LastBackup } from "../sources/examine.ts";
import { buildFacts, formatTable, formatWarnings, sourcesFacts } from "../sources/findings.ts";
import {
  checkSourcesFlags,
  readSourcesPlan,
  type SourcesFlags,
  sourcesFlags,
} from "../sources/sources-plan.ts";
import { lastFields } from "../state/record.ts";
import { formatBytes, plural } from "../text.ts";

export default defineWorker({
  about:
    "Says what the next backup would read: of BACKUP_ROOT_DIR and of all that RESTIC_JOB_ARGS names how many files, " +
    "how large, what is missing, what cannot be read, and which source is suspiciously empty. One walk, as the user " +
    "that backup runs as. What excludes would leave out is counted too.",
  flags: sourcesFlags,
  environment: ["BACKUP_ROOT_DIR", "RESTIC_JOB_ARGS"],
  exits: [["0", "the report is made, whatever it says"]],
  check: ({ flags }) => {
    checkSourcesFlags(flags);
  },
  facts: sourcesFacts,
  work,
});

async function work(
  run: Run<FactsOf<typeof sourcesFacts>>,
  { flags }: { readonly flags: SourcesFlags },
): Promise<Outcome> {
  const plan = readSourcesPlan(flags, run);
  const { log } = run;
  const examination = await examineSources(run, plan);
  run.addFacts({
    ...buildFacts(examination, plan.sizes),
    backup_root_dir: run.settings.lines("BACKUP_ROOT_DIR").join("\n"),
    no_size: plan.sizes ? "OFF" : "ON",
    depth_limit: plan.depth,
  });
  run.throwIfStopping();
  for (const line of formatTable(examination, plan.sizes)) log.info(line);
  sayMore(run, examination);
  const { files, bytes } = examination.totals;
  const shrunk = plan.ofEnvironment
    ? judgeShrinkage(
        { files, bytes: plan.sizes ? bytes : -1 },
        lastFields(run.context, "backup") as LastBackup,
      )
    : undefined;
  const warnings = [...formatWarnings(examination), ...(shrunk === undefined ? [] : [shrunk])];
  for (const warning of warnings) log.warn(warning);
  return warnings.length === 0 ? { exitCode: EXIT.ok } : { exitCode: EXIT.ok, status: "warning" };
}

function sayMore({ log }: Run, { excludes, totals }: Examination): void {
  if (totals.hardLinkBytes > 0) {
    log.info(
      `${formatBytes(totals.hardLinkBytes)} of it are further names of files that were counted already.`,
    );
  }
  if (totals.specials > 0) log.info(`Named pipes, sockets and devices: ${totals.specials}.`);
  for (const { flag, path, patterns, problem } of excludes) {
    if (problem === undefined) {
      log.info(
        `${flag} ${path}: ${plural(patterns, "pattern")}; what they leave out is counted all the same.`,
      );
    }
  }
}
