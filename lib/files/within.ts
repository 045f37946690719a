/**
 * Looks at a path of the operator's without waiting for ever: a dead network file system answers nothing, and a
 * synchronous call would hang with it.
 */

import { constants, promises, type Stats } from "node:fs";
import { reasonOf } from "../errors.ts";

/** A file system that is well answers within milliseconds. */
const LOOK_MS = 3000;

export type Want = "read" | "write";

export type Look =
  | { readonly stat: Stats; readonly problem?: undefined; readonly isSilent?: undefined }
  /** Why it cannot be used, for use after "cannot be read: " and the like. */
  | { readonly stat?: undefined; readonly problem: string; readonly isSilent?: true };

/** Asks access(2); nothing is opened, nothing is written. A folder must be searchable too. */
export async function look(path: string, want: Want): Promise<Look> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silent = new Promise<Look>((resolve) => {
    const problem = `it did not answer within ${LOOK_MS / 1000} s (a dead network mount?)`;
    timer = setTimeout(() => resolve({ problem, isSilent: true }), LOOK_MS);
  });
  const answer = await Promise.race([lookLong(path, want), silent]);
  clearTimeout(timer);
  return answer;
}

async function lookLong(path: string, want: Want): Promise<Look> {
  try {
    const stat = await promises.stat(path);
    const mode = want === "read" ? constants.R_OK : constants.W_OK;
    await promises.access(path, stat.isDirectory() ? mode | constants.X_OK : mode);
    return { stat };
  } catch (error) {
    return { problem: reasonOf(error) };
  }
}
