/** Where a run takes place, as far as it is needed to tell the world of it; see lib/run/scene.ts. */

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
  /** `LOG_DIR/<worker>-last.log`: what a mail carries. */
  readonly logPath: string;
  /** The environment of the run's children: ours, without what a run around us has put there. */
  readonly env: ChildEnvironment;
}

/** What sendmail said last. */
export const mailLogOf = ({ logDir, identity }: NotifyScene): string =>
  `${logDir}/${identity.job}-mail-last.log`;
