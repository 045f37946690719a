/** The record of a run: what happened, for people, hooks, mail, metrics and `status`. */

import type { HookResult } from "../hooks/execute.ts";
import type { Mask } from "../mask.ts";
import { iso } from "../time/format.ts";
import { localZone } from "../time/zone.ts";

export const RECORD_SCHEMA = "restic-backup-helper.run/1";

export type Status =
  | "ok"
  | "warning"
  | "failed"
  | "interrupted"
  | "timed_out"
  | "cancelled"
  | "died"
  | "skipped";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
/** The worker's own fields. */
export type Facts = Record<string, Json>;

export interface RunRecord {
  readonly schema: typeof RECORD_SCHEMA;
  readonly job: string;
  readonly hostname: string;
  readonly release: string;
  readonly run_id: string;
  readonly started_at: string;
  readonly finished_at: string;
  readonly started_epoch: number;
  readonly finished_epoch: number;
  /** Of the work, hooks not counted. */
  readonly duration_seconds: number;
  readonly exit_code: number;
  readonly status: Status;
  readonly signal?: string;
  readonly timed_out?: true;
  /** The work's own exit code, when a signal that came after it had ended gave the run another one. */
  readonly work_exit_code?: number;
  /** Why the run failed, in a sentence, when it was not the tool that said so. */
  readonly error?: string;
  readonly repository?: string;
  readonly hooks: readonly HookResult[];
  readonly [fact: string]: unknown;
}

/** The fields that every line of the history has. Times are epoch milliseconds. */
export interface Identity {
  readonly job: string;
  readonly hostname: string;
  readonly release: string;
  readonly runId: string;
}

export function header(identity: Identity, startedMs: number, finishedMs: number) {
  const zone = localZone();
  return {
    schema: RECORD_SCHEMA,
    job: identity.job,
    hostname: identity.hostname,
    release: identity.release,
    run_id: identity.runId,
    started_at: iso(startedMs, zone),
    finished_at: iso(finishedMs, zone),
    started_epoch: Math.floor(startedMs / 1000),
    finished_epoch: Math.floor(finishedMs / 1000),
    duration_seconds: Math.max(0, Math.round((finishedMs - startedMs) / 1000)),
  } as const;
}

/** The same value without a secret in any of its strings, and without lone surrogates, which are no JSON. */
export function masked<T>(value: T, mask: Mask): T {
  if (typeof value === "string") return mask(value).toWellFormed() as T;
  if (Array.isArray(value)) return value.map((each) => masked(each, mask)) as T;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, masked(each, mask)])) as T;
}
