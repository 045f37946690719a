/**
 * The sections of the report in their order. All are begun at once, so that the slow ones run side by side.
 *
 * Section Configuration checks: those of config-check, and what needs the container itself.
 */

import type { Settings } from "../config/settings.ts";
import { bugReport } from "../errors.ts";
import { look } from "../files/within.ts";
import { CannotStart, resolveProgram } from "../process/spawn.ts";
import { Checks, type Findings, type Patient, type Section, statusOf } from "./checks.ts";
import { checkThings, checkValues, sentence } from "./configuration.ts";
import { cronLog } from "./cron-log.ts";
import { effectiveEnvironment, entriesOf, readImageDefaults } from "./effective-environment.ts";
import { hooks, isAboutHooks } from "./hooks.ts";
import { judgeFolders } from "./inputs.ts";
import { probe } from "./probe.ts";
import { replicate } from "./replication.ts";
import { recentRuns } from "./runs.ts";
import { runtime } from "./system.ts";

export interface Examined {
  readonly section: Section;
  /** The key of its part of the JSON report; undefined when all of it stands in the checks. */
  readonly key: string | undefined;
  readonly findings: Findings<unknown>;
}

export function examineHooks(patient: Patient): Promise<Examined> {
  return part(
    "Hooks",
    "hooks",
    reading("Hooks", patient.settings.folder("HOOKS_DIR"), () => hooks(patient)),
  );
}

export function examine(patient: Patient): Promise<Examined>[] {
  const { settings, known, nowMs } = patient;
  const logDir = settings.folder("LOG_DIR");
  // Those that wait for other programs go first; the rest is done meanwhile.
  const asked = runtime(patient);
  const probed = probe(patient);
  const entries = entriesOf(settings, known, patient.shownRepository, readImageDefaults());
  return [
    part("Runtime", "runtime", asked),
    part("Effective environment", "environment", Promise.resolve(effectiveEnvironment(entries))),
    part("Configuration checks", undefined, configuration(patient)),
    part("Repository probe", "repository_probe", probed),
    part("Replicate", "replicate", replicate(settings, entries)),
    examineHooks(patient),
    part(
      "Recent runs",
      "recent_json",
      reading("Recent runs", logDir, () => recentRuns(patient)),
    ),
    part(
      "Recent cron log",
      undefined,
      reading("Recent cron log", logDir, () => cronLog(logDir, nowMs)),
    ),
  ];
}

/** An error that nobody expected ends its section only: the others may tell what is behind it. */
async function part(
  section: Section,
  key: string | undefined,
  found: Promise<Findings<unknown>>,
): Promise<Examined> {
  try {
    return { section, key, findings: await found };
  } catch (error) {
    const checks = new Checks(section);
    checks.fail(bugReport(error));
    return { section, key, findings: { checks: checks.list, json: null } };
  }
}

/** What reads a folder synchronously is left out when the folder does not answer: it would hang with it. */
async function reading(
  section: Section,
  folder: string,
  make: () => Findings<unknown>,
): Promise<Findings<unknown>> {
  const { isSilent, problem } = await look(folder, "read");
  if (!isSilent) return make();
  const checks = new Checks(section);
  checks.fail(`${folder} cannot be read: ${problem}.`);
  return { checks: checks.list, json: null };
}

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
