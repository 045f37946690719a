/** Checks of the folders that the workers write to: by access(2), so that nothing is written. */

import type { Settings } from "../config/settings.ts";
import { look } from "../look.ts";
import type { Checks, Status } from "./check.ts";

/** Without LOCK_DIR no run begins; without LOG_DIR it does, but leaves nothing that could be read afterwards. */
const FOLDERS = [
  ["LOG_DIR", "FAIL", "Runs go on, but leave no record and no log."],
  ["LOCK_DIR", "FAIL", "No run can take its lock."],
  ["METRICS_DIR", "WARN", "No metrics are written."],
  ["TMPDIR", "WARN", "restic and restores need it for temporary files."],
] as const satisfies readonly (readonly [string, Status, string])[];

export async function judgeFolders(checks: Checks, settings: Settings): Promise<void> {
  for (const [name, status, effect] of FOLDERS) {
    const path = settings.text(name);
    if (path === "") continue;
    const { stat, problem } = await look(path, "write");
    const reason = problem ?? (stat?.isDirectory() ? undefined : "it is not a directory");
    if (reason === undefined) checks.ok(`${name}: ${path}`);
    else checks.add(status, `${name}: ${path} cannot be written: ${reason}. ${effect}`);
  }
}
