/**
 * Checks a path of the operator's within a bound: a dead network file system never answers, and a synchronous call
 * would hang with it.
 */

import { constants, promises, type Stats } from "node:fs";
import { errnoOf, reasonOf } from "../errors.ts";

/** A healthy file system answers within milliseconds. */
const ANSWER_MS = 3000;

export type Access = "read" | "write";

export type Accessed =
  | {
      readonly stat: Stats;
      readonly problem?: undefined;
      readonly isSilent?: undefined;
      readonly isMissing?: undefined;
    }
  /** Why it cannot be used, as a clause to follow "cannot be read: " and the like. */
  | {
      readonly stat?: undefined;
      readonly problem: string;
      readonly isSilent?: true;
      readonly isMissing?: true;
    };

/** stat(2) and access(2) within 3 s; nothing is opened, nothing is written. A folder must be searchable too. */
export async function accessWithin(path: string, wanted: Access): Promise<Accessed> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silent = new Promise<Accessed>((resolve) => {
    const problem = `it did not answer within ${ANSWER_MS / 1000} s (a dead network mount?)`;
    timer = setTimeout(() => resolve({ problem, isSilent: true }), ANSWER_MS);
  });
  const answer = await Promise.race([access(path, wanted), silent]);
  clearTimeout(timer);
  return answer;
}

async function access(path: string, wanted: Access): Promise<Accessed> {
  try {
    const stat = await promises.stat(path);
    const mode = wanted === "read" ? constants.R_OK : constants.W_OK;
    await promises.access(path, stat.isDirectory() ? mode | constants.X_OK : mode);
    return { stat };
  } catch (error) {
    return { problem: reasonOf(error), ...(errnoOf(error) === "ENOENT" ? { isMissing: true as const } : {}) };
  }
}
