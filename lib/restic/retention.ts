/**
 * What backup and forget declare of retention: the fields of their records, and the variables. A tick without a policy
 * loads no more of it than this.
 */

import type { VariableName } from "../config/variables.ts";
import type { Run } from "../run/run.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";

export const retentionFacts = {
  forget_exit_code: { type: "exit code", help: "exit code of restic forget" },
  snapshots_kept: { type: "count", help: "snapshots that the retention policy kept" },
  snapshots_removed: { type: "count", help: "snapshots that the retention policy removed" },
  retention_withheld: {
    type: "string",
    help: "why the retention policy was not applied although it was due",
  },
  retention_missed: {
    type: "count",
    help: "runs in a row, this one included, that were to apply the retention policy and did not",
  },
} as const satisfies Fields;

/** What decides which snapshots a policy is about. */
export const RETENTION_ENVIRONMENT = [
  "RESTIC_FORGET_ARGS",
  "RESTIC_FORGET_SCOPE",
  "RESTIC_TAG",
  "RESTIC_JOB_ARGS",
] as const satisfies readonly VariableName[];

export type RetentionRun = Run<FactsOf<typeof retentionFacts>>;
