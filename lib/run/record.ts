/** The record of a run: what happened, for people, hooks, mail, metrics and `status`. */

import type { Mask } from "../mask.ts";
import { RECORD_SCHEMA } from "../record.ts";
import { iso } from "../time/format.ts";
import { localZone } from "../time/zone.ts";

export { type Facts, type Json, RECORD_SCHEMA, type RunRecord, type Status } from "../record.ts";

/** The fields that every line of the history has. Times are epoch milliseconds. */
export interface Identity {
  readonly job: string;
  readonly hostname: string;
  readonly release: string;
  readonly runId: string;
}

/** `tookMs` where it was measured: a clock that was set in between falsifies the difference. */
export function header(
  identity: Identity,
  startedMs: number,
  finishedMs: number,
  tookMs = Math.max(0, finishedMs - startedMs),
) {
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
    duration_seconds: Math.round(tookMs / 1000),
  } as const;
}

/** The same value without a secret in any of its strings, and without lone surrogates, which are no JSON. */
export function masked<T>(value: T, mask: Mask): T {
  if (typeof value === "string") return mask(value).toWellFormed() as T;
  if (Array.isArray(value)) return value.map((each) => masked(each, mask)) as T;
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, masked(each, mask)])) as T;
}
