/** The sections of the report in their order. All are begun at once, so that the slow ones run side by side. */

import { bugReport } from "../errors.ts";
import { accessWithin } from "../files/within.ts";
import { Checks, type DoctorContext, type Findings, type Section } from "./checks.ts";
import { configuration } from "./configuration.ts";
import { cronLog } from "./cron-log.ts";
import { buildEntries, effectiveEnvironment, readImageDefaults } from "./effective-environment.ts";
import { hooks } from "./hooks.ts";
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

export function examineHooks(patient: DoctorContext): Promise<Examined> {
  return part(
    "Hooks",
    "hooks",
    reading("Hooks", patient.hooksDir, () => hooks(patient)),
  );
}

export function examine(patient: DoctorContext): Promise<Examined>[] {
  const { settings, known, logDir, nowMs } = patient;
  // Those that wait for other programs go first; the rest is done meanwhile.
  const asked = runtime(patient);
  const probed = probe(patient);
  const entries = buildEntries(settings, known, patient.shownRepository, readImageDefaults());
  return [
    part("Runtime", "runtime", asked),
    part("Effective environment", "environment", Promise.resolve(effectiveEnvironment(entries))),
    part("Configuration checks", undefined, configuration(patient)),
    part("Repository probe", "repository_probe", probed),
    part("Replicate", "replicate", replicate(patient, entries)),
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

/** An unexpected error ends its section only: the others may show what caused it. */
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

/** A section that reads a folder synchronously is left out when the folder does not answer: it would hang. */
async function reading(
  section: Section,
  folder: string,
  make: () => Findings<unknown> | Promise<Findings<unknown>>,
): Promise<Findings<unknown>> {
  const { isSilent, problem } = await accessWithin(folder, "read");
  if (!isSilent) return make();
  const checks = new Checks(section);
  checks.fail(`${folder} cannot be read: ${problem}.`);
  return { checks: checks.list, json: null };
}
