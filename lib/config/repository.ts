/** Which repository is meant: RESTIC_REPOSITORY_FILE wins over RESTIC_REPOSITORY. */

import { readFileSync } from "node:fs";
import { ConfigError, reasonOf } from "../errors.ts";
import type { Settings } from "./settings.ts";

/** The repository. Throws a ConfigError when the file that names it cannot be read or names none. */
export function repositoryOf(settings: Settings): string {
  const path = settings.text("RESTIC_REPOSITORY_FILE");
  if (path === "") return settings.text("RESTIC_REPOSITORY");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new ConfigError(
      `RESTIC_REPOSITORY_FILE=${path} cannot be read: ${reasonOf(error)}. Mount it, or unset it.`,
    );
  }
  const line = text
    .split("\n")
    .map((each) => each.trim())
    .find((each) => each !== "" && !each.startsWith("#"));
  if (line === undefined) {
    throw new ConfigError(
      `RESTIC_REPOSITORY_FILE=${path} names no repository: every line is blank or a comment.`,
    );
  }
  return line;
}
