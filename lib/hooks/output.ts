/** A hook's output on its way into the log: in order, bounded in the run's own log, whole on stdout. */

import { closeSync } from "node:fs";
import type { ChildEnvironment } from "../environment.ts";
import type { Log } from "../log/log.ts";
import type { Mask } from "../mask.ts";
import { SafeLines } from "../process/lines.ts";
import { openPipe, type Pipe } from "../process/pipe.ts";
import { type Pump, pump } from "../process/pump.ts";
import { CannotStart, type Child, type Stdio, spawn } from "../process/spawn.ts";
import type { Stop } from "../process/stop.ts";
import { within } from "../process/timer.ts";
import { streamOf } from "../runtime.ts";
import { formatBytes } from "../units.ts";

export interface OutputPlan {
  readonly log: Log;
  readonly mask: Mask;
  /** The name before each line: the phase. */
  readonly source: string;
  /** Where the named pipe is. */
  readonly pipePath: string;
  readonly env: ChildEnvironment;
  /** Bytes that may go into the run's own log (HOOK_LOG_MAX_BYTES). */
  readonly fileMost: number;
}

/** So many bytes become log lines at once: the lines of `yes` are twenty-five times as long there. */
const PIECE = 16 * 1024;
/** How long what a daemon left behind still prints is waited for, in milliseconds (hooks.md). */
const DRAIN_MS = 1000;

export class HookOutput {
  bytes = 0;
  /** Bytes of log lines, with what stands before the hook's own words. */
  private inFile = 0;
  private leftOut = 0;
  private readonly pumps: Pump[] = [];

  private constructor(
    private readonly plan: OutputPlan,
    private readonly pipe: Pipe | undefined,
  ) {}

  static async open(plan: OutputPlan): Promise<HookOutput> {
    return new HookOutput(plan, await openPipe(plan.pipePath, plan.env));
  }

  /** What the child gets as its 1 and 2: one pipe, or two sockets where no pipe can be had. */
  get stdio(): Stdio {
    return this.pipe?.write ?? "pipe";
  }

  /** What /proc shows as the target of its 1 and 2; undefined where that does not tell it from others. */
  get target(): string | undefined {
    return this.pipe?.target;
  }

  /** Begins to read. From here on only the child and what it starts hold the other end. */
  follow(child: Child): void {
    const streams = this.pipe ? [streamOf(this.pipe.read)] : [child.stdout, child.stderr];
    if (this.pipe !== undefined) closeSync(this.pipe.write);
    for (const stream of streams) if (stream !== undefined) this.read(stream);
  }

  /** The child could not be started: nothing will come. */
  abandon(): void {
    if (this.pipe === undefined) return;
    closeSync(this.pipe.write);
    closeSync(this.pipe.read);
  }

  /**
   * Takes what is still in the pipe once the hook has ended. True when all of it came; false when something
   * that the hook left behind still holds the pipe: its output then goes to /dev/null, since a reader that
   * merely went away would kill it with SIGPIPE at its next word. A stop may leave less than a second for it.
   */
  async finish(stop: Stop): Promise<boolean> {
    const all = Promise.all(this.pumps.map((each) => each.done));
    const ended = await within(Math.min(DRAIN_MS, stop.msUntil(1)), all);
    if (!ended) {
      if (this.pipe !== undefined) this.drainForEver(this.pipe.read);
      for (const each of this.pumps) await each.cancel();
    }
    await all;
    if (this.leftOut > 0) {
      this.plan.log.info(
        `hook ${this.plan.source}: ${formatBytes(this.leftOut)} more of its lines went to stdout only ` +
          `(HOOK_LOG_MAX_BYTES=${this.plan.fileMost}).`,
      );
    }
    return ended;
  }

  private read(stream: ReadableStream<Uint8Array>): void {
    const lines = new SafeLines(this.plan.mask);
    const take = (bytes: Uint8Array) => {
      this.bytes += bytes.length;
      for (let at = 0; at < bytes.length; at += PIECE) this.write(lines.push(bytes.subarray(at, at + PIECE)));
    };
    this.pumps.push(pump(stream, { take, end: () => this.write(lines.end()) }));
  }

  private write(lines: string): void {
    const { log, source, fileMost } = this.plan;
    // After the first line that did not fit, none goes there any more, however short it is.
    const { inFile, leftOut } = log.output(source, lines, this.leftOut > 0 ? 0 : fileMost - this.inFile);
    this.inFile += inFile;
    this.leftOut += leftOut;
  }

  private drainForEver(read: number): void {
    try {
      spawn(["cat"], { env: this.plan.env, stdin: read, session: true });
    } catch (error) {
      if (!(error instanceof CannotStart)) throw error;
      this.plan.log.warn(`${error.message} What ${this.plan.source} left running ends when it prints again.`);
    }
  }
}
