/** What status looks at, gathered once. Local files only: nothing is started, nothing is asked of a network. */

import { readdirSync } from "node:fs";
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
  /** The paths in LOCK_DIR: one look there is cheaper than one for each marker that is not there. */
  readonly inLockDir: ReadonlySet<string>;
  /** Now, in epoch seconds. */
  readonly now: number;
  readonly zone: Zone;
}

export function viewOf(table: readonly Row[]): View {
  // config-check and doctor judge odd values.
  const settings = new Settings(environment, () => {});
  const lockDir = settings.folder("LOCK_DIR");
  return {
    settings,
    hostname: settings.text("HOSTNAME") || systemHostname(),
    workers: workerNames(table),
    logDir: settings.folder("LOG_DIR"),
    lockDir,
    inLockDir: new Set(pathsIn(lockDir)),
    now: Math.floor(Date.now() / 1000),
    zone: localZone(),
  };
}

function pathsIn(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => `${folder}/${name}`);
  } catch {
    // No such folder, or not ours to see: then no run of ours is alive either.
    return [];
  }
}
