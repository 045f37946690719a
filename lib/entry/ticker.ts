/** Starts jobs by a crontab as busybox's crond does, where crond itself cannot. */

import type { Context } from "../context.ts";
import { reasonOf } from "../errors.ts";
import { spawn } from "../process/spawn.ts";
import { after } from "../process/timer.ts";
import { type Cron, nextTimes, parseCron } from "../schedule/cron.ts";
import { readCrontabLine } from "../schedule/schedule.ts";
import { localZone } from "../time/zone.ts";
import type { Scheduler } from "./start.ts";

interface Job {
  readonly cron: Cron;
  readonly command: string;
  /** Of the one that runs; a second one is not started beside it, as crond has it. */
  pid: number | undefined;
}

/** After a clock that jumped further than so many seconds crond begins anew and makes up for nothing. */
const JUMP_SECONDS = 3600;

export class Ticker implements Scheduler {
  /** It ends with us only. */
  readonly died = new Promise<string>(() => {});
  private readonly jobs: Job[];
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

  /** Until the next full minute, on which crond looks too. */
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

  private begin(job: Job): void {
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
