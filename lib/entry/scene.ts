/** What every part of the start needs. */

import type { Settings } from "../config/settings.ts";
import type { Environment } from "../environment.ts";
import type { Log } from "../log.ts";
import type { Stop } from "../process/stop.ts";

export interface Start {
  readonly log: Log;
  readonly settings: Settings;
  /** The environment of all that is started from here: old names mapped, nothing of a run in it. */
  readonly env: Environment;
  /** A signal ends the start as it ends everything else. */
  readonly stop: Stop;
}

/** Who starts the jobs. */
export interface Scheduler {
  /** Resolves with the reason when it starts no jobs any more; never, when it was told to stop. */
  readonly died: Promise<string>;
  /** Starts no job from here on, and resolves to the pids of those that run. */
  stop(): Promise<readonly number[]>;
}
