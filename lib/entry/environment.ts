/** Old names of variables, mapped once for everything that the container will run. */

import { type Variable, variables } from "../config/variables.ts";
import type { Environment } from "../environment.ts";

export interface Renamed {
  readonly env: Environment;
  /** A sentence for each old name that was found. */
  readonly warnings: readonly string[];
}

/** SYNC_CRON becomes REPLICATE_CRON, unless that is set too: then the new name wins. */
export function withNewNames(env: Environment): Renamed {
  const mapped: Record<string, string | undefined> = { ...env };
  const warnings: string[] = [];
  for (const [name, { old }] of Object.entries<Variable>(variables)) {
    if (old === undefined || !env[old]) continue;
    delete mapped[old];
    if (env[name])
      warnings.push(`${old} has no effect: ${name} is set, and ${old} is its old name. Remove it.`);
    else {
      mapped[name] = env[old];
      warnings.push(`${old} is the old name of ${name}; it is used. Rename it.`);
    }
  }
  return { env: mapped, warnings };
}
