/**
 * Does this container stand in for one of restic-backup-helper 2.14 or older, whose image had other defaults? Read from
 * what only that one's users have: old names of variables, and the records that it has left.
 */

import { type Variable, variables } from "../config/variables.ts";
import { type Context, recordPath } from "../context.ts";
import { readIfThere } from "../files/files.ts";

/** TZ of its image. */
export const UPSTREAM_ZONE = "Europe/Amsterdam";

/** Its scheduled workers, by the files that they leave in LOG_DIR. */
const WORKERS = ["backup", "check", "prune", "forget", "replicate"];

/** The sign by which it is known, as the beginning of a sentence; undefined where there is none. */
export function signOfUpstream({ settings, logDir }: Context): string | undefined {
  const { env } = settings;
  const old = Object.values<Variable>(variables)
    .map((variable) => variable.old)
    .find((name) => name !== undefined && env[name]);
  if (old !== undefined) return `${old} is a name of restic-backup-helper 2`;
  const record = WORKERS.map((worker) => recordPath(logDir, worker)).find(isOfUpstream);
  return record === undefined ? undefined : `${record} is of restic-backup-helper 2`;
}

function isOfUpstream(path: string): boolean {
  try {
    const { release } = JSON.parse(readIfThere(path) ?? "{}");
    return typeof release === "string" && /^v?[12]\./.test(release);
  } catch {
    // Half a record, or not ours to read: it says nothing.
    return false;
  }
}
