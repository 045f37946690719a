/** What a run leaves behind, as types: shared by the run, who tells the world of it, and who reads it again. */

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

/** How one hook ended, as it stands in the record. */
export interface HookResult {
  readonly phase: string;
  readonly path: string;
  readonly exit_code?: number;
  readonly signal?: string;
  readonly timed_out?: boolean;
  readonly duration_ms?: number;
  readonly output_bytes?: number;
  /** Why it could not run. */
  readonly error?: string;
}

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

/** Did the work do what it was there for? A signal that came after it had ended changes nothing of that. */
export function hasSucceeded({
  exit_code,
  work_exit_code,
}: Partial<Pick<RunRecord, "exit_code" | "work_exit_code">>): boolean {
  return (work_exit_code ?? exit_code) === 0;
}
