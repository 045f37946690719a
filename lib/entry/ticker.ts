/** Starts the jobs of a crontab as busybox's crond does, in containers where crond itself cannot run. */

import type { Context } from "../context.ts";
import { reasonOf } from "../errors.ts";
import { spawn } from "../process/spawn.ts";
import { after } from "../process/stop.ts";
import { type Cron, nextTimes, parseCron } from "../schedule/cron.ts";
import { readCrontabLine } from "../schedule/schedule.ts";
import { localZone } from "../time/zone.ts";
import type { Scheduler } from "./start.ts";

interface CrontabJob {
  readonly cron: Cron;
  readonly command: string;
  /** Of the running one; undefined between runs. Like crond, the ticker starts no second one beside it. */
  pid: number | undefined;
}

/** After the clock has jumped by more than this, crond does not make up for the jobs that it missed. */
const JUMP_SECONDS = 3600;

export class Ticker implements Scheduler {
  /** Never: the ticker is part of this process. */
  readonly died = new Promise<string>(() => {});
  readonly pid = process.pid;
  private readonly jobs: CrontabJob[];
  private last = Math.floor(Date.now() / 1000);
  private cancel = () => {};

  constructor(
    private readonly context: Context,
    crontab: string,
  ) {
    this.jobs = crontab.split("\n").flatMap((line) => {
      const read = readCrontabLine(line);
      return read === undefined
        ? []
        : [{ cron: parseCron(read.expression), command: read.command, pid: undefined }];
    });
    this.wait();
  }

  async stop(): Promise<number[]> {
    this.cancel();
    return this.jobs.flatMap(({ pid }) => pid ?? []);
  }

  /** Waits for the next full minute, when crond looks at its jobs too. */
  private wait(): void {
    this.cancel = after(60_000 - (Date.now() % 60_000), () => {
      this.tick(Math.floor(Date.now() / 1000));
      this.wait();
    });
  }

  private tick(now: number): void {
    const jumped = now < this.last || now - this.last > JUMP_SECONDS;
    const since = jumped ? now - 60 : this.last;
    this.last = now;
    for (const job of this.jobs) {
      const [due] = nextTimes(job.cron, since, localZone(), 1);
      if (due !== undefined && due <= now && job.pid === undefined) this.begin(job);
    }
  }

  private begin(job: CrontabJob): void {
    const { env, log } = this.context;
    try {
      const child = spawn(["/bin/sh", "-c", job.command], {
        env,
        stdout: "inherit",
        stderr: "inherit",
        session: true,
      });
      job.pid = child.pid;
      void child.exited.then(() => {
        job.pid = undefined;
      });
    } catch (error) {
      log.error(`${job.command} cannot be started: ${reasonOf(error)}`);
    }
  }
}
