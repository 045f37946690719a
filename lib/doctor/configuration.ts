/** Section Configuration checks. Each part judges one concern; none changes anything. */

import { Checks, type Findings } from "./check.ts";
import { judgeCredentials } from "./credentials.ts";
import { judgeFolders } from "./folders.ts";
import type { Patient } from "./patient.ts";
import { judgeSchedules } from "./schedules.ts";
import { judgeSources } from "./sources.ts";
import { judgeValues } from "./values.ts";

export async function configuration(patient: Patient): Promise<Findings> {
  const { settings, nowMs, zone } = patient;
  const checks = new Checks("Configuration checks");
  await judgeCredentials(checks, settings);
  await judgeSources(checks, settings);
  judgeSchedules(checks, settings, nowMs, zone);
  await judgeFolders(checks, settings);
  judgeValues(checks, patient);
  return { checks: checks.list, json: undefined };
}
