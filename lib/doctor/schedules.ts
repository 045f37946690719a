/** Checks of the cron expressions. */

import { type Settings, screaming } from "../config/settings.ts";
import { type NameOf, type Variable, variables } from "../config/variables.ts";
import { CronError, parseCron } from "../cron/expression.ts";
import { nextTimes } from "../cron/next.ts";
import { stamp } from "../time/format.ts";
import type { Zone } from "../time/zone.ts";
import type { Checks } from "./check.ts";

export function judgeSchedules(checks: Checks, settings: Settings, nowMs: number, zone: Zone): void {
  for (const [name, { kind }] of Object.entries<Variable>(variables)) {
    if (kind !== "cron") continue;
    const text = settings.text(name as NameOf<"cron">);
    if (text !== "") judgeSchedule(checks, name, text, nowMs, zone);
  }
}

function judgeSchedule(checks: Checks, name: string, text: string, nowMs: number, zone: Zone): void {
  try {
    const cron = parseCron(text);
    const [next] = nextTimes(cron, Math.floor(nowMs / 1000), zone, 1);
    if (next === undefined) checks.warn(`${name}=${text} never comes: no day matches it.`);
    else checks.ok(`${name}=${text} comes next at ${stamp(next * 1000, zone)}.`);
    for (const note of cron.notes) checks.warn(`${name}: ${note}.`);
  } catch (error) {
    if (!(error instanceof CronError)) throw error;
    checks.fail(`${name}: ${error.message}.`);
  }
}

/** The variable that schedules a worker: `restore-test` → `RESTORE_TEST_CRON`; undefined when there is none. */
export function scheduleOf(worker: string): NameOf<"cron"> | undefined {
  const name = `${screaming(worker)}_CRON`;
  return Object.entries<Variable>(variables).some(([each, { kind }]) => each === name && kind === "cron")
    ? (name as NameOf<"cron">)
    : undefined;
}
