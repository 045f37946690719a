/** Section Configuration checks: those of config-check, and what needs the container itself. */

import { checkThings, checkValues, sentence } from "../check/index.ts";
import type { Settings } from "../config/settings.ts";
import { CannotStart, resolveProgram } from "../process/spawn.ts";
import { Checks, type Findings, statusOf } from "./check.ts";
import { judgeFolders } from "./folders.ts";
import { isAboutHooks } from "./hooks.ts";
import type { Patient } from "./patient.ts";

/** Runtime and Replicate judge these. */
const ELSEWHERE = ["TZ", "REPLICATE_JOB_FILE", "RCLONE_CONFIG"];

export async function configuration({ settings, runs }: Patient): Promise<Findings> {
  const checks = new Checks("Configuration checks");
  const workers = runs.map(({ name }) => name);
  // The effective environment shows every value; here only those that are odd are worth a line.
  const odd = checkValues(settings, workers).filter(
    ({ status, key }) => status !== "ok" && !isAboutHooks(key),
  );
  for (const check of [...(await checkThings(settings)), ...odd]) {
    if (!ELSEWHERE.includes(check.key)) checks.add(statusOf(check), sentence(check));
  }
  if (odd.length === 0) checks.ok("Every value has the form that its variable needs.");
  await judgeFolders(checks, settings);
  judgeMail(checks, settings);
  return { checks: checks.list, json: undefined };
}

function judgeMail(checks: Checks, settings: Settings): void {
  if (!settings.configured("MAILX_RCPT")) return;
  try {
    resolveProgram("sendmail", settings.env.PATH);
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    checks.warn(`MAILX_RCPT: no mail can be sent: ${error.message} Install msmtp or another sendmail.`);
  }
}
