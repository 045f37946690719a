/**
 * Which jobs are scheduled, and when each is due: by the crontab that crond reads, or, where none of our jobs is in
 * it, by the environment, from which entry would write it. status, doctor and config-check all ask here.
 */

import type { Settings } from "../config/settings.ts";
import { Context } from "../context.ts";
import type { Environment } from "../environment.ts";
import { readIfThere } from "../files/files.ts";
import { type Cron, CronError, nextTimes, parseCron } from "../schedule/cron.ts";
import { crontabPath, plannedJobs, readCrontabLine, variableOf } from "../schedule/schedule.ts";
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

/**
 * What doctor, status and config-check look at: the context of a tool, and the schedules. It is silent about odd
 * values: config-check and doctor have checks of their own for them.
 */
export class Scheduled extends Context {
  readonly schedules: Schedules;

  /**
   * `planned` is the environment that entry is about to write the crontab from: it is judged as if it stood there already.
   */
  constructor(tool: string, planned?: Environment) {
    super(tool, { onOddValue: () => {}, ...(planned === undefined ? {} : { env: planned }) });
    this.schedules =
      planned === undefined ? readSchedules(this.settings) : planSchedules(this.settings, "file");
  }
}

/** A crontab without any of our jobs is another program's: the environment counts then. Throws nothing. */
export function readSchedules(settings: Settings): Schedules {
  const path = crontabPath(settings);
  const schedules = parseCrontab(textAt(path));
  if (schedules.length > 0) {
    return { crontab: { source: "file", path, line_count: schedules.length }, schedules };
  }
  return planSchedules(settings, "environment");
}

/** What entry would write, by the environment. */
function planSchedules(settings: Settings, source: Crontab["source"]): Schedules {
  const planned = plannedJobs(settings).filter(({ expression }) => expression !== "");
  const crontab = { source, path: crontabPath(settings), line_count: planned.length };
  return { crontab, schedules: planned };
}

/** The schedule of a job; undefined when it is not scheduled. */
export const scheduleFor = ({ schedules }: Schedules, job: string): Schedule | undefined =>
  schedules.find((schedule) => schedule.job === job);

/** What schedules a job, or does not: `FORGET_CRON is set`, `/…/root does not schedule forget`. */
export function scheduleReason(all: Schedules, job: string): string {
  const isScheduled = scheduleFor(all, job) !== undefined;
  const { source, path } = all.crontab;
  if (source === "file") return `${path} ${isScheduled ? "schedules" : "does not schedule"} ${job}`;
  return `${variableOf(job) ?? job} is ${isScheduled ? "" : "not "}set`;
}

/** The lines that run a job under locked_run. Pure. */
export function parseCrontab(crontab: string): Schedule[] {
  return crontab.split("\n").flatMap((line) => {
    const { expression, command } = readCrontabLine(line) ?? { expression: "", command: "" };
    const job = lockedJob(command);
    return job === undefined ? [] : [{ job, expression, ...parseExpression(expression) }];
  });
}

/** The job that a command runs under locked_run; undefined for any other command. Pure. */
export const lockedJob = (command: string): string | undefined =>
  /(?:^|\/)locked_run\s+([\w.-]+)(?:\s|$)/.exec(command)?.[1];

function parseExpression(expression: string): Pick<Schedule, "cron" | "problem"> {
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
    // Another user's crontab, or no file at all: the environment is the best that is known.
    return "";
  }
}

/**
 * How late a job may be, in seconds: a tenth of the time between two runs, but at least two minutes and at most an
 * hour. crond looks at the clock once a minute and a start takes a second, so a delay of two minutes is certainly
 * late; the tenth forgives what delays an hourly or a daily job without harm: a container that is recreated over the
 * tick, a host that slept, a clock that was set.
 */
export function lateAfter(interval: number): number {
  return Math.min(3600, Math.max(120, Math.round(interval / 10)));
}

export interface Due {
  /** When the run after `finished` was to begin; undefined when the expression names no day that comes. */
  readonly expected: number | undefined;
  readonly isOverdue: boolean;
}

/** Is the run after the one that ended at `finished` late? All in epoch seconds. Pure. */
export function judgeDue(cron: Cron, finished: number, now: number, zone: Zone): Due {
  const [expected, after] = nextTimes(cron, finished, zone, 2);
  if (expected === undefined) return { expected, isOverdue: false };
  const interval = after === undefined ? 3600 * 24 : after - expected;
  return { expected, isOverdue: now > expected + lateAfter(interval) };
}
