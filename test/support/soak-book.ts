/** The book of a soak: what was done to each worker, and what history, metrics and status must therefore contain. */

import { expect } from "bun:test";
import { existsSync, readFileSync, statSync } from "node:fs";
import type { World } from "./world.ts";

/** How an undisturbed tick must end. */
export interface Natural {
  readonly code: number;
  readonly status: string;
}

/** A line of the history. */
export interface Line {
  readonly run_id: string;
  readonly job: string;
  readonly status: string;
  readonly exit_code?: number;
  readonly skips_in_a_row?: number;
}

interface Death {
  readonly runId: string;
}

/** What is known about one worker. */
interface Account {
  skips: number;
  failures: number;
  /** A killed run, which the next run must report. */
  pending: Death | undefined;
  last: Natural | undefined;
}

export class Book {
  /** What the history must hold, each line once: by run id, or by the end of it for a skip. */
  readonly ran = new Map<string, Natural>();
  readonly died = new Set<string>();
  readonly skipped: string[] = [];
  /** Killed before they were a run. */
  vanished = 0;
  private readonly accounts = new Map<string, Account>();

  constructor(private readonly world: World) {}

  of(worker: string): Account {
    const account = this.accounts.get(worker) ?? {
      skips: 0,
      failures: 0,
      pending: undefined,
      last: undefined,
    };
    this.accounts.set(worker, account);
    return account;
  }

  /** A run that was not killed. `isAlone`: no other run of this worker was active. */
  noteRun(worker: string, runId: string, ended: Natural, out: string, isAlone: boolean): void {
    const account = this.of(worker);
    const { pending } = account;
    expect(this.ran.has(runId)).toBe(false);
    this.ran.set(runId, ended);
    if (pending === undefined) expect(out).not.toContain("died without a record");
    else {
      const lines = this.history().filter(({ run_id }) => run_id === pending.runId);
      expect({ lines, out }).toEqual({
        lines,
        out: expect.stringContaining(`died without a record: run ${pending.runId},`),
      });
    }
    if (pending !== undefined) this.died.add(pending.runId);
    // A signal that came after the work had ended takes nothing from its success.
    const { run_id, work_exit_code } = this.world.record(worker);
    if (isAlone) expect(run_id).toBe(runId);
    const isGood = ended.status === "ok" || ended.status === "warning" || work_exit_code === 0;
    account.failures = isGood ? 0 : account.failures + (pending === undefined ? 0 : 1) + 1;
    account.pending = undefined;
    account.last = ended;
    if (isAlone) account.skips = 0;
  }

  noteSkip(worker: string, pid: number, out: string): void {
    const account = this.of(worker);
    account.skips++;
    this.skipped.push(`${worker}-${pid}`);
    const nth = /the (\d+)\w\w time in a row/.exec(out)?.[1];
    expect({ out, nth: Number(nth ?? 1) }).toEqual({ out, nth: account.skips });
  }

  /** Killed with SIGKILL: its files show what it had done by then. */
  noteKill(worker: string, pid: number, natural: readonly Natural[]): void {
    const account = this.of(worker);
    // Thousands of ticks may use a pid again: a line that is in the book already is another's.
    const told = this.history().find(
      ({ run_id, job, status }) =>
        job === worker && run_id.endsWith(`-${pid}`) && isEnd(status) && !this.ran.has(run_id),
    );
    const mark = this.mark(worker);
    const before = account.pending;
    if (before !== undefined) {
      const died = this.history().filter(
        ({ run_id, status }) => run_id === before.runId && status === "died",
      );
      // The dead run's marker goes when its death stands in the history, and not before.
      if (mark?.run_id !== before.runId) expect({ before, died: died.length }).toEqual({ before, died: 1 });
      if (died.length > 0) {
        this.died.add(before.runId);
        account.pending = undefined;
      }
    }
    if (told !== undefined) {
      const ended = { code: told.exit_code ?? 0, status: told.status };
      expect(natural).toContainEqual(ended);
      this.ran.set(told.run_id, ended);
      account.last = ended;
    } else if (mark?.pid === pid) account.pending = { runId: mark.run_id };
    else this.vanished++;
    const skips = this.skipsOf(worker);
    expect([0, account.skips]).toContain(skips);
    account.skips = skips;
    account.failures = this.metric(worker, "consecutive_failures") ?? account.failures;
  }

  /** After a tick without another one at the same time. */
  checkMetrics(worker: string): void {
    const { failures, skips, last } = this.of(worker);
    const seen = {
      failures: this.metric(worker, "consecutive_failures"),
      skips: this.metric(worker, "consecutive_skips"),
      code: this.metric(worker, "last_exit_code"),
    };
    expect({ worker, ...seen }).toEqual({ worker, failures, skips, code: last?.code ?? 0 });
    expect(this.skipsOf(worker)).toBe(skips);
  }

  /** These lines of the history are those of the book, each once. */
  checkHistory(lines: readonly Line[]): void {
    const wanted = [
      ...[...this.ran].map(([runId, { code, status }]) => `${runId} ${status} ${code}`),
      ...[...this.died].map((runId) => `${runId} died`),
      ...this.skipped.map((each) => `${each} skipped`),
    ];
    const got = lines.map(({ run_id, job, status, exit_code }) => {
      if (status === "skipped") return `${job}-${run_id.split("-").at(-1)} skipped`;
      return status === "died" ? `${run_id} died` : `${run_id} ${status} ${exit_code}`;
    });
    expect({ strangers: without(got, wanted), missing: without(wanted, got) }).toEqual({
      strangers: [],
      missing: [],
    });
  }

  history(): Line[] {
    return this.world.history();
  }

  private metric(worker: string, name: string): number | undefined {
    const path = `${this.world.dir}/metrics/restic_${worker}.testhost.prom`;
    if (!existsSync(path)) return undefined;
    const text = readFileSync(path, "utf8");
    expect(text).toEndWith("\n");
    const value = new RegExp(`^restic_${worker}_${name}\\{[^}]*\\} (\\S+)$`, "m").exec(text)?.[1];
    return value === undefined ? undefined : Number(value);
  }

  private skipsOf(worker: string): number {
    return (statSync(`${this.world.lock}/${worker}.skips`, { throwIfNoEntry: false })?.size ?? 0) / 20;
  }

  private mark(worker: string): { pid: number; run_id: string } | undefined {
    const path = `${this.world.lock}/${worker}.run.json`;
    return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : undefined;
  }
}

const isEnd = (status: string): boolean => status !== "died" && status !== "skipped";

/** What is left of `all` when each of `taken` has taken one away. */
function without(all: readonly string[], taken: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const each of taken) counts.set(each, (counts.get(each) ?? 0) + 1);
  return all.filter((each) => {
    const count = counts.get(each) ?? 0;
    counts.set(each, count - 1);
    return count <= 0;
  });
}
