/**
 * What crond, and the shells and programs of the jobs, say on stderr. A job's own lines go to cron.log, so nearly all that
 * comes here is trouble: a line that crond cannot read, a user that it does not know, a fork that fails, a program that is
 * missing. Each line is an ERROR in the container's log, and what is new goes to the alert channels: perhaps no job starts.
 */

import type { Context } from "../context.ts";
import { EXIT, reasonOf } from "../errors.ts";
import { openPipe } from "../process/pipe.ts";
import { pump, writeTo } from "../process/pump.ts";
import { after, type Stop } from "../process/stop.ts";
import { streamOf } from "../runtime.ts";
import { lockedJob } from "../state/schedules.ts";
import { plural } from "../text.ts";
import { AGAIN_MS, tellFailedStart } from "./alert.ts";

/** Milliseconds that what is said at once has to come together in one alert. */
const GATHER_MS = 2000;
/** Milliseconds from one alert to the next: trouble that comes every minute in new words is one trouble. */
const APART_MS = 10 * 60_000;
/** Lines of an alert; the log has all of them. */
const LINES_MOST = 10;
/** Different words that are remembered, so that memory stays flat. */
const KNOWN_MOST = 1000;

/** crond's greeting, and its line for each job: a run logs more. */
const QUIET = /^(?:crond: )?(?:crond \(busybox .*\) started, log level |USER \S+ pid +\d+ cmd )/;
/** It goes to `/` then, and starts its job all the same (setup_environment of busybox); a clock that was set. */
const HARMLESS = /can't change directory to|time disparity of -?\d+ minutes detected/;
/** It starts no second process of a line beside the first: its job is skipped. */
const BUSY = /^(?:crond: )?user \S+: process already running: (.*)$/;

/** Hears what is written to a pipe. */
export interface Ear {
  /** The end to write to, for children; undefined where no pipe can be made: they get our stderr then. */
  readonly write: number | undefined;
  /** Resolves when nobody can write any more. */
  readonly ended: Promise<unknown>;
}

export class Complaints {
  /** When each of the words was reported, in milliseconds of performance.now(); numbers in them do not count. */
  private readonly reported = new Map<string, number>();
  private gathered: string[] = [];
  private nextMs = 0;
  private cancel: (() => void) | undefined;

  constructor(
    private readonly context: Context,
    private readonly stop: Stop,
  ) {}

  /** `source`: whose words they are, for the log. A named pipe: its writers may open it again, as `/dev/stderr`. */
  async listen(source: string): Promise<Ear> {
    const { settings, env, log } = this.context;
    const pipe = await openPipe(`${settings.text("LOCK_DIR")}/crond.pipe`, env);
    if (pipe === undefined) return { write: undefined, ended: Promise.resolve() };
    const hear = (lines: string) => {
      for (const line of lines.trimEnd().split("\n")) this.hear(source, line);
    };
    const { done } = pump(streamOf(pipe.read), writeTo(hear, log.mask));
    return { write: pipe.write, ended: done };
  }

  /** One line. */
  hear(source: string, line: string): void {
    const { log } = this.context;
    const busy = BUSY.exec(line)?.[1];
    if (busy !== undefined) this.skipped(busy);
    else if (HARMLESS.test(line)) log.warn(`${source} | ${line}`);
    else if (!QUIET.test(line)) this.complain(source, line);
  }

  /** The job of this command was due, and is not started since it still runs: as when locked_run finds its lock held. */
  skipped(command: string): void {
    const job = lockedJob(command);
    if (job === undefined) return;
    const own = this.context.forJob(job);
    const skipping = import("../run/skip.ts").then(({ skip }) => skip(own, own.lockPath, EXIT.ok));
    skipping.catch((error) => own.log.warn(`This skip of ${job} is not counted: ${reasonOf(error)}.`));
  }

  private complain(source: string, line: string): void {
    this.context.log.error(`${source} | ${line}`);
    const key = line.replace(/\d+/g, "0");
    const now = performance.now();
    const before = this.reported.get(key);
    if (before !== undefined && now - before < AGAIN_MS) return;
    if (this.reported.size >= KNOWN_MOST) this.reported.clear();
    this.reported.set(key, now);
    this.gathered.push(line);
    this.cancel ??= after(Math.max(GATHER_MS, this.nextMs - now), () => void this.report(source));
  }

  /** What has not been reported yet is not: the end of entry says more. */
  end(): void {
    this.cancel?.();
  }

  private async report(source: string): Promise<void> {
    const lines = this.gathered;
    this.gathered = [];
    this.cancel = undefined;
    this.nextMs = performance.now() + APART_MS;
    const more = lines.length - LINES_MOST;
    const said = lines.slice(0, LINES_MOST).join(" / ") + (more > 0 ? ` / ${plural(more, "more line")}` : "");
    const message = `A job may not have been started. ${source} says: ${said}. The container's log has the rest.`;
    try {
      await tellFailedStart(this.context, this.stop, { message, exitCode: EXIT.failed });
    } catch (error) {
      this.context.log.warn(`What ${source} says was not reported: ${reasonOf(error)}.`);
    }
  }
}
