/** Calls of restic that are the operator's words and nothing more: check, prune, and the forget of a policy. */

import { EXIT } from "../errors.ts";
import type { Outcome, Run } from "../run/run.ts";
import type { ResticPlan } from "./call.ts";
import type { Restic } from "./exec.ts";
import { RESTIC } from "./outcome.ts";

export interface PlainPlan extends ResticPlan {
  /** What to say where a repository that another restic has locked is no failure but a reason to skip. */
  readonly lockedOut?: string;
  /** Is told the exit code of a call that came to its own end, before a failure is explained. */
  readonly onEnd?: (exitCode: number) => void;
}

/** Runs `restic <words>` to its end and explains a failure in the log. Throws CannotStart. */
export async function callPlain(
  run: Run,
  restic: Restic,
  words: readonly string[],
  { lockedOut, onEnd, ...plan }: PlainPlan = {},
): Promise<Outcome> {
  const { exitCode } = await restic.call(words, plan);
  if (run.ending) return { exitCode };
  onEnd?.(exitCode);
  if (exitCode === EXIT.ok) return { exitCode };
  if (exitCode === RESTIC.locked && lockedOut !== undefined) run.log.warn(lockedOut);
  else await restic.afterFailure(words[0] ?? "", exitCode);
  return { exitCode };
}
