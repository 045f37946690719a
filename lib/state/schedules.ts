/** Which jobs are on, and when each comes: from the crontab that crond reads, else from what entry would write. */

import type { Settings } from "../config/settings.ts";
import { readIfThere } from "../files/files.ts";
import { type Cron, CronError, nextTimes, parseCron } from "../schedule/cron.ts";
import { crontabPath, readCrontabLine, scheduleOf } from "../schedule/schedule.ts";
import type { Zone } from "../time/zone.ts";

export interface Schedule {
  readonly job: string;
  readonly expression: string;
  /** Absent when crond could not read the expression. */
  readonly cron?: Cron;
  readonly problem?: string;
}

export interface Crontab {
  readonly source: "file" | "environment";
  readonly path: string;
  /** Lines that crond runs. */
  readonly line_count: number;
}

export interface Schedules {
  readonly crontab: Crontab;
  readonly schedules: readonly Schedule[];
}

/** A crontab in which none of our jobs stands is somebody else's: the environment counts then. */
export function schedulesOf(settings: Settings): Schedules {
  const path = crontabPath(settings);
  const schedules = schedulesIn(textAt(path));
  if (schedules.length > 0) {
    return { crontab: { source: "file", path, line_count: schedules.length }, schedules };
  }
  const planned = scheduleOf(settings).filter(({ expression }) => expression !== "");
  return { crontab: { source: "environment", path, line_count: planned.length }, schedules: planned };
}

/** The lines that run a job under locked_run. Pure. */
export function schedulesIn(crontab: string): Schedule[] {
  return crontab.split("\n").flatMap((line) => {
    const { expression, command } = readCrontabLine(line) ?? { expression: "", command: "" };
    const job = /(?:^|\/)locked_run\s+([\w.-]+)(?:\s|$)/.exec(command)?.[1];
    return job === undefined ? [] : [{ job, expression, ...read(expression) }];
  });
}

function read(expression: string): Pick<Schedule, "cron" | "problem"> {
  try {
    return { cron: parseCron(expression) };
  } catch (error) {
    if (!(error instanceof CronError)) throw error;
    return { problem: `crond cannot read ${JSON.stringify(expression)}: ${error.message}.` };
  }
}

function textAt(path: string): string {
  try {
    return readIfThere(path) ?? "";
  } catch {
    // Another user's crontab: what the environment says must do.
    return "";
  }
}

/**
 * How late a job may be, in seconds: a tenth of the time between two runs, but two minutes at the least and an hour
 * at the most. crond looks at the clock once a minute and a start takes a second, so two minutes are late for
 * certain; the tenth forgives what delays an hourly or a daily job without harm: a container that is made anew over
 * the tick, a host that slept, a clock that was set.
 */
export function slackOf(interval: number): number {
  return Math.min(3600, Math.max(120, Math.round(interval / 10)));
}

export interface Due {
  /** When the run after `started` was to begin; undefined when the expression names no day that comes. */
  readonly expected: number | undefined;
  readonly isOverdue: boolean;
}

/** Is the run after the one that ended at `finished` late? All in epoch seconds. Pure. */
export function dueOf(cron: Cron, finished: number, now: number, zone: Zone): Due {
  const [expected, after] = nextTimes(cron, finished, zone, 2);
  if (expected === undefined) return { expected, isOverdue: false };
  const interval = after === undefined ? 3600 * 24 : after - expected;
  return { expected, isOverdue: now > expected + slackOf(interval) };
}
