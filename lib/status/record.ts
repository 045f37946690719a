/** Reads a record again, as this or an older release has written it. */

import { errnoOf, reasonOf } from "../errors.ts";
import { readSmallFile } from "../files.ts";
import { isEpoch } from "../time/format.ts";

/** The fields that are looked at. Those of a worker stand beside them. */
export interface Kept {
  readonly status: string;
  readonly exit_code: number;
  readonly work_exit_code?: number;
  readonly started_epoch: number;
  readonly finished_epoch: number;
  readonly duration_seconds: number;
  readonly [field: string]: unknown;
}

export interface Found {
  readonly path: string;
  readonly size: number;
  readonly record?: Kept;
  /** Why there is no record although there is a file. */
  readonly problem?: string;
}

/** Records are some kilobytes; what is larger is no record. */
const RECORD_MOST = 4 * 1024 * 1024;

/** undefined when there is no file. Throws nothing. */
export function recordAt(path: string): Found | undefined {
  try {
    const text = readSmallFile(path, RECORD_MOST);
    const record = keptIn(text);
    const found = { path, size: Buffer.byteLength(text) };
    return record === undefined ? { ...found, problem: "it is no record of a run" } : { ...found, record };
  } catch (error) {
    return errnoOf(error) === "ENOENT" ? undefined : { path, size: 0, problem: reasonOf(error) };
  }
}

/** The record in a text; undefined when it is not JSON, or not ours. Pure. */
export function keptIn(text: string): Kept | undefined {
  try {
    const value = JSON.parse(text) as Record<string, unknown> | null;
    const { started_epoch, finished_epoch, exit_code = null, status, duration_seconds } = value ?? {};
    if (!isEpoch(started_epoch) || !isEpoch(finished_epoch)) return undefined;
    // A run that died has no exit code.
    const code = typeof exit_code === "number" ? exit_code : -1;
    return {
      ...value,
      duration_seconds:
        typeof duration_seconds === "number" ? duration_seconds : Math.max(0, finished_epoch - started_epoch),
      status: typeof status === "string" ? status : code === 0 ? "ok" : "failed",
      exit_code: code,
      started_epoch,
      finished_epoch,
    };
  } catch {
    // Half a line, or not JSON at all.
    return undefined;
  }
}
