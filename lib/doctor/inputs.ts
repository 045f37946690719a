/**
 * What is backed up, and the files that the workers read.
 *
 * Is there a repository to go to, and something to open it with?
 *
 * Checks of the folders that the workers write to: by access(2), so that nothing is written.
 */

import { opendirSync } from "node:fs";
import { repositoryOf } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { ConfigError } from "../errors.ts";
import { readIfThere } from "../files/files.ts";
import { look } from "../files/within.ts";
import { maskRepository } from "../mask.ts";
import { namedFiles } from "../restic/backup-args.ts";
import { plural } from "../text.ts";
import { type Checks, type EnvironmentCheck, fail, ok, type Status, warn } from "./checks.ts";

export function checkTag(settings: Settings): EnvironmentCheck {
  const tag = settings.env.RESTIC_TAG ?? settings.text("RESTIC_TAG");
  return tag.trim() === ""
    ? fail("RESTIC_TAG", "is empty. Give it a tag, or unset it for the default, automated.")
    : ok("RESTIC_TAG", tag);
}

/** BACKUP_ROOT_DIR, path by path; RESTIC_JOB_ARGS may name others. */
export async function checkPaths(settings: Settings): Promise<EnvironmentCheck[]> {
  const key = "BACKUP_PATHS";
  const roots = settings.lines("BACKUP_ROOT_DIR");
  // Side by side: of several dead mounts each makes us wait.
  if (roots.length > 0) return Promise.all(roots.map((path) => checkPath(key, path)));
  return settings.env.RESTIC_JOB_ARGS?.trim()
    ? [ok(key, "what RESTIC_JOB_ARGS names")]
    : [fail(key, "There is nothing to back up. Set BACKUP_ROOT_DIR, or RESTIC_JOB_ARGS with --files-from.")];
}

async function checkPath(key: string, path: string): Promise<EnvironmentCheck> {
  const { stat, problem } = await look(path, "read");
  if (problem !== undefined) {
    return fail(key, `${path} cannot be read: ${problem}. Mount it, or correct BACKUP_ROOT_DIR.`);
  }
  return stat.isDirectory() && isEmpty(path)
    ? warn(key, `${path} is empty. Is its volume mounted?`)
    : ok(key, path);
}

/** One entry is enough to tell, of a folder that may hold millions. */
function isEmpty(folder: string): boolean {
  const entries = opendirSync(folder);
  try {
    return entries.readSync() === null;
  } finally {
    entries.closeSync();
  }
}

/** The lists of files that RESTIC_JOB_ARGS names. */
export async function checkJobFiles(settings: Settings): Promise<EnvironmentCheck[]> {
  const key = "RESTIC_JOB_ARGS";
  return Promise.all(
    namedFiles(jobWords(settings)).map(async ({ flag, path }) => {
      const { stat, problem } = await look(path, "read");
      if (problem !== undefined) return fail(key, `${flag} ${path} cannot be read: ${problem}.`);
      return stat.isDirectory()
        ? fail(key, `${flag} ${path} is a directory, not a file.`)
        : ok(key, `${flag} ${path}`);
    }),
  );
}

function jobWords(settings: Settings): string[] {
  try {
    return settings.words("RESTIC_JOB_ARGS");
  } catch (error) {
    // An unbalanced quote has a check of its own.
    if (error instanceof ConfigError) return [];
    throw error;
  }
}

export async function checkRclone(settings: Settings): Promise<EnvironmentCheck> {
  const key = "RCLONE_CONFIG";
  const path = settings.text(key);
  const { problem } = await look(path, "read");
  if (problem === undefined) return ok(key, path);
  const user = usesRclone(settings);
  return user === undefined
    ? ok(key, `${path} is not there, and nothing needs it`)
    : fail(key, `${path} cannot be read: ${problem}; ${user} needs it. Mount it, or correct the path.`);
}

function usesRclone(settings: Settings): string | undefined {
  if (settings.text("REPLICATE_CRON") !== "") return "replicate";
  try {
    return repositoryOf(settings).startsWith("rclone:") ? "the repository" : undefined;
  } catch (error) {
    // Which repository is meant cannot be told; that has a check of its own.
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

export async function checkReplicate(settings: Settings): Promise<EnvironmentCheck> {
  const key = "REPLICATE_JOB_FILE";
  const path = settings.text(key);
  const isScheduled = settings.text("REPLICATE_CRON") !== "";
  const { stat, problem } = await look(path, "read");
  if (problem !== undefined) {
    return isScheduled
      ? fail(key, `${path} cannot be read: ${problem}; REPLICATE_CRON is set. Mount it, or correct the path.`)
      : ok(key, `${path} is not there, and REPLICATE_CRON is not set`);
  }
  if (!stat.isFile()) return fail(key, `${path} is not a regular file.`);
  const rows = (readIfThere(path) ?? "").split("\n").filter((line) => /^\s*[^#\s]/.test(line));
  if (rows.length > 0) return ok(key, `${path}, ${plural(rows.length, "row")}`);
  const message = `${path} names nothing to replicate: every line is blank or a comment.`;
  return isScheduled ? fail(key, message) : warn(key, message);
}

export async function checkCacert(settings: Settings): Promise<EnvironmentCheck> {
  const key = "RESTIC_CACERT";
  const path = settings.text(key);
  if (path === "") return ok(key, "not set");
  const { problem } = await look(path, "read");
  if (problem === undefined) return ok(key, path);
  return warn(key, `${path} cannot be read: ${problem}. restic is called without --cacert.`);
}

export function checkRepository(settings: Settings): EnvironmentCheck {
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

export async function checkPassword(settings: Settings): Promise<EnvironmentCheck> {
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

/** Without LOCK_DIR no run begins; without LOG_DIR it does, but leaves nothing that could be read afterwards. */
const FOLDERS = [
  ["LOG_DIR", "FAIL", "Runs go on, but leave no record and no log."],
  ["LOCK_DIR", "FAIL", "No run can take its lock."],
  ["METRICS_DIR", "WARN", "No metrics are written."],
  ["TMPDIR", "WARN", "restic and restores need it for temporary files."],
] as const satisfies readonly (readonly [string, Status, string])[];

export async function judgeFolders(checks: Checks, settings: Settings): Promise<void> {
  for (const [name, status, effect] of FOLDERS) {
    const path = settings.text(name);
    if (path === "") continue;
    const { stat, problem } = await look(path, "write");
    const reason = problem ?? (stat?.isDirectory() ? undefined : "it is not a directory");
    if (reason === undefined) checks.ok(`${name}: ${path}`);
    else checks.add(status, `${name}: ${path} cannot be written: ${reason}. ${effect}`);
  }
}
