/** What status looks at, gathered once. Local files only: nothing is started, nothing is asked of a network. */

import { Settings } from "../config/settings.ts";
import { environment } from "../environment.ts";
import { systemHostname } from "../host.ts";
import { type Row, workerNames } from "../run/command.ts";
import { localZone, type Zone } from "../time/zone.ts";

export interface View {
  readonly settings: Settings;
  readonly hostname: string;
  /** The names of the runs, in the order of the table. */
  readonly workers: readonly string[];
  readonly logDir: string;
  readonly lockDir: string;
  /** Now, in epoch seconds. */
  readonly now: number;
  readonly zone: Zone;
}

export function viewOf(table: readonly Row[]): View {
  // config-check and doctor judge odd values.
  const settings = new Settings(environment, () => {});
  return {
    settings,
    hostname: settings.text("HOSTNAME") || systemHostname(),
    workers: workerNames(table),
    logDir: settings.text("LOG_DIR"),
    lockDir: settings.text("LOCK_DIR"),
    now: Math.floor(Date.now() / 1000),
    zone: localZone(),
  };
}
