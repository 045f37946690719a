/** Asks whether there is a repository, leaving neither a lock in it nor a cache on this host. */

import type { Environment } from "../environment.ts";
import { ask } from "../process/ask.ts";
import type { Stop } from "../process/stop.ts";
import type { Access } from "./access.ts";
import { type Verdict, verdictOf } from "./verdict.ts";

/** restic tries a dead network for a quarter of an hour; who waits for an answer must learn sooner what is wrong. */
const PROBE_MS = 30_000;

/** Throws CannotStart. When a stop ended it, the verdict says nothing. */
export async function probeRepository(access: Access, env: Environment, stop: Stop): Promise<Verdict> {
  const command = ["restic", ...access.words, "cat", "config", "--no-lock", "--no-cache"];
  const answer = await ask(command, { env: { ...env, ...access.env }, timeoutMs: PROBE_MS, stop });
  return verdictOf(answer, access.shown, PROBE_MS);
}
