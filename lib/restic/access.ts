/** How restic reaches the repository: what every call of restic needs, within a run or outside of one. */

import { accessSync, constants } from "node:fs";
import type { Settings } from "../config/settings.ts";
import type { VariableName } from "../config/variables.ts";
import type { Context } from "../context.ts";
import type { ChildEnvironment } from "../environment.ts";
import { ConfigError } from "../errors.ts";
import { maskRepository } from "../mask.ts";
import { globalArgs } from "./backup-args.ts";

export interface Access {
  /** The repository, fit to be shown. */
  readonly shown: string;
  /** Words that go before those of every call. */
  readonly words: readonly string[];
  /** Added to the environment; undefined removes a variable. */
  readonly env: ChildEnvironment;
}

/** What accessOf() reads. */
export const ACCESS_ENVIRONMENT = [
  "RESTIC_REPOSITORY",
  "RESTIC_REPOSITORY_FILE",
  "RESTIC_PASSWORD",
  "RESTIC_PASSWORD_FILE",
  "RESTIC_PASSWORD_COMMAND",
  "RESTIC_CACERT",
] as const satisfies readonly VariableName[];

/** Any of them gives restic the password; the one that it prefers comes first. */
export const PASSWORDS = ["RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND", "RESTIC_PASSWORD"] as const;
export const MISSING_PASSWORD = `The repository's password is missing. Set one of ${PASSWORDS.join(", ")}.`;

/**
 * Throws a ConfigError when the repository or the password is missing. `warn` is told of a RESTIC_CACERT that
 * cannot be read.
 */
export function accessOf(context: Context, warn: (message: string) => void): Access {
  const { settings, repository } = context;
  if (PASSWORDS.every((name) => settings.text(name) === "")) {
    throw new ConfigError(MISSING_PASSWORD);
  }
  return {
    shown: maskRepository(repository),
    words: globalArgs(readableCacert(settings, warn)),
    // The _FILE variable is not handed on: restic would take its first line whatever it is.
    env: { RESTIC_REPOSITORY: repository, RESTIC_REPOSITORY_FILE: undefined },
  };
}

function readableCacert(settings: Settings, warn: (message: string) => void): string | undefined {
  const path = settings.text("RESTIC_CACERT");
  if (path === "") return undefined;
  try {
    accessSync(path, constants.R_OK);
    return path;
  } catch {
    warn(`RESTIC_CACERT=${path} cannot be read; restic runs without --cacert.`);
    return undefined;
  }
}
