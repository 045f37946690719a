/** The folders that jobs will need, looked at before the first job needs them. */

import { accessSync, closeSync, constants, mkdirSync, openSync } from "node:fs";
import { EXIT, Failure, reasonOf } from "../errors.ts";
import type { Places } from "../schedule.ts";
import type { Start } from "./scene.ts";

/** Throws a Failure when LOCK_DIR cannot be used: no job could take its lock. */
export function readyFolders({ log }: Start, places: Places): Places {
  try {
    mkdirSync(places.lockDir, { recursive: true });
    accessSync(places.lockDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Failure(
      `LOCK_DIR=${places.lockDir} cannot be written: ${reasonOf(error)}. No job could take its lock. Mount a ` +
        "tmpfs there, or set LOCK_DIR to a folder that the running user can write.",
      EXIT.failed,
    );
  }
  const problem = logProblem(places.output);
  if (problem === undefined) return places;
  // A shell that cannot open what it redirects to does not start the command: there would be no backup at all.
  const output = `/proc/${process.pid}/fd/1`;
  log.warn(`${places.output} cannot be written: ${problem}. Jobs write to this container's stdout only.`);
  return { ...places, output };
}

function logProblem(path: string): string | undefined {
  try {
    mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    closeSync(openSync(path, "a", 0o644));
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}
