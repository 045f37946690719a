/**
 * Looks every second whether a run has died (SIGKILL, out of memory), by the markers in LOCK_DIR: what its pre-hooks did
 * is undone at once, and people hear of it now, not when the next run finds its marker hours later.
 */

import type { Context } from "../context.ts";
import { reasonOf } from "../errors.ts";
import { type Stop, within } from "../process/stop.ts";
import { isRunning, markedJobs, markerPath, readMark } from "../state/marker.ts";

/** How often markers are looked at, in milliseconds. */
const LOOK_MS = 1000;
/** The longest time, in milliseconds, after which one whose lock somebody holds is looked at again. */
const AGAIN_MOST_MS = 60_000;

/** A dead run that is not settled yet. Milliseconds of performance.now(). */
interface Seen {
  readonly sinceMs: number;
  /** When it is looked at again: each time after as long as it has been dead. */
  nextMs: number;
}

export class Deaths {
  private readonly seen = new Map<string, Seen>();
  /** The ids of dead runs that need nothing more. */
  private readonly settled = new Set<string>();
  /** By job: what is being settled. */
  private readonly busy = new Map<string, Promise<void>>();
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(
    private readonly context: Context,
    private readonly stop: Stop,
    private readonly lockDir: string,
  ) {
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  /** Resolves when what has begun has ended, within STOP_TIMEOUT. */
  async end(): Promise<void> {
    clearInterval(this.timer);
    const ms = this.context.settings.seconds("STOP_TIMEOUT") * 1000;
    await within(Math.min(ms, this.stop.msUntil(1)), Promise.all(this.busy.values()));
  }

  private look(): void {
    if (this.stop.signal !== undefined) return;
    for (const job of markedJobs(this.lockDir)) {
      if (this.busy.has(job)) continue;
      const mark = readMark(markerPath(this.lockDir, job));
      if (mark === undefined || isRunning(mark) || this.settled.has(mark.run_id)) continue;
      const now = performance.now();
      const seen = this.seen.get(mark.run_id) ?? { sinceMs: now, nextMs: now };
      this.seen.set(mark.run_id, seen);
      if (now < seen.nextMs) continue;
      seen.nextMs = now + Math.min(AGAIN_MOST_MS, Math.max(LOOK_MS, now - seen.sinceMs)) - LOOK_MS / 2;
      const settling = this.settle(job, mark.run_id, now - seen.sinceMs);
      this.busy.set(
        job,
        settling.finally(() => this.busy.delete(job)),
      );
    }
  }

  private async settle(job: string, runId: string, deadMs: number): Promise<void> {
    const own = this.context.forJob(job);
    try {
      const { settleDeath } = await import("../run/died.ts");
      if (!(await settleDeath(own, this.stop, deadMs))) return;
    } catch (error) {
      own.log.error(`Run ${runId} has died, but that cannot be dealt with: ${reasonOf(error)}`);
    }
    this.settled.add(runId);
    this.seen.delete(runId);
  }
}
