/**
 * The steps of a container's start, in the order in which entry takes them: old names of variables, the first lines
 * of the log, the NFS mount, the repository, the folders that jobs need, the crontab. A step that fails throws a
 * Failure, and no job is ever started.
 */

import { accessSync, closeSync, constants } from "node:fs";
import { type Variable, variables } from "../config/variables.ts";
import type { Context } from "../context.ts";
import { type Environment, release, version } from "../environment.ts";
import { ConfigError, EXIT, Failure, reasonOf } from "../errors.ts";
import { makeFolder, replaceFile } from "../files/files.ts";
import { openCronLog } from "../log/log.ts";
import { type Answer, ask } from "../process/child.ts";
import { plainEnvironment } from "../process/spawn.ts";
import type { Stop } from "../process/stop.ts";
import { commandWords } from "../restic/backup-args.ts";
import type { Access } from "../restic/messages.ts";
import { changedText, probeRepository } from "../restic/open.ts";
import { goesWithContainer, misreadRepository } from "../restic/place.ts";
import { accessOf } from "../restic/restic.ts";
import { crontabPath, type Places } from "../schedule/schedule.ts";
import { lastFields, repositoryIdOf } from "../state/record.ts";
import { lastSuccessIn } from "../state/repositories.ts";
import { stamp } from "../time/zone.ts";

/** Starts the jobs: crond, or the Ticker where crond cannot. */
export interface Scheduler {
  /** Resolves with the reason when the scheduler dies; never resolves after `stop`. */
  readonly died: Promise<string>;
  /** The process that starts the jobs. */
  readonly pid: number;
  /** The pids of what it has started and that still runs. */
  jobs(): readonly number[];
  /** Starts no more jobs, and resolves to the pids of the running ones. */
  stop(): Promise<readonly number[]>;
}

export interface Renamed {
  readonly env: Environment;
  /** One sentence for each old name that is set. */
  readonly warnings: readonly string[];
}

/**
 * Maps old names to new ones (SYNC_CRON to REPLICATE_CRON) for everything that entry starts. Where both are set, the
 * new name wins.
 */
export function withNewNames(env: Environment): Renamed {
  const mapped: Record<string, string | undefined> = { ...env };
  const warnings: string[] = [];
  for (const [name, { old }] of Object.entries<Variable>(variables)) {
    if (old === undefined || !env[old]) continue;
    delete mapped[old];
    if (env[name])
      warnings.push(`${old} has no effect: ${name} is set, and ${old} is its old name. Remove it.`);
    else {
      mapped[name] = env[old];
      warnings.push(`${old} is the old name of ${name} and still works. Rename it.`);
    }
  }
  return { env: mapped, warnings };
}

export function banner({ log, settings, hostname, zone }: Context): void {
  log.info(
    `restic-backup-helper ${version} (release ${release}) on ${hostname}, user ${process.geteuid?.() ?? "?"}`,
  );
  log.info(`It is ${stamp(Date.now(), zone)} in the time zone ${zone.name}.`);
  if (!zone.known)
    log.warn(`TZ=${settings.env.TZ} is not a time zone of this image; using UTC. Install tzdata.`);
  if (process.pid === 1) {
    log.warn("entry is process 1 and reaps no orphans. Start it under an init: tini, or docker run --init.");
  }
}

const MOUNT_POINT = "/mnt/restic";
/** mount(8) itself keeps trying a silent server for two minutes. */
const MOUNT_MS = 130_000;

/**
 * Mounts NFS_TARGET, if set. Throws a Failure when it cannot: a repository must never be created below a mount
 * point on which nothing is mounted.
 */
export async function mountNfs({ log, settings, env }: Context, stop: Stop): Promise<void> {
  const target = settings.text("NFS_TARGET");
  if (target === "") return;
  try {
    makeFolder(MOUNT_POINT);
  } catch (error) {
    throw new Failure(
      `${MOUNT_POINT}, the mount point of NFS_TARGET, cannot be created: ${reasonOf(error)}.`,
      EXIT.failed,
    );
  }
  log.info(`Mounting ${target} on ${MOUNT_POINT}.`);
  const command = ["mount", "-t", "nfs", "-o", "nolock", target, MOUNT_POINT];
  const { code, cause, stderr } = await ask(command, {
    env: plainEnvironment(env),
    timeoutMs: MOUNT_MS,
    stop,
  });
  if (stop.signal !== undefined || (code === EXIT.ok && cause === undefined)) return;
  const words =
    stderr.trim() || (cause === undefined ? "it gave no reason" : "the server did not answer in time");
  throw new Failure(
    `NFS_TARGET=${target} cannot be mounted (exit ${code}): ${words}. Check the export and the network; the ` +
      "container needs CAP_SYS_ADMIN to mount.",
    EXIT.failed,
  );
}

/** `restic init` takes a few more requests than opening, and some object stores are slow to answer the first. */
const INIT_MS = 120_000;

/** Opens the repository, and creates a missing one. Throws a Failure that says why it cannot be used. */
export async function readyRepository(context: Context, stop: Stop): Promise<void> {
  const { log, env } = context;
  const access = knownAccess(context);
  const misread = misreadRepository(context.repository);
  if (misread !== undefined) throw new Failure(misread, EXIT.failed);
  const verdict = await probeRepository(access, env, stop);
  if (stop.signal !== undefined) return;
  if (verdict.status === "ok") {
    log.info(`The repository ${access.shown} exists and can be opened.`);
    warnOfAnother(context, verdict.id);
  } else if (verdict.status === "missing") {
    refuseVanished(context, access);
    refuseDefault(context);
    await create(context, access, stop);
  } else throw new Failure(verdict.message, EXIT.failed);
}

/** The id is not noted here: the next backup says it too, as an alert. */
function warnOfAnother(context: Context, id: string | undefined): void {
  const { log, mask, shownRepository = "" } = context;
  const before = repositoryIdOf(lastFields(context, "backup"), mask(shownRepository));
  if (id !== undefined && before !== undefined && id !== before)
    log.warn(changedText(shownRepository, before, id));
}

/** A repository that runs have worked with is never created again: what is missing is its disk or its name. */
function refuseVanished({ logDir, mask, zone }: Context, { shown }: Access): void {
  const run = lastSuccessIn(logDir, mask(shown));
  if (run === undefined) return;
  throw new Failure(
    `There is no repository at ${shown}, but ${String(run.job)} worked with one there, last at ` +
      `${stamp(run.finished_epoch * 1000, zone)}. None is created in its place: mount its disk, or correct ` +
      "RESTIC_REPOSITORY; if a new one is meant, run init-repo.",
    EXIT.failed,
  );
}

/** Nobody has asked for the default: without a mount there, a repository would go with the container unnoticed. */
function refuseDefault({ settings, repository }: Context): void {
  const { fallback } = variables.RESTIC_REPOSITORY;
  if (repository !== fallback || settings.text("NFS_TARGET") !== "" || !goesWithContainer(repository)) return;
  throw new Failure(
    `There is no repository at ${repository}, which is the default of RESTIC_REPOSITORY, and nothing is mounted there: it ` +
      "would go with the container. Set RESTIC_REPOSITORY, or mount a volume or a folder of the host there.",
    EXIT.failed,
  );
}

/** Without a repository entry exits with 1, as with one that cannot be used: an orchestrator treats them alike. */
function knownAccess(context: Context): Access {
  try {
    return accessOf(context, (message) => context.log.warn(message));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Failure(error.message, EXIT.failed);
  }
}

async function create({ log, settings, env }: Context, access: Access, stop: Stop): Promise<void> {
  log.info(`There is no repository at ${access.shown} yet; creating it.`);
  const command = ["restic", ...access.words, "init", ...commandWords(settings, "RESTIC_INIT_ARGS")];
  const answer = await ask(command, { env: { ...env, ...access.env }, timeoutMs: INIT_MS, stop });
  for (const line of answerLines(answer)) log.childLine("restic", line);
  if (stop.signal !== undefined || (answer.code === EXIT.ok && answer.cause === undefined)) return;
  const how = answer.cause === undefined ? `(exit ${answer.code})` : `in ${INIT_MS / 1000} s`;
  throw new Failure(
    `The repository ${access.shown} could not be created ${how}. See restic's output above.`,
    EXIT.failed,
  );
}

const answerLines = ({ stdout, stderr }: Answer) =>
  `${stdout}\n${stderr}`.split("\n").filter((line) => line.trim());

/**
 * Checks the folders before the first job needs them; of a cron.log that cannot be written it warns only. Throws a
 * Failure when LOCK_DIR cannot be used: no job could take its lock.
 */
export function readyFolders({ log }: Context, places: Places): void {
  try {
    makeFolder(places.lockDir);
    accessSync(places.lockDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new Failure(
      `LOCK_DIR=${places.lockDir} cannot be written: ${reasonOf(error)}. No job could take its lock. Mount a ` +
        "tmpfs there, or set LOCK_DIR to a folder that the running user can write.",
      EXIT.failed,
    );
  }
  try {
    makeFolder(dirname(places.cronLog));
    closeSync(openCronLog(places.cronLog));
  } catch (error) {
    log.warn(
      `${places.cronLog} cannot be written: ${reasonOf(error)}. Until it can be, the jobs write to this container's stdout.`,
    );
  }
}

const dirname = (path: string): string => path.slice(0, path.lastIndexOf("/"));

/** Writes the crontab atomically, as crond must never see half of it; only its owner may read it. Throws a Failure. */
export function writeCrontab({ log, settings }: Context, text: string): void {
  const path = crontabPath(settings);
  try {
    makeFolder(settings.text("CRONTAB_DIR"));
    replaceFile(path, text, { mode: 0o600 });
  } catch (error) {
    throw new Failure(
      `The crontab ${path} cannot be written: ${reasonOf(error)}. Mount a tmpfs there, or set CRONTAB_DIR to a ` +
        "folder that the running user can write.",
      EXIT.failed,
    );
  }
  log.info(`${path}:`);
  for (const line of text.trimEnd().split("\n")) log.info(`  ${line}`);
}
