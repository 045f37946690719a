/** Starts the jobs of a crontab as busybox's crond does, in containers where crond itself cannot run. */

import { existsSync } from "node:fs";
import type { Context } from "../context.ts";
import { reasonOf } from "../errors.ts";
import { spawn } from "../process/spawn.ts";
import { after } from "../process/stop.ts";
import { type Cron, nextTimes, parseCron } from "../schedule/cron.ts";
import { readCrontabLine } from "../schedule/schedule.ts";
import { localZone } from "../time/zone.ts";
import type { Complaints, Ear } from "./complaints.ts";
import type { Scheduler } from "./start.ts";

interface CrontabJob {
  readonly cron: Cron;
  readonly command: string;
  /** Of the running one; undefined between runs. Like crond, the ticker starts no second one beside it: it is skipped. */
  pid: number | undefined;
}

/** After the clock has jumped by more than this, crond does not make up for the jobs that it missed. */
const JUMP_SECONDS = 3600;

export class Ticker implements Scheduler {
  /** Never: the ticker is part of this process. */
  readonly died = new Promise<string>(() => {});
  readonly pid = process.pid;
  private readonly crontab: CrontabJob[];
  private last = Math.floor(Date.now() / 1000);
  private cancel = () => {};

  private constructor(
    private readonly context: Context,
    crontab: string,
    private readonly complaints: Complaints,
    private readonly ear: Ear,
  ) {
    this.crontab = crontab.split("\n").flatMap((line) => {
      const read = readCrontabLine(line);
      return read === undefined
        ? []
        : [{ cron: parseCron(read.expression), command: read.command, pid: undefined }];
    });
    this.wait();
  }

  static async start(context: Context, crontab: string, complaints: Complaints): Promise<Ticker> {
    return new Ticker(context, crontab, complaints, await complaints.listen("job"));
  }

  jobs(): number[] {
    return this.crontab.flatMap(({ pid }) => pid ?? []);
  }

  async stop(): Promise<number[]> {
    this.cancel();
    return this.jobs();
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
    for (const job of this.crontab) {
      const [due] = nextTimes(job.cron, since, localZone(), 1);
      if (due === undefined || due > now) continue;
      if (job.pid === undefined) this.begin(job);
      else this.complaints.skipped(job.command);
    }
  }

  private begin(job: CrontabJob): void {
    try {
      const child = spawn(["/bin/sh", "-c", job.command], {
        env: this.context.env,
        cwd: startFolder(),
        // A job that cannot append to cron.log writes here.
        stdout: "inherit",
        stderr: this.ear.write ?? "inherit",
        session: true,
      });
      job.pid = child.pid;
      void child.exited.then(() => {
        job.pid = undefined;
      });
    } catch (error) {
      this.complaints.hear("job", `${job.command} cannot be started: ${reasonOf(error)}`);
    }
  }
}

/** Ours; `/` once somebody has deleted that folder, in which the runtime refuses to start. */
function startFolder(): string {
  try {
    const folder = process.cwd();
    return existsSync(folder) ? folder : "/";
  } catch {
    // getcwd(2) finds none.
    return "/";
  }
}
