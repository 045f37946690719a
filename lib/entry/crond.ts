/** Who starts the jobs: busybox's crond, as a child whose words are heard, where it can; entry itself where it cannot. */

import { closeSync, readFileSync } from "node:fs";
import type { Context } from "../context.ts";
import { type Started, startChild } from "../process/child.ts";
import { familyMembers } from "../process/proc.ts";
import { CannotStart, type Child, type Exit, resolveProgram, signal } from "../process/spawn.ts";
import { within } from "../process/stop.ts";
import type { Complaints, Ear } from "./complaints.ts";
import type { Scheduler } from "./start.ts";
import { Ticker } from "./ticker.ts";

/** The log level from which on crond says that it ignores a file; what it says beyond that is told apart in complaints.ts. */
const LOG_LEVEL = "7";
/** Milliseconds that crond's last words are waited for once it has ended. */
const LAST_WORDS_MS = 200;
/** Milliseconds that crond gets to end after SIGTERM, which it does not handle. */
const GONE_MS = 500;

export class Crond implements Scheduler {
  readonly died: Promise<string>;
  readonly pid: number;
  private readonly child: Child;
  private stopping = false;

  private constructor({ child }: Started, ear: Ear) {
    this.child = child;
    this.pid = child.pid;
    this.died = new Promise((resolve) => {
      void child.exited.then(async (exit) => {
        // A job may hold the pipe open; what crond itself wrote last arrives within a moment.
        await within(LAST_WORDS_MS, ear.ended);
        if (!this.stopping) resolve(`crond ended (${exitWords(exit)})`);
      });
    });
  }

  static async start({ log, settings, env }: Context, complaints: Complaints): Promise<Crond> {
    const ear = await complaints.listen("crond");
    try {
      // crond opens its log by name for every line.
      const crond = startChild(
        ["crond", "-f", "-l", LOG_LEVEL, "-L", "/dev/stderr", "-c", settings.text("CRONTAB_DIR")],
        {
          // crond runs the jobs with this shell; bash would stay as a process beside each job.
          env: { ...env, SHELL: "/bin/sh" },
          cwd: "/",
          // A job that cannot append to cron.log writes here.
          stdout: "inherit",
          stderr: ear.write ?? "inherit",
        },
      );
      log.info(`crond started (pid ${crond.child.pid}).`);
      return new Crond(crond, ear);
    } finally {
      // From here on only crond and its jobs hold it: it ends with them.
      if (ear.write !== undefined) closeSync(ear.write);
    }
  }

  /** All that crond has started and that has not left its session, and their children: also when crond is dead. */
  jobs(): number[] {
    const family = familyMembers({ leader: this.pid, marks: [] });
    return family.map(({ pid }) => pid).filter((pid) => pid !== this.pid);
  }

  async stop(): Promise<number[]> {
    this.stopping = true;
    const { pid, exited } = this.child;
    // Suspended first, so that it cannot start a job after we have looked for them.
    signal(pid, "SIGSTOP");
    const jobs = this.jobs();
    signal(pid, "SIGTERM");
    signal(pid, "SIGCONT");
    if (!(await within(GONE_MS, exited))) signal(pid, "SIGKILL");
    return jobs;
  }
}

const exitWords = ({ code, signal }: Exit): string =>
  signal === undefined ? `exit ${code}` : `killed by ${signal}`;

/** Linux, capability.h. */
const CAP_SETGID = 6n;

/** `crontab` is the text that stands in CRONTAB_DIR. */
export async function startScheduler(
  context: Context,
  crontab: string,
  complaints: Complaints,
): Promise<Scheduler> {
  const problem = whyNoCrond(context);
  if (problem === undefined) return Crond.start(context, complaints);
  context.log.info(`crond cannot be used (${problem}): entry starts the jobs itself, by the same crontab.`);
  return Ticker.start(context, crontab, complaints);
}

/**
 * busybox's crond reads a crontab that root owns and nobody else's, and calls setgroups(2) before every job: as
 * another user, or as a root without CAP_SETGID, it stays alive and runs nothing (measured, 1.35).
 */
function whyNoCrond({ env }: Context): string | undefined {
  if (process.geteuid?.() !== 0) return "it runs jobs for root only";
  if (!hasCapability(CAP_SETGID)) return "without CAP_SETGID it runs no job";
  try {
    resolveProgram("crond", env.PATH);
    return undefined;
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    return error.message.replace(/\.$/, "");
  }
}

function hasCapability(bit: bigint): boolean {
  try {
    const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
    return ((BigInt(`0x${effective ?? "0"}`) >> bit) & 1n) === 1n;
  } catch {
    // No /proc: root usually has its capabilities.
    return true;
  }
}
