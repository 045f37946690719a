/** Which repository is meant: RESTIC_REPOSITORY_FILE wins over RESTIC_REPOSITORY. */

import { ConfigError, reasonOf } from "../errors.ts";
import { readSmallFile } from "../files/files.ts";
import type { Settings } from "./settings.ts";

/** The file holds a line and some comments. */
const FILE_MOST = 65_536;

/** The repository. Throws a ConfigError when the file that names it cannot be read or names none. */
export function repositoryOf(settings: Settings): string {
  const path = settings.text("RESTIC_REPOSITORY_FILE");
  if (path === "") return settings.text("RESTIC_REPOSITORY");
  let text: string;
  try {
    text = readSmallFile(path, FILE_MOST);
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
