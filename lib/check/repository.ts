/** Is there a repository to go to, and something to open it with? */

import { repositoryOf } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { ConfigError } from "../errors.ts";
import { look } from "../look.ts";
import { maskRepository } from "../mask.ts";
import { type Check, fail, ok, warn } from "./check.ts";

export function checkRepository(settings: Settings): Check {
  const { RESTIC_REPOSITORY: plain, RESTIC_REPOSITORY_FILE: file } = settings.env;
  const key = file ? "RESTIC_REPOSITORY_FILE" : "RESTIC_REPOSITORY";
  try {
    const shown = maskRepository(repositoryOf(settings));
    if (file && plain) return warn(key, `${shown}; RESTIC_REPOSITORY is set too and has no effect.`);
    return ok(key, plain || file ? shown : `${shown} (the default)`);
  } catch (error) {
    if (error instanceof ConfigError) return fail(key, error.message);
    throw error;
  }
}

const PASSWORDS = ["RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND", "RESTIC_PASSWORD"] as const;

export async function checkPassword(settings: Settings): Promise<Check> {
  const given = PASSWORDS.filter((name) => settings.text(name) !== "");
  const [key, ...others] = given;
  if (key === undefined) {
    return fail(
      "RESTIC_PASSWORD",
      `The repository's password is missing. Set one of ${PASSWORDS.join(", ")}.`,
    );
  }
  if (key === "RESTIC_PASSWORD_FILE" && others.includes("RESTIC_PASSWORD_COMMAND")) {
    return fail(key, "RESTIC_PASSWORD_COMMAND is set too, and restic takes only one of the two. Unset one.");
  }
  const problem = key === "RESTIC_PASSWORD_FILE" ? await passwordFileProblem(settings.text(key)) : undefined;
  if (problem !== undefined) return fail(key, problem);
  if (others.length > 0) return warn(key, `is used; ${others.join(", ")} is set too and has no effect.`);
  return ok(key, key === "RESTIC_PASSWORD_FILE" ? settings.text(key) : "is set");
}

/** It is only looked at: reading a named pipe would take the password from restic. */
async function passwordFileProblem(path: string): Promise<string | undefined> {
  const { stat, problem } = await look(path, "read");
  if (problem !== undefined) return `${path} cannot be read: ${problem}. Mount it, or correct the path.`;
  return stat.isFile() && stat.size === 0 ? `${path} is empty.` : undefined;
}
