/** Applies a retention policy, for backup and for forget itself. */

import type { Outcome, Run } from "../run/run.ts";
import type { Restic } from "./exec.ts";
import { RESTIC } from "./outcome.ts";
import { callPlain } from "./plain.ts";

/** Locked out (11) is no failure but a reason to skip, which `lockedOut` says: nothing is lost by forgetting later. */
export async function applyPolicy(
  run: Run,
  restic: Restic,
  words: readonly string[],
  lockedOut: string,
): Promise<Outcome> {
  const outcome = await callPlain(run, restic, ["forget", ...words], { lockedOut });
  run.facts.forget_exit_code = outcome.exitCode;
  return outcome.exitCode === RESTIC.locked ? { ...outcome, status: "warning" } : outcome;
}
