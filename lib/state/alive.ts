/**
 * Is the schedule of this container alive? entry leaves a mark of itself, of its scheduler and of the crontab that it
 * wrote; `status --alive` holds it against what is there. What the runs came to is never asked: who restarts a container
 * over a failed backup only interrupts the next one.
 */

import { statSync } from "node:fs";
import { variables } from "../config/variables.ts";
import { discard, readIfThere, replaceFile } from "../files/files.ts";
import { epochOfTicks, processName, readStat } from "../process/proc.ts";
import { nextTimes } from "../schedule/cron.ts";
import { CRON_VARIABLES } from "../schedule/schedule.ts";
import { plural } from "../text.ts";
import { stamp, type Zone } from "../time/zone.ts";
import { isRunning, markerPath, readMark } from "./marker.ts";
import { isAhead, readLastRun } from "./record.ts";
import { lateAfter, parseCrontab, type Schedule, type Scheduled, scheduleFor } from "./schedules.ts";
import { unrecordedText } from "./unrecorded.ts";

/** With its start in ticks since boot a pid names one process only. */
export interface ProcessMark {
  readonly pid: number;
  readonly ticks: number;
}

/** What entry's mark holds. */
export interface EntryMark {
  readonly entry: ProcessMark;
  /** crond, or entry itself; absent while entry still makes ready. */
  readonly scheduler?: ProcessMark;
  /** Where the crontab is, and what entry wrote there. */
  readonly crontab?: { readonly path: string; readonly text: string };
  /** Epoch seconds: no job is late from before the schedule began. */
  readonly since_epoch: number;
  /** What the container runs instead of the schedule. */
  readonly command?: string;
}

/** Not `*.run.json`: entry is not a run, and is not ended as one. */
const entryMarkPath = (lockDir: string): string => `${lockDir}/entry.json`;

export const processMark = (pid: number = process.pid): ProcessMark => ({
  pid,
  ticks: readStat(pid)?.ticks ?? 0,
});

/** Throws when it cannot be written. */
export function writeEntryMark(lockDir: string, mark: EntryMark): void {
  replaceFile(entryMarkPath(lockDir), `${JSON.stringify(mark)}\n`, { durable: false });
}

/** Only this process's own: a second entry, started by hand, may have left another. */
export function discardEntryMark(lockDir: string): void {
  if (readEntryMark(lockDir)?.entry.pid === process.pid) discard(entryMarkPath(lockDir));
}

/** The mark; undefined when there is none, or none that can be understood. */
export function readEntryMark(lockDir: string): EntryMark | undefined {
  try {
    const mark = JSON.parse(readIfThere(entryMarkPath(lockDir)) ?? "null") as Partial<EntryMark> | null;
    const isMark = typeof mark?.entry?.pid === "number" && typeof mark.since_epoch === "number";
    return isMark ? (mark as EntryMark) : undefined;
  } catch {
    // Torn by a power cut, or unreadable: it names no process.
    return undefined;
  }
}

/** Does an entry live here that has left its mark? */
export function isEntered(lockDir: string): boolean {
  const mark = readEntryMark(lockDir);
  return mark !== undefined && isThere(mark.entry);
}

export interface Alive {
  readonly alive: boolean;
  /** Complete sentences: what is wrong, or, where nothing is, how it stands. */
  readonly reasons: readonly string[];
}

export interface AliveView {
  readonly workers: readonly string[];
  readonly logDir: string;
  readonly lockDir: string;
  /** Epoch seconds. */
  readonly now: number;
  readonly zone: Zone;
}

/** While a run goes on the answer is yes: a restart would interrupt it, and can wait for its end. */
export function judgeAlive(view: AliveView): Alive {
  const { lockDir, workers } = view;
  const running = workers.filter((worker) => {
    const mark = readMark(markerPath(lockDir, worker));
    return mark !== undefined && isRunning(mark);
  });
  const problems = problemsOf(view);
  const notes = workers.flatMap((worker) => lastRunNotes(worker, view));
  if (running.length > 0) {
    const said = `Not to be interrupted: ${running.join(", ")}.`;
    return { alive: true, reasons: [said, ...problems, ...notes] };
  }
  if (problems.length > 0) return { alive: false, reasons: [...problems, ...notes] };
  const mark = readEntryMark(lockDir);
  if (mark?.scheduler === undefined) return { alive: true, reasons: ["entry makes ready.", ...notes] };
  return {
    alive: true,
    reasons: [`The scheduler runs (pid ${mark.scheduler.pid}); no job is long overdue.`, ...notes],
  };
}

/** What makes its last record worth little: it says nothing of whether the schedule lives. */
function lastRunNotes(job: string, view: AliveView): string[] {
  const { logDir, now, zone } = view;
  const { record, unrecorded } = readLastRun(view, job);
  if (record === undefined) return [];
  const notes: string[] = [];
  if (unrecorded !== undefined)
    notes.push(`The last run of ${job} ${unrecordedText(record, unrecorded, logDir, zone)}`);
  if (isAhead(record, now)) {
    const when = stamp(record.finished_epoch * 1000, zone);
    notes.push(`The last run of ${job} ended at ${when}, which is still to come. Was the clock set back?`);
  }
  return notes;
}

function problemsOf(view: AliveView): string[] {
  const mark = readEntryMark(view.lockDir);
  if (mark === undefined) {
    return [
      `No schedule runs here: entry has left no mark in ${view.lockDir}. Start the container with the command of its image.`,
    ];
  }
  const { entry, scheduler, crontab, command } = mark;
  if (!isThere(entry)) return [`entry (pid ${entry.pid}) is dead: no job will be started.`];
  if (command !== undefined) return [`No schedule runs here: the command of this container is ${command}.`];
  if (scheduler === undefined || crontab === undefined) return [];
  if (!isThere(scheduler)) return [`The scheduler (pid ${scheduler.pid}) is dead: no job will be started.`];
  if (isAnother(crontab)) {
    return [
      `The crontab ${crontab.path} is not what entry wrote there: the jobs of this container may not be started.`,
    ];
  }
  const since = scheduleStart(mark, scheduler, view.now);
  return parseCrontab(crontab.text).flatMap((schedule) => longOverdue(schedule, since, view) ?? []);
}

/**
 * Why no job that is meant to run will be started; undefined where a schedule is there, may still come, or nothing is
 * meant: where no variable schedules a job, a timer of the host or an orchestrator may start each of them.
 */
export function missingSchedule(view: Scheduled): string | undefined {
  const { crontab, schedules } = view.schedules;
  // What stands there may start jobs in a way of its own.
  if (crontab.source === "file" || !isBlank(crontab.path)) return undefined;
  const mark = readEntryMark(view.lockDir);
  const entered = mark !== undefined && isThere(mark.entry) ? mark : undefined;
  if (entered !== undefined && entered.command === undefined) return undefined;
  if (mark?.scheduler !== undefined && isThere(mark.scheduler)) return undefined;
  // Nothing but this command was asked for: `docker run ... doctor`, a timer of the host.
  if (isOwnCommand()) return undefined;
  const meant = CRON_VARIABLES.filter((name) => view.settings.env[name] && view.settings.text(name) !== "");
  // The image's own defaults are what its entry would have scheduled.
  const jobs =
    entered !== undefined
      ? schedules.map(({ job }) => job)
      : meant
          .map((name) => variables[name].job)
          .filter((job) => scheduleFor(view.schedules, job) !== undefined);
  if (jobs.length === 0) return undefined;
  const are = jobs.length === 1 ? "is" : "are";
  const why =
    entered !== undefined
      ? `the command of this container is ${entered.command}`
      : `there is no crontab ${crontab.path}, and no entry with its scheduler`;
  const other =
    meant.length === 0
      ? ""
      : ` If something else starts ${jobs.length === 1 ? "it" : "them"}, unset ${meant.join(", ")}.`;
  return (
    `No schedule runs here: ${jobs.join(", ")} ${are} enabled, but ${why}. Start the container with the command of its ` +
    `image, which is entry.${other}`
  );
}

/** Programs that start the one command of a container, or the timers of a host. */
const INITS = new Set(["tini", "docker-init", "dumb-init", "catatonit", "podman-init", "systemd", "init"]);

/** Is this process what the container was started for, or what an init of the host has started? */
function isOwnCommand(): boolean {
  if (process.pid === 1) return true;
  return INITS.has(processName(process.ppid));
}

/**
 * Since when the jobs could have been started, in epoch seconds: entry's word, or else the age of the crontab; undefined
 * where nobody knows.
 */
export function scheduledSince(view: Scheduled, now: number): number | undefined {
  const mark = readEntryMark(view.lockDir);
  if (mark?.scheduler !== undefined) return scheduleStart(mark, mark.scheduler, now);
  // entry makes ready: no job is due yet.
  if (mark !== undefined && mark.command === undefined && isThere(mark.entry)) return now;
  return view.schedules.crontab.source === "file" ? writtenAt(view.schedules.crontab.path) : undefined;
}

function writtenAt(path: string): number | undefined {
  try {
    return Math.floor(statSync(path).mtimeMs / 1000);
  } catch {
    // It has gone since it was read.
    return undefined;
  }
}

/** Is there no crontab, or an empty one? One that this user may not read holds something. */
function isBlank(path: string): boolean {
  try {
    return (readIfThere(path) ?? "").trim() === "";
  } catch {
    return false;
  }
}

/** Under a clock that was set back since, the mark names a time to come; the kernel knows when the scheduler began. */
function scheduleStart({ since_epoch }: EntryMark, { ticks }: ProcessMark, now: number): number {
  if (!isAhead({ started_epoch: since_epoch, finished_epoch: 0 }, now)) return since_epoch;
  return Math.floor((epochOfTicks(ticks) ?? 0) / 1000) || now;
}

const isThere = (mark: ProcessMark): boolean => {
  const stat = readStat(mark.pid);
  return stat !== undefined && stat.state !== "Z" && stat.ticks === mark.ticks;
};

function isAnother({ path, text }: { readonly path: string; readonly text: string }): boolean {
  try {
    return readIfThere(path) !== text;
  } catch {
    // It is root's alone, and another user asks: that says nothing of what it holds.
    return false;
  }
}

/** Intervals that a job may miss: a night's outage, or a clock that was set, does not mean a dead scheduler. */
const MISSED_MOST = 2;

/** Counted from the end of the last run, whatever it came to, or from the start of the schedule. */
function longOverdue({ job, cron }: Schedule, since: number, view: AliveView): string | undefined {
  if (cron === undefined) return undefined;
  const { now, zone } = view;
  const finished = readLastRun(view, job).record?.finished_epoch ?? 0;
  // A record of the future, from before the clock was set back, says nothing of when the next is due.
  const from = Math.max(since, finished > now ? 0 : finished);
  const [expected, ...later] = nextTimes(cron, from, zone, MISSED_MOST + 1);
  const last = later[MISSED_MOST - 1];
  if (expected === undefined || last === undefined) return undefined;
  const slack = lateAfter((last - expected) / MISSED_MOST);
  if (now <= last + slack) return undefined;
  return (
    `${job} is overdue by more than ${plural(MISSED_MOST, "interval")}: its run of ` +
    `${stamp(expected * 1000, zone)} has not come.`
  );
}
