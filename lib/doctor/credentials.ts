/** Checks of what opens the repository and the notification channels. */

import { repositoryOf } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { type Variable, variables } from "../config/variables.ts";
import { ConfigError } from "../errors.ts";
import { maskRepository } from "../mask.ts";
import { CannotStart, resolveProgram } from "../process/spawn.ts";
import { PASSWORDS } from "../restic/access.ts";
import type { Checks } from "./check.ts";
import { look } from "./look.ts";

export async function judgeCredentials(checks: Checks, settings: Settings): Promise<void> {
  await judgeRepository(checks, settings);
  await judgePassword(checks, settings);
  await judgeCacert(checks, settings);
  await judgeFiles(checks, settings);
  judgeMail(checks, settings);
}

async function judgeRepository(checks: Checks, settings: Settings): Promise<void> {
  const repository = await knownRepository(settings);
  if (repository.problem !== undefined) {
    checks.fail(repository.problem);
    return;
  }
  const shown = maskRepository(repository.name);
  if (settings.env.RESTIC_REPOSITORY_FILE) {
    checks.ok(`The repository is ${shown}, from RESTIC_REPOSITORY_FILE.`);
    if (settings.env.RESTIC_REPOSITORY) {
      checks.info("RESTIC_REPOSITORY is set too and has no effect: RESTIC_REPOSITORY_FILE wins.");
    }
  } else if (settings.env.RESTIC_REPOSITORY) {
    checks.ok(`The repository is ${shown}.`);
  } else {
    checks.info(`RESTIC_REPOSITORY is not set; the repository is ${shown}.`);
  }
}

export type KnownRepository =
  | { readonly name: string; readonly problem?: undefined }
  | { readonly name?: undefined; readonly problem: string };

/** The repository as it is, secrets and all. What names it is read only when it is a regular file. */
export async function knownRepository(settings: Settings): Promise<KnownRepository> {
  const path = settings.text("RESTIC_REPOSITORY_FILE");
  const { stat } = path === "" ? {} : await look(path, "read");
  if (stat !== undefined && !stat.isFile()) {
    return { problem: `RESTIC_REPOSITORY_FILE=${path} is not a regular file; doctor does not read it.` };
  }
  try {
    return { name: repositoryOf(settings) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problem: error.message };
  }
}

async function judgePassword(checks: Checks, settings: Settings): Promise<void> {
  const given = PASSWORDS.filter((name) => settings.text(name) !== "");
  const [first] = given;
  if (first === undefined) {
    checks.fail(`The repository's password is missing. Set one of ${PASSWORDS.join(", ")}.`);
    return;
  }
  if (given.includes("RESTIC_PASSWORD_FILE") && given.includes("RESTIC_PASSWORD_COMMAND")) {
    checks.fail(
      "RESTIC_PASSWORD_FILE and RESTIC_PASSWORD_COMMAND exclude each other: restic takes only one.",
    );
  } else if (given.length > 1) {
    checks.warn(`The password is given more than once: ${given.join(" and ")}. Unset all but one.`);
  }
  const path = settings.text("RESTIC_PASSWORD_FILE");
  if (path !== "") {
    const { stat, problem } = await look(path, "read");
    if (problem !== undefined) return checks.fail(`RESTIC_PASSWORD_FILE=${path} cannot be read: ${problem}.`);
    if (stat.isFile() && stat.size === 0) return checks.fail(`RESTIC_PASSWORD_FILE=${path} is empty.`);
  }
  if (given.length === 1) checks.ok(`The password comes from ${first}.`);
}

async function judgeCacert(checks: Checks, settings: Settings): Promise<void> {
  const path = settings.text("RESTIC_CACERT");
  if (path === "") return;
  const { problem } = await look(path, "read");
  if (problem === undefined) checks.ok(`RESTIC_CACERT=${path} can be read.`);
  else checks.warn(`RESTIC_CACERT=${path} cannot be read: ${problem}. restic goes on without --cacert.`);
}

/** Every variable that may be given as a file: once only, and the file must be there. */
async function judgeFiles(checks: Checks, { env }: Settings): Promise<void> {
  for (const [name, { file }] of Object.entries<Variable>(variables)) {
    const path = file && env[`${name}_FILE`];
    if (!path) continue;
    if (env[name]) checks.fail(`${name} and ${name}_FILE are both set. Unset one of them.`);
    const { stat, problem } = await look(path, "read");
    if (problem !== undefined) checks.fail(`${name}_FILE=${path} cannot be read: ${problem}.`);
    else if (!stat.isFile()) checks.fail(`${name}_FILE=${path} is not a regular file.`);
  }
}

function judgeMail(checks: Checks, { env }: Settings): void {
  if (!env.MAILX_RCPT && !env.MAILX_RCPT_FILE) return;
  try {
    resolveProgram("sendmail", env.PATH);
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error;
    checks.warn(
      `MAILX_RCPT is set, but no mail can be sent: ${error.message} Install msmtp or another sendmail.`,
    );
  }
}
