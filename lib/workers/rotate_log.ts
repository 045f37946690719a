/**
 * rotate_log: archives cron.log without losing a line. Running jobs have the file open for appending, so it is
 * renamed, a new one is created, and the renamed one is packed only when no process has it open for writing; until
 * then it waits for the next rotation.
 */

import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
} from "node:fs";
import { wholeNumber } from "../config/settings.ts";
import { declarations } from "../config/variables.ts";
import { Context } from "../context.ts";
import { environment } from "../environment.ts";
import { EXIT, Failure, reasonOf } from "../errors.ts";
import { discard, openNew, openOurs, temporaryOf } from "../files/files.ts";
import type { Log } from "../log/log.ts";
import { removeDeadTempFiles, writersOf } from "../process/proc.ts";
import { plainEnvironment, spawn } from "../process/spawn.ts";
import type { Command } from "../run/command.ts";
import { takeLock } from "../state/lock.ts";
import { formatBytes } from "../text.ts";
import { compact, localZone } from "../time/zone.ts";

const command: Command = {
  about:
    "Archives cron.log as cron_log_<YYYYMMDD_HHMMSS>.tar.gz when it has grown to CRON_LOG_MAX_SIZE, and keeps the " +
    "MAX_CRON_LOG_ARCHIVES newest archives. A file that a running job still writes to is packed at the next rotation.",
  flags: {},
  environment: ["LOG_DIR", "LOCK_DIR", "CRON_LOG_MAX_SIZE", "MAX_CRON_LOG_ARCHIVES", "TZ", "NO_COLOR"],
  exits: [
    ["0", "done, or nothing to do"],
    ["1", "a number is invalid, or something cannot be rotated, packed or removed"],
    ["2", "the command line is wrong; nothing was done"],
    ["75", "another rotation is active"],
  ],
  main: async ({ prepared }) => {
    const { settings, log, lockPath } = new Context("rotate_log");
    const plan = {
      folder: settings.text("LOG_DIR"),
      most: readNumber("CRON_LOG_MAX_SIZE"),
      keep: readNumber("MAX_CRON_LOG_ARCHIVES"),
    };
    const lock = await takeLock(lockPath, environment, prepared?.lock);
    if (lock === undefined) {
      log.warn("Another rotation is active; skipping this one.");
      return EXIT.busy;
    }
    return rotate(plan, log);
  },
};
export default command;

interface Plan {
  readonly folder: string;
  /** The size in bytes from which cron.log is rotated. */
  readonly most: number;
  /** The number of archives to keep. */
  readonly keep: number;
}

/** Elsewhere an invalid number gets a warning and the default; here a wrong guess would delete archives. */
function readNumber(name: "CRON_LOG_MAX_SIZE" | "MAX_CRON_LOG_ARCHIVES"): number {
  const text = environment[name] || declarations[name].fallback || "";
  const value = wholeNumber(text);
  if (value !== undefined) return value;
  throw new Failure(`${name}=${text} is not a whole number; nothing was rotated.`, EXIT.failed);
}

/** What cannot be done with one file is said, and does not keep the others. */
async function rotate({ folder, most, keep }: Plan, log: Log): Promise<number> {
  const path = `${folder}/cron.log`;
  let failed = false;
  const attempt = async (what: string, action: () => boolean | Promise<boolean>) => {
    try {
      if (!(await action())) failed = true;
    } catch (error) {
      log.error(`${what}: ${reasonOf(error)}.`);
      failed = true;
    }
  };
  await attempt(`${path} cannot be rotated`, () => rotateCurrent(path, most, log));
  await attempt(`${folder} cannot be read`, async () => {
    for (const name of matching(folder, WAITING))
      await attempt(`${folder}/${name} cannot be packed`, () => pack(folder, name, log));
    const archives: string[] = [];
    for (const name of matching(folder, ARCHIVE)) {
      const stat = lstatSync(`${folder}/${name}`);
      if (stat.isDirectory()) failed = !isStrange(`${folder}/${name}`, stat, log);
      else archives.push(`${folder}/${name}`);
    }
    for (const path of archives.slice(0, Math.max(0, archives.length - keep)))
      await attempt(`${path} cannot be removed`, () => remove(path, keep, log));
    return true;
  });
  return failed ? EXIT.failed : EXIT.ok;
}

function rotateCurrent(path: string, most: number, log: Log): boolean {
  const current = lstatSync(path, { throwIfNoEntry: false });
  if (current === undefined) log.info(`There is no ${path} yet.`);
  else if (!current.isFile()) return isStrange(path, current, log);
  else if (current.size < most || current.size === 0)
    log.info(`${path} has ${formatBytes(current.size)}; it is rotated once it has ${formatBytes(most)}.`);
  else setAside(path, current, log);
  return true;
}

/** Only files are rotated: what a link leads to may be anybody's. Returns false. */
function isStrange(path: string, stat: Stats, log: Log): boolean {
  const what = stat.isSymbolicLink() ? "symbolic link" : stat.isDirectory() ? "folder" : "special file";
  log.error(
    `${path} is a ${what} and left alone. Move it away: a name of a log or an archive must be a file's.`,
  );
  return false;
}

/** A renamed cron.log has the time in its name, which becomes part of the archive's name. */
const WAITING = /^cron\.log\.(\d{8}_\d{6})$/;
const ARCHIVE = /^cron_log_\d{8}_\d{6}\.tar\.gz$/;
const archiveName = (name: string) => name.replace(WAITING, "cron_log_$1.tar.gz");

const matching = (folder: string, pattern: RegExp) =>
  readdirSync(folder)
    .filter((name) => pattern.test(name))
    .sort();

function setAside(path: string, { size, mode }: Stats, log: Log): void {
  const aside = freeName(path);
  renameSync(path, aside);
  // Whoever has made one before us was faster: a job that appends to it.
  const fd = openOurs(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, mode & NOT_OTHERS);
  // Where our own lines are appended to cron.log, they go on in the new file: the old one is about to be packed.
  if (log.isShownIn(aside)) log.divert(fd);
  else closeSync(fd);
  log.info(`${path} (${formatBytes(size)}) was renamed to ${aside}.`);
}

/** The rights that a log or an archive may have: others read it, and do not write it, whatever the umask is. */
const NOT_OTHERS = 0o755;

/** Two rotations in one second must not use the same name. */
function freeName(path: string): string {
  const zone = localZone();
  for (let at = Date.now(); ; at += 1000) {
    const aside = `${path}.${compact(at, zone).replace("-", "_")}`;
    const archive = aside.replace(/cron\.log\.[^/]*$/, archiveName);
    const isTaken = [aside, archive].some((name) => lstatSync(name, { throwIfNoEntry: false }) !== undefined);
    if (!isTaken) return aside;
  }
}

/** False when packing failed; true when it succeeded or must wait for the next rotation. */
async function pack(folder: string, name: string, log: Log): Promise<boolean> {
  const path = `${folder}/${name}`;
  const before = lstatSync(path);
  if (!before.isFile()) return isStrange(path, before, log);
  const writers = writersOf(before);
  if (writers.length > 0) {
    log.info(
      `${path} is still open for writing in pid ${writers.join(", ")}; it is packed at the next rotation.`,
    );
    return true;
  }
  const archive = `${folder}/${archiveName(name)}`;
  const there = lstatSync(archive, { throwIfNoEntry: false });
  if (there?.isDirectory()) return isStrange(archive, there, log);
  // A rotation that was killed may have left one.
  removeDeadTempFiles(archive);
  const temporary = temporaryOf(archive);
  const fd = openNew(temporary, constants.O_WRONLY, before.mode & NOT_OTHERS);
  try {
    const tar = spawn(["tar", "-czf", "-", "-C", folder, name], {
      env: plainEnvironment(environment),
      stdout: fd,
      stderr: "pipe",
    });
    const [words, { code }] = await Promise.all([new Response(tar.stderr).text(), tar.exited]);
    if (code !== 0) {
      log.error(
        `tar failed (exit ${code}): ${words.trim() || "it gave no reason"}. ${path} is kept unpacked.`,
      );
      return false;
    }
    // A writer that we could not see (another user's) may have appended a line while tar was reading.
    const after = lstatSync(path);
    if (after.size !== before.size || after.ino !== before.ino) {
      log.info(`${path} grew while it was being packed; it is packed at the next rotation.`);
      return true;
    }
    // After a power cut the lines must exist in at least one of the two files.
    fsyncSync(fd);
    renameSync(temporary, archive);
  } finally {
    closeSync(fd);
    discard(temporary);
  }
  rmSync(path);
  log.info(`${archive} holds ${formatBytes(before.size)} in ${formatBytes(lstatSync(archive).size)}.`);
  return true;
}

function remove(path: string, keep: number, log: Log): boolean {
  rmSync(path);
  log.info(`${path} was removed: MAX_CRON_LOG_ARCHIVES is ${keep}.`);
  return true;
}
