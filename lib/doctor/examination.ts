/** The sections of the report in their order. All are begun at once, so that the slow ones run side by side. */

import { maskRepository } from "../mask.ts";
import type { Findings, Section } from "./check.ts";
import { configuration } from "./configuration.ts";
import { knownRepository } from "./credentials.ts";
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

export function examineHooks(patient: Patient): Examined {
  return { section: "Hooks", key: "hooks", findings: hooks(patient) };
}

export function examine(patient: Patient): Promise<Examined>[] {
  const { settings, known, nowMs } = patient;
  const part = async (section: Section, key: string | undefined, findings: Promise<Findings<unknown>>) => ({
    section,
    key,
    findings: await findings,
  });
  // Those that wait for other programs go first; the rest is done meanwhile.
  const asked = runtime(patient);
  const probed = probe(patient);
  const entries = knownRepository(settings).then(({ name }) =>
    entriesOf(settings, known, name === undefined ? undefined : maskRepository(name)),
  );
  return [
    part("Runtime", "runtime", asked),
    part("Effective environment", "environment", entries.then(effectiveEnvironment)),
    part("Configuration checks", undefined, configuration(patient)),
    part("Repository probe", "repository_probe", probed),
    part(
      "Replicate",
      "replicate",
      entries.then((all) => replicate(settings, all)),
    ),
    Promise.resolve(examineHooks(patient)),
    part("Recent runs", "recent_json", Promise.resolve(recentRuns(patient))),
    part("Recent cron log", undefined, Promise.resolve(cronLog(settings.text("LOG_DIR"), nowMs))),
  ];
}
