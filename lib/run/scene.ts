/** Where a run takes place: its settings, its log, its folders and its name. */

import { repositoryOf } from "../config/repository.ts";
import { Settings } from "../config/settings.ts";
import { type Environment, environment } from "../environment.ts";
import { ConfigError } from "../errors.ts";
import { systemHostname } from "../host.ts";
import { Log } from "../log.ts";
import { createMask, maskRepository } from "../mask.ts";
import type { NotifyScene } from "../notify/scene.ts";
import type { ChildEnvironment } from "../process/spawn.ts";
import { release } from "../release.ts";
import { compact } from "../time/format.ts";
import { localZone } from "../time/zone.ts";
import type { Identity } from "./record.ts";

export interface Scene extends NotifyScene {
  readonly identity: Identity;
  readonly recordPath: string;
}

export function sceneOf(job: string): Scene {
  const mask = createMask(environment);
  const log = new Log(job, mask);
  const settings = new Settings(environment, (message) => log.warn(message));
  const logDir = settings.folder("LOG_DIR");
  return {
    identity: {
      job,
      hostname: settings.text("HOSTNAME") || systemHostname(),
      release,
      runId: `${job}-${compact(Date.now(), localZone())}-${process.pid}`,
    },
    settings,
    mask,
    log,
    logDir,
    lockDir: settings.folder("LOCK_DIR"),
    logPath: `${logDir}/${job}-last.log`,
    recordPath: `${logDir}/last-${job}.json`,
    env: withoutOurs(environment),
  };
}

/** The lock of a worker or of a job that locked_run was told. */
export const lockPathOf = (job: string): string => `${lockDirectory()}/${job}.lock`;

export const lockDirectory = (): string => new Settings(environment, () => {}).folder("LOCK_DIR");

/** RBH_* tells a child about its own run; those of a run that started us would mislead. */
export function withoutOurs(env: Environment): ChildEnvironment {
  const theirs: ChildEnvironment = {};
  for (const name in env) if (!name.startsWith("RBH_")) theirs[name] = env[name];
  return theirs;
}

/** The repository as it may be shown; undefined when none is configured well enough to be named. */
export function shownRepository(settings: Settings): string | undefined {
  try {
    return maskRepository(repositoryOf(settings));
  } catch (error) {
    // The worker itself reports a wrong configuration; here it only means that there is nothing to show.
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
