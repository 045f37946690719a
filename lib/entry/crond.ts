/** busybox's crond as a child, and what it says in the log. */

import { closeSync } from "node:fs";
import { descendantsOf } from "../process/family.ts";
import { SafeLines } from "../process/lines.ts";
import { openPipe } from "../process/pipe.ts";
import { pump } from "../process/pump.ts";
import { type Child, type Exit, signal, spawn } from "../process/spawn.ts";
import { within } from "../process/timer.ts";
import { streamOf } from "../runtime.ts";
import type { Scheduler, Start } from "./scene.ts";

/** crond's level of what is not usual: its greeting and a line per job are left out, the run's own lines say more. */
const UNUSUAL = "9";
/** How long crond's last words are waited for once it has ended, in milliseconds. */
const LAST_WORDS_MS = 200;
/** Milliseconds that crond gets to end after SIGTERM, which it does not handle. */
const GONE_MS = 500;

export class Crond implements Scheduler {
  readonly died: Promise<string>;
  private stopping = false;

  private constructor(
    private readonly child: Child,
    words: Promise<void>,
  ) {
    this.died = new Promise((resolve) => {
      void child.exited.then(async (exit) => {
        // A job may hold the pipe open; what crond itself said last is there within a moment.
        await within(LAST_WORDS_MS, words);
        if (!this.stopping) resolve(`crond ended (${howOf(exit)})`);
      });
    });
  }

  static async start({ log, settings, env }: Start): Promise<Crond> {
    // crond opens its log by name for every line, which a socket, as Bun gives it for a pipe, does not allow.
    const path = `${settings.text("LOCK_DIR")}/crond.pipe`;
    const pipe = await openPipe(path, env);
    const child = spawn(
      ["crond", "-f", "-l", UNUSUAL, "-L", pipe ? path : "/dev/stderr", "-c", settings.text("CRONTAB_DIR")],
      {
        // It takes the jobs' shell from here; a bash would stay as a process beside each job.
        env: { ...env, SHELL: "/bin/sh" },
        stdout: pipe?.write ?? "inherit",
        stderr: pipe?.write ?? "inherit",
        // Ctrl-C on a terminal is for us: the jobs get what we make of it, once.
        session: true,
      },
    );
    log.info(`crond started (pid ${child.pid}).`);
    if (pipe === undefined) return new Crond(child, Promise.resolve());
    const stream = streamOf(pipe.read);
    closeSync(pipe.write);
    const lines = new SafeLines(log.mask);
    const { done } = pump(stream, {
      take: (bytes) => void log.output("crond", lines.push(bytes)),
      end: () => log.output("crond", lines.end()),
    });
    return new Crond(child, done);
  }

  async stop(): Promise<number[]> {
    this.stopping = true;
    const { pid, exited } = this.child;
    // Stopped first, so that it cannot start a job between our look and its end.
    signal(pid, "SIGSTOP");
    const jobs = descendantsOf([pid]);
    signal(pid, "SIGTERM");
    signal(pid, "SIGCONT");
    if (!(await within(GONE_MS, exited))) signal(pid, "SIGKILL");
    return jobs;
  }
}

const howOf = ({ code, signal }: Exit): string =>
  signal === undefined ? `exit ${code}` : `killed by ${signal}`;
