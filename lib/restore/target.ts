/** Where a restore must not write unless it is forced: over the sources, or over what is there already. */

import { ConfigError } from "../errors.ts";
import type { Run } from "../run/run.ts";
import { type Refusal, restoreRefusal } from "../targets.ts";
import type { RestorePlan } from "./plan.ts";

/** Holds a run's targets against that rule, and against its flags. */
export class Guard {
  private readonly roots: readonly string[];

  constructor(
    private readonly run: Run,
    private readonly plan: RestorePlan,
    private readonly force: boolean,
  ) {
    this.roots = run.settings.lines("BACKUP_ROOT_DIR");
  }

  /** Why this target may not be restored to; undefined when it may. */
  refusalOf(target: string): Refusal | undefined {
    const found = restoreRefusal(target, this.roots, this.plan.dryRun);
    // --force is for restoring over files, not for giving away those that were never restored.
    if (found?.grave && this.plan.owner !== undefined) {
      return {
        ...found,
        why: `${found.why}, and --owner would change the owner of all of it, even with --force`,
      };
    }
    return this.force ? undefined : found;
  }

  /** Throws a ConfigError for a target that is refused. */
  check(target: string): void {
    const found = this.refusalOf(target);
    if (found === undefined) return;
    const remedy = this.force
      ? "Leave out --owner."
      : "Choose another --target, or give --force if that is meant.";
    throw new ConfigError(`The target ${target} is refused: ${found.why}. ${remedy}`);
  }

  /** Says what --force is about to do. */
  warn(target: string): void {
    const found = restoreRefusal(target, this.roots, false);
    if (found === undefined) return;
    this.run.log.warn(`Restoring over files in ${target} (--force), although ${found.why}.`);
    if (this.plan.owner !== undefined) {
      this.run.log.warn(`--owner will change what lies in ${target} already, too.`);
    }
  }
}
