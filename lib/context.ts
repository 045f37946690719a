/**
 * Where a run takes place, as far as it is needed to tell the world of it; see lib/context.ts.
 *
 * Where a run takes place: its settings, its log, its folders and its name.
 */

import { repositoryOf } from "./config/repository.ts";
import { Settings } from "./config/settings.ts";
import type { ChildEnvironment } from "./environment.ts";
import { type Environment, environment, release, systemHostname } from "./environment.ts";
import { ConfigError } from "./errors.ts";
import { Log } from "./log/log.ts";
import { createMask, type Mask, maskRepository } from "./mask.ts";
import { compact } from "./time/format.ts";
import { localZone } from "./time/zone.ts";

/** The fields that every line of the history has. Times are epoch milliseconds. */
export interface Identity {
  readonly job: string;
  readonly hostname: string;
  readonly release: string;
  readonly runId: string;
}

export interface NotifyScene {
  readonly identity: { readonly job: string; readonly hostname: string; readonly runId: string };
  readonly settings: Settings;
  readonly mask: Mask;
  readonly log: Log;
  readonly logDir: string;
  readonly lockDir: string;
  /** `LOG_DIR/<worker>-last.log`: what a mail carries. */
  readonly logPath: string;
  /** The environment of the run's children: ours, without what a run around us has put there. */
  readonly env: ChildEnvironment;
}

/** What sendmail said last. */
export const mailLogOf = ({ logDir, identity }: NotifyScene): string =>
  `${logDir}/${identity.job}-mail-last.log`;

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
