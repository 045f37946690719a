/** Which repository is meant: RESTIC_REPOSITORY_FILE wins over RESTIC_REPOSITORY. */

import { ConfigError, reasonOf } from "../errors.ts";
import { readSmallFile } from "../files/files.ts";
import type { Settings } from "./settings.ts";

/** The file holds a line and some comments. */
const FILE_MOST = 65_536;

/** What the settings say of the repository, found out once: the file may be another one a moment later. */
export interface Resolved {
  /** The repository, "" where none is named; or why it cannot be known. */
  readonly repository: string | ConfigError;
  /** All that RESTIC_REPOSITORY_FILE holds; undefined where it is unset or cannot be read. */
  readonly fileText?: string;
}

/** Opens RESTIC_REPOSITORY_FILE, where it is set, once. Throws nothing. */
export function resolveRepository(settings: Settings): Resolved {
  const path = settings.text("RESTIC_REPOSITORY_FILE");
  if (path === "") return { repository: settings.text("RESTIC_REPOSITORY") };
  let fileText: string;
  try {
    fileText = readSmallFile(path, FILE_MOST);
  } catch (error) {
    return {
      repository: new ConfigError(
        `RESTIC_REPOSITORY_FILE=${path} cannot be read: ${reasonOf(error)}. Mount it, or unset it.`,
      ),
    };
  }
  const line = fileText
    .split("\n")
    .map((each) => each.trim())
    .find((each) => each !== "" && !each.startsWith("#"));
  const repository =
    line ??
    new ConfigError(`RESTIC_REPOSITORY_FILE=${path} names no repository: every line is blank or a comment.`);
  return { repository, fileText };
}

/** The repository. Throws a ConfigError when the file that names it cannot be read or names none. */
export function repositoryOf(settings: Settings): string {
  const { repository } = resolveRepository(settings);
  if (repository instanceof ConfigError) throw repository;
  return repository;
}
