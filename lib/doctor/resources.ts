/**
 * What the workers need: the repository and its password, the sources, the files that variables name, the folders
 * that are written to. Looked at with stat(2) and access(2): nothing is written, and of the files only
 * RESTIC_REPOSITORY_FILE is read.
 */

import { existsSync, lstatSync, opendirSync, promises } from "node:fs";
import { folderText } from "../config/odd.ts";
import type { Settings } from "../config/settings.ts";
import type { NameOf, VariableName } from "../config/variables.ts";
import { variables } from "../config/variables.ts";
import type { Context } from "../context.ts";
import { ConfigError } from "../errors.ts";
import { accessWithin } from "../files/within.ts";
import { exposure } from "../hooks/discover.ts";
import { maskRepository } from "../mask.ts";
import { realPath } from "../paths.ts";
import { elsewhereText, misreading, namedFiles, nothingNamed, RESTIC_ARGS } from "../restic/backup-args.ts";
import { repositoryInside } from "../restic/inside.ts";
import { namedSources } from "../restic/lists.ts";

import { goesWithContainer, misreadRepository, OWN_LAYER } from "../restic/place.ts";
import { isPasswordMissing, MISSING_PASSWORD, optionsOf, PASSWORDS } from "../restic/restic.ts";
import { crontabPath } from "../schedule/schedule.ts";
import { type Check, fail, ok, type Status, warn } from "./checks.ts";
import { checkCache, checkOwnInSources } from "./own-folders.ts";

/** In the order in which config-check prints them. */
export async function checkResources(context: Context): Promise<Check[]> {
  const { settings } = context;
  return [
    checkRepository(context),
    await checkPassword(settings),
    ...checkOptions(settings),
    ...checkElsewhere(settings),
    checkTag(settings),
    ...(await checkPaths(settings)),
    ...(await checkLists(settings)),
    ...(await checkSources(context)),
    await checkCacert(settings),
    ...(await checkCache(context)),
  ];
}

function checkRepository(context: Context): Check {
  const { RESTIC_REPOSITORY: plain, RESTIC_REPOSITORY_FILE: file } = context.settings.env;
  const key = file ? "RESTIC_REPOSITORY_FILE" : "RESTIC_REPOSITORY";
  try {
    const shown = maskRepository(context.repository);
    const misread = misreadRepository(context.repository);
    if (misread !== undefined) return fail(key, misread);
    // The image sets its default for a restic that is started by hand.
    const isGiven = plain !== undefined && plain !== "" && plain !== variables.RESTIC_REPOSITORY.fallback;
    if (file && isGiven) return warn(key, `${shown}; RESTIC_REPOSITORY is set too and has no effect.`);
    // What entry will mount on /mnt/restic is not there yet.
    const isMounted = context.settings.text("NFS_TARGET") !== "";
    if (!isMounted && goesWithContainer(context.repository)) return warn(key, `${shown} ${OWN_LAYER}`);
    return ok(key, isGiven || file ? shown : `${shown} (the default)`);
  } catch (error) {
    if (error instanceof ConfigError) return fail(key, error.message);
    throw error;
  }
}

async function checkPassword(settings: Settings): Promise<Check> {
  const [key, ...others] = PASSWORDS.filter((name) => settings.text(name) !== "");
  if (key === undefined) {
    return isPasswordMissing(settings, tryOptions(settings).words)
      ? fail("RESTIC_PASSWORD", MISSING_PASSWORD)
      : ok("RESTIC_PASSWORD", "is not set, and RESTIC_OPTIONS has --insecure-no-password");
  }
  if (key === "RESTIC_PASSWORD_FILE" && others.includes("RESTIC_PASSWORD_COMMAND")) {
    return fail(key, "RESTIC_PASSWORD_COMMAND is set too, and restic takes only one of the two. Unset one.");
  }
  const problem = key === "RESTIC_PASSWORD_FILE" ? await passwordFileProblem(settings.text(key)) : undefined;
  if (problem !== undefined) return fail(key, problem);
  if (others.length > 0) return warn(key, `is used; ${others.join(", ")} is set too and has no effect.`);
  return ok(key, key === "RESTIC_PASSWORD_FILE" ? settings.text(key) : "is set");
}

/** It is not opened: reading a named pipe would take the password from restic. */
async function passwordFileProblem(path: string): Promise<string | undefined> {
  const { stat, problem } = await accessWithin(path, "read");
  if (problem !== undefined) return `${path} cannot be read: ${problem}. Mount it, or correct the path.`;
  return stat.isFile() && stat.size === 0 ? `${path} is empty.` : undefined;
}

/** A quote that is never closed has a check of its own. */
function checkOptions(settings: Settings): Check[] {
  const { problem } = tryOptions(settings);
  return problem === undefined ? [] : [fail("RESTIC_OPTIONS", problem)];
}

/** Words that would send restic to another repository; those of a backup or a policy have checks of their own. */
function checkElsewhere(settings: Settings): Check[] {
  return RESTIC_ARGS.flatMap((name) => {
    const problem = elsewhereText(name, wordsOrNone(settings, name));
    return problem === undefined ? [] : [fail(name, problem)];
  });
}

function tryOptions(settings: Settings): { words: readonly string[]; problem?: string } {
  try {
    return { words: optionsOf(settings) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { words: [], problem: error.message };
  }
}

function checkTag(settings: Settings): Check {
  const tag = settings.env.RESTIC_TAG ?? settings.text("RESTIC_TAG");
  return tag.trim() === ""
    ? fail("RESTIC_TAG", "is empty. Give it a tag, or unset it for the default, automated.")
    : ok("RESTIC_TAG", tag);
}

/** BACKUP_ROOT_DIR, path by path; RESTIC_JOB_ARGS may name others. */
async function checkPaths(settings: Settings): Promise<Check[]> {
  const key = "BACKUP_PATHS";
  const roots = settings.lines("BACKUP_ROOT_DIR");
  // Side by side: each of several dead mounts takes its full time to be given up.
  if (roots.length > 0) return Promise.all(roots.map((path) => checkPath(key, path)));
  const problem = nothingNamed(jobWords(settings));
  return [problem === undefined ? ok(key, "what RESTIC_JOB_ARGS names") : fail(key, problem)];
}

async function checkPath(key: string, path: string): Promise<Check> {
  const { stat, problem } = await accessWithin(path, "read");
  if (problem !== undefined) {
    return fail(key, `${path} cannot be read: ${problem}. Mount it, or correct BACKUP_ROOT_DIR.`);
  }
  // restic saves `link/`, too, as the link.
  const bare = path.replace(/(\/+\.?)+$/, "") || "/";
  if (lstatSync(bare).isSymbolicLink()) {
    const target = realPath(bare);
    return warn(key, `${path} is a symbolic link: restic saves the link alone. Name ${target} instead.`);
  }
  if (stat.isDirectory() && isEmpty(path)) return warn(key, `${path} is empty. Is its volume mounted?`);
  return path.startsWith("/")
    ? ok(key, path)
    : warn(key, `${path} is a relative path: another one for everyone who starts a run. Write it from / on.`);
}

/** Reads one entry only: the folder may hold millions. */
function isEmpty(folder: string): boolean {
  const entries = opendirSync(folder);
  try {
    return entries.readSync() === null;
  } finally {
    entries.closeSync();
  }
}

/** "" where it cannot be known, which has a check of its own. */
function repositoryOrNone(context: Context): string {
  try {
    return context.repository;
  } catch (error) {
    if (error instanceof ConfigError) return "";
    throw error;
  }
}

/** The files that RESTIC_JOB_ARGS names: lists of paths, and of patterns. */
async function checkLists(settings: Settings): Promise<Check[]> {
  const key = "RESTIC_JOB_ARGS";
  return Promise.all(
    namedFiles(jobWords(settings)).map(async ({ flag, path }) => {
      const { stat, problem } = await accessWithin(path, "read");
      if (problem !== undefined) return fail(key, `${flag} ${path} cannot be read: ${problem}.`);
      return stat.isDirectory() ? fail(key, `${flag} ${folderText(path)}`) : ok(key, `${flag} ${path}`);
    }),
  );
}

/** Does restic read what is meant, and not its own repository? The same functions judge it in a run. */
async function checkSources(context: Context): Promise<Check[]> {
  const { settings } = context;
  const words = jobWords(settings);
  const problem = misreading(words, settings.lines("BACKUP_ROOT_DIR"));
  const paths = sourcesOf(settings);
  const inside = await repositoryInside(repositoryOrNone(context), paths, words);
  return [
    ...(problem === undefined ? [] : [fail("RESTIC_JOB_ARGS", problem)]),
    ...(inside === undefined ? [] : [fail("BACKUP_PATHS", inside)]),
    ...(await checkOwnInSources(context, paths, words)),
  ];
}

/** The paths that a backup would be given. */
export const sourcesOf = (settings: Settings): string[] =>
  namedSources(settings.lines("BACKUP_ROOT_DIR"), jobWords(settings)).map(({ path }) => path);

const jobWords = (settings: Settings) => wordsOrNone(settings, "RESTIC_JOB_ARGS");

function wordsOrNone(settings: Settings, name: NameOf<"words">): string[] {
  try {
    return settings.words(name);
  } catch (error) {
    // An unbalanced quote has a check of its own.
    if (error instanceof ConfigError) return [];
    throw error;
  }
}

async function checkCacert(settings: Settings): Promise<Check> {
  const key = "RESTIC_CACERT";
  const path = settings.text(key);
  if (path === "") return ok(key, "not set");
  const { problem } = await accessWithin(path, "read");
  if (problem === undefined) return ok(key, path);
  return warn(key, `${path} cannot be read: ${problem}. restic is called without --cacert.`);
}

/** Without LOCK_DIR no run begins; without LOG_DIR it does, but leaves nothing that could be read afterwards. */
const FOLDERS = [
  ["LOG_DIR", "FAIL", "Runs go on, but leave no record and no log."],
  ["LOCK_DIR", "FAIL", "No run can take its lock."],
  ["METRICS_DIR", "WARN", "No metrics are written."],
  ["TMPDIR", "WARN", "restic and restores need it for temporary files."],
] as const satisfies readonly (readonly [VariableName, Status, string])[];

export async function checkFolders(settings: Settings): Promise<Check[]> {
  const checks: Check[] = [];
  for (const [name, status, effect] of FOLDERS) {
    const path = settings.text(name);
    if (path === "") continue;
    const { stat, problem } = await accessWithin(path, "write");
    const reason = problem ?? (stat?.isDirectory() ? undefined : "it is not a directory");
    const say = reason === undefined ? ok : status === "FAIL" ? fail : warn;
    checks.push(say(name, reason === undefined ? path : `${path} cannot be written: ${reason}. ${effect}`));
    if (reason === undefined && name !== "TMPDIR") checks.push(...(await checkExposure(name, path)));
  }
  const crontabs = settings.text("CRONTAB_DIR");
  if (existsSync(crontabPath(settings))) checks.push(...(await checkExposure("CRONTAB_DIR", crontabs)));
  return checks;
}

/** Could others put something of theirs in the place of our files in this folder? */
async function checkExposure(name: VariableName, path: string): Promise<Check[]> {
  const real = realPath(path);
  for (let at = real; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) {
    const why = exposure(await promises.stat(at), at === real);
    if (why === undefined) continue;
    const what = at === real ? path : `${at}, above ${path},`;
    return [
      warn(
        name,
        `${what} is not safe: ${why}. A link or a pipe could be put in the place of a file of ours. ${SAFE}`,
      ),
    ];
  }
  return [];
}

const SAFE = "Give it to the running user, and take others' write permission (chmod go-w).";
