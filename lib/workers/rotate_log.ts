/**
 * rotate_log: archives cron.log without losing a line. Running jobs have the file open for appending, so it is
 * renamed, a new one is created, and the renamed one is packed only when no process has it open for writing; until
 * then it waits for the next rotation.
 */

import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
} from "node:fs";
import { wholeNumber } from "../config/settings.ts";
import { declarations } from "../config/variables.ts";
import { Context } from "../context.ts";
import { environment } from "../environment.ts";
import { EXIT, Failure, reasonOf } from "../errors.ts";
import type { Log } from "../log/log.ts";
import { writersOf } from "../process/proc.ts";
import { spawn } from "../process/spawn.ts";
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
    ["1", "a number is invalid, or the log cannot be rotated"],
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

async function rotate({ folder, most, keep }: Plan, log: Log): Promise<number> {
  const path = `${folder}/cron.log`;
  const current = statSync(path, { throwIfNoEntry: false });
  try {
    if (current === undefined) log.info(`There is no ${path} yet.`);
    else if (current.size < most || current.size === 0) {
      log.info(`${path} has ${formatBytes(current.size)}; it is rotated once it has ${formatBytes(most)}.`);
    } else setAside(path, current, log);
    let failed = false;
    for (const name of waiting(folder)) failed = !(await pack(folder, name, log)) || failed;
    prune(folder, keep, log);
    return failed ? EXIT.failed : EXIT.ok;
  } catch (error) {
    throw new Failure(`${path} cannot be rotated: ${reasonOf(error)}.`, EXIT.failed);
  }
}

/** A renamed cron.log has the time in its name, which becomes part of the archive's name. */
const WAITING = /^cron\.log\.(\d{8}_\d{6})$/;
const ARCHIVE = /^cron_log_\d{8}_\d{6}\.tar\.gz$/;
const archiveName = (name: string) => name.replace(WAITING, "cron_log_$1.tar.gz");

const matching = (folder: string, pattern: RegExp) =>
  readdirSync(folder)
    .filter((name) => pattern.test(name))
    .sort();
const waiting = (folder: string) => matching(folder, WAITING);

function setAside(path: string, { size, mode }: Stats, log: Log): void {
  const aside = freeName(path);
  renameSync(path, aside);
  const fd = openSync(path, "a", mode & 0o777);
  // Where our own lines are appended to cron.log, they go on in the new file: the old one is about to be packed.
  if (log.isShownIn(aside)) log.divert(fd);
  else closeSync(fd);
  log.info(`${path} (${formatBytes(size)}) was renamed to ${aside}.`);
}

/** Two rotations in one second must not use the same name. */
function freeName(path: string): string {
  const zone = localZone();
  for (let at = Date.now(); ; at += 1000) {
    const aside = `${path}.${compact(at, zone).replace("-", "_")}`;
    const archive = aside.replace(/cron\.log\.[^/]*$/, archiveName);
    const isTaken = [aside, archive].some((name) => statSync(name, { throwIfNoEntry: false }) !== undefined);
    if (!isTaken) return aside;
  }
}

/** False when packing failed; true when it succeeded or must wait for the next rotation. */
async function pack(folder: string, name: string, log: Log): Promise<boolean> {
  const path = `${folder}/${name}`;
  const before = statSync(path);
  const writers = writersOf(before);
  if (writers.length > 0) {
    log.info(
      `${path} is still open for writing in pid ${writers.join(", ")}; it is packed at the next rotation.`,
    );
    return true;
  }
  const archive = `${folder}/${archiveName(name)}`;
  const temporary = `${archive}.tmp`;
  const tar = spawn(["tar", "-czf", temporary, "-C", folder, name], { env: environment, stderr: "pipe" });
  const [words, { code }] = await Promise.all([new Response(tar.stderr).text(), tar.exited]);
  if (code !== 0) {
    rmSync(temporary, { force: true });
    log.error(`tar failed (exit ${code}): ${words.trim() || "it gave no reason"}. ${path} is kept unpacked.`);
    return false;
  }
  // A writer that we could not see (another user's) may have appended a line while tar was reading.
  if (statSync(path).size !== before.size) {
    rmSync(temporary, { force: true });
    log.info(`${path} grew while it was being packed; it is packed at the next rotation.`);
    return true;
  }
  toDisk(temporary);
  renameSync(temporary, archive);
  rmSync(path);
  log.info(`${archive} holds ${formatBytes(before.size)} in ${formatBytes(statSync(archive).size)}.`);
  return true;
}

/** After a power cut the lines must exist in at least one of the two files. */
function toDisk(path: string): void {
  const fd = openSync(path, "r");
  fsyncSync(fd);
  closeSync(fd);
}

function prune(folder: string, keep: number, log: Log): void {
  const archives = matching(folder, ARCHIVE);
  for (const name of archives.slice(0, Math.max(0, archives.length - keep))) {
    rmSync(`${folder}/${name}`);
    log.info(`${folder}/${name} was removed: MAX_CRON_LOG_ARCHIVES is ${keep}.`);
  }
}
