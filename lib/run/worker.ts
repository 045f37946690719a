/** Makes a command of a worker: what all runs share is said here once. */

import type { VariableName } from "../config/variables.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";
import type { Command, ExitStatus, Flags, Invocation } from "./command.ts";
import { runWorker } from "./life.ts";
import type { Outcome, Run } from "./run.ts";

export interface Worker<F extends Flags, D extends Fields> extends Omit<Command<F>, "main"> {
  /** The fields that it adds to the record. */
  readonly facts?: D;
  /** What the run brought about, in a few words for the subject of its mail; undefined when that is not known. */
  subject?(record: FactsOf<D> & { readonly repository?: string }): string | undefined;
  /** May a run that ended with 0 be mailed of? Unless the worker says otherwise, it may. */
  isSuccessMailed?(facts: FactsOf<D>): boolean;
  /** It notifies people by itself: the run around it sends no mail, webhook or ping. */
  readonly quiet?: true;
  /** Throws a UsageError for flags that make no sense: before the run, so that nothing has been done. */
  check?(invocation: Invocation<F>): void;
  /** The work itself, between the hooks. What it throws becomes the run's exit code (see lib/errors.ts). */
  work(run: Run<FactsOf<D>>, invocation: Invocation<F>): Promise<Outcome>;
}

/** What every run reads; the repository is named in its record and to its hooks. */
const RUN_ENVIRONMENT = [
  "RESTIC_REPOSITORY",
  "RESTIC_REPOSITORY_FILE",
  "<WORKER>_TIMEOUT",
  "WORK_KILL_AFTER",
  "STOP_TIMEOUT",
  "HOOKS_DIR",
  "BACKUP_ROOT_DIR",
  "HOOK_TIMEOUT",
  "HOOK_TIMEOUT_<PHASE>",
  "HOOK_KILL_AFTER",
  "HOOK_LOG_MAX_BYTES",
  "HOOK_STDOUT_MAX_BYTES",
  "METRICS_DIR",
  "WEBHOOK_URL",
  "WEBHOOK_HEADER_AUTH",
  "WEBHOOK_TIMEOUT",
  "WEBHOOK_ON_ERROR",
  "HEALTHCHECKS_URL",
  "HEALTHCHECKS_URL_<WORKER>",
  "HEALTHCHECKS_LOG",
  "MAILX_RCPT",
  "MAILX_ON_ERROR",
  "ALERT_ON",
  "LOG_DIR",
  "LOCK_DIR",
  "HISTORY_MAX_RUNS",
  "HOSTNAME",
  "TZ",
  "NO_COLOR",
] as const satisfies readonly VariableName[];

const RUN_EXITS: readonly ExitStatus[] = [
  ["2", "the command line or the configuration is wrong; nothing was done"],
  ["70", "the program itself failed: a bug"],
  ["75", "another run of this worker is active (0 under locked_run)"],
  ["124", "the work took longer than its time-out"],
  ["126, 127", "the tool cannot be executed, or is missing"],
  ["128+n", "signal n stopped the run"],
];

// biome-ignore lint/complexity/noBannedTypes: a worker that declares no fields has none
export function defineWorker<const F extends Flags, const D extends Fields = {}>(worker: Worker<F, D>) {
  return {
    ...worker,
    environment: [...new Set([...worker.environment, ...RUN_ENVIRONMENT])],
    exits: [...worker.exits, ...RUN_EXITS],
    main: async (invocation: Invocation<F>) => {
      worker.check?.(invocation);
      // A run begins without any facts, so that it is one of this worker's from here on.
      const work = (run: Run) => worker.work(run as Run<FactsOf<D>>, invocation);
      return runWorker(invocation.name, invocation.prepared, work, worker);
    },
  } satisfies Command<F>;
}
