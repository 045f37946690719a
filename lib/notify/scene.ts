/** What telling the world needs to know of a run. */

import type { Settings } from "../config/settings.ts";
import type { Log } from "../log.ts";
import type { Mask } from "../mask.ts";
import type { ChildEnvironment } from "../process/spawn.ts";

export interface NotifyScene {
  readonly identity: { readonly job: string; readonly hostname: string; readonly runId: string };
  readonly settings: Settings;
  readonly mask: Mask;
  readonly log: Log;
  readonly logDir: string;
  readonly lockDir: string;
  /** The run's own log: what a mail carries. */
  readonly logPath: string;
  /** The environment of children. */
  readonly env: ChildEnvironment;
}
