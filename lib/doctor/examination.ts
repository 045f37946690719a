/** The sections of the report in their order. All are begun at once, so that the slow ones run side by side. */

import { bugReport } from "../errors.ts";
import { readImageDefaults } from "../image-defaults.ts";
import { look } from "../look.ts";
import { shownRepository } from "../run/scene.ts";
import { Checks, type Findings, type Section } from "./check.ts";
import { configuration } from "./configuration.ts";
import { cronLog } from "./cron-log.ts";
import { effectiveEnvironment, entriesOf } from "./environment.ts";
import { hooks } from "./hooks.ts";
import type { Patient } from "./patient.ts";
import { probe } from "./probe.ts";
import { replicate } from "./replicate.ts";
import { recentRuns } from "./runs.ts";
import { runtime } from "./runtime.ts";

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
  const entries = entriesOf(settings, known, shownRepository(settings), readImageDefaults());
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
