/**
 * Where a command does its work: the settings, the log, the folders, the names and the repository, each found out
 * once for an invocation and the same to all of its parts. What costs something (the mask reads the files of secrets,
 * the host's name loads a module) is made when it is first asked for: status needs neither.
 */

import { Settings } from "./config/settings.ts";
import {
  type ChildEnvironment,
  type Environment,
  environment,
  release,
  systemHostname,
} from "./environment.ts";
import { ConfigError, reasonOf } from "./errors.ts";
import { readSmallFile } from "./files/files.ts";
import { Log } from "./log/log.ts";
import { createMask, type Mask, maskRepository } from "./mask.ts";
import { compact, localZone, type Zone } from "./time/zone.ts";

/** The fields that every line of the history has. */
export interface Identity {
  readonly job: string;
  readonly hostname: string;
  readonly release: string;
  readonly runId: string;
}

export interface ContextOptions {
  /** Default: the environment that we were started with. */
  readonly env?: Environment;
  /** Called once for each value that makes no sense. Default: a warning in the log. */
  readonly onOddValue?: (message: string) => void;
}

export class Context {
  readonly settings: Settings;
  readonly logDir: string;
  readonly lockDir: string;
  /** `LOCK_DIR/<job>.lock`: the lock of a worker, or of a job that locked_run was told. */
  readonly lockPath: string;
  /** `LOG_DIR/<job>-last.log`: the run's own log, which a mail carries. */
  readonly logPath: string;
  /** Where the log of the last failure is kept. */
  readonly errorLogPath: string;
  /** What sendmail said last. */
  readonly mailLogPath: string;
  readonly recordPath: string;
  /** Where a run leaves its record that cannot leave it in LOG_DIR. */
  readonly unrecordedPath: string;
  private resolved: Resolved | undefined;
  private madeMask: Mask | undefined;
  private madeLog: Log | undefined;
  private madeIdentity: Identity | undefined;
  private madeEnv: ChildEnvironment | undefined;
  private madeShown: string | undefined;

  /** `job` is the worker's name, or the tool's, or the job's that locked_run was told. */
  constructor(
    readonly job: string,
    { env = environment, onOddValue = (message) => this.log.warn(message) }: ContextOptions = {},
  ) {
    this.settings = new Settings(env, onOddValue);
    this.logDir = this.settings.folder("LOG_DIR");
    this.lockDir = this.settings.folder("LOCK_DIR");
    this.lockPath = `${this.lockDir}/${job}.lock`;
    this.logPath = `${this.logDir}/${job}-last.log`;
    this.errorLogPath = `${this.logDir}/${job}-error-last.log`;
    this.mailLogPath = `${this.logDir}/${job}-mail-last.log`;
    this.recordPath = recordPath(this.logDir, job);
    this.unrecordedPath = unrecordedPath(this.lockDir, job);
  }

  /** Makes now what a run will need, so that it is done while something else (flock) is waited for. */
  prepare(): this {
    this.madeLog ??= this.log;
    this.madeIdentity ??= this.identity;
    return this;
  }

  /** The same for another job of this invocation: `locked_run nightly backup` runs backup. */
  forJob(job: string): Context {
    if (job === this.job) return this;
    const other = new Context(job, { env: this.settings.env });
    other.resolved = this.resolved;
    other.madeMask = this.mask;
    return other;
  }

  get mask(): Mask {
    this.madeMask ??= createMask(this.settings.env, {
      // Read once, so that what is hidden and what is used cannot be two repositories.
      RESTIC_REPOSITORY_FILE: () => this.resolution.fileText,
    });
    return this.madeMask;
  }

  get log(): Log {
    this.madeLog ??= new Log(this.job, this.mask);
    return this.madeLog;
  }

  get identity(): Identity {
    this.madeIdentity ??= {
      job: this.job,
      hostname: this.settings.text("HOSTNAME") || systemHostname(),
      release,
      runId: `${this.job}-${compact(Date.now(), this.zone)}-${process.pid}`,
    };
    return this.madeIdentity;
  }

  get zone(): Zone {
    return localZone();
  }

  get hostname(): string {
    return this.identity.hostname;
  }

  /** The folder of the hooks. */
  get hooksDir(): string {
    return this.settings.folder("HOOKS_DIR");
  }

  /** The environment of what we start: ours, without what a run around us has put there. */
  get env(): ChildEnvironment {
    this.madeEnv ??= withoutOurs(this.settings.env);
    return this.madeEnv;
  }

  /** "" where none is named. Throws a ConfigError when the file that names it cannot be read or names none. */
  get repository(): string {
    const { repository } = this.resolution;
    if (repository instanceof ConfigError) throw repository;
    return repository;
  }

  /** The repository as it may be shown; undefined where it cannot be known, which the worker itself reports. */
  get shownRepository(): string | undefined {
    if (this.madeShown === undefined) {
      const { repository } = this.resolution;
      if (!(repository instanceof ConfigError)) this.madeShown = maskRepository(repository);
    }
    return this.madeShown;
  }

  private get resolution(): Resolved {
    this.resolved ??= resolveRepository(this.settings);
    return this.resolved;
  }
}

/** The record of a job's last run. */
export const recordPath = (logDir: string, job: string): string => `${logDir}/last-${job}.json`;

/** See state/unrecorded.ts. */
export const unrecordedPath = (lockDir: string, job: string): string => `${lockDir}/${job}.unrecorded.json`;

/** RBH_* tells a child about its own run; those of a run that started us would mislead. */
export function withoutOurs(env: Environment): ChildEnvironment {
  const theirs: ChildEnvironment = {};
  for (const name in env) if (!name.startsWith("RBH_")) theirs[name] = env[name];
  return theirs;
}

/** The file holds a line and some comments. */
const FILE_MOST = 65_536;

/** What the settings say of the repository, found out once: the file may be another one a moment later. */
interface Resolved {
  /** The repository, "" where none is named; or why it cannot be known. */
  readonly repository: string | ConfigError;
  /** All that RESTIC_REPOSITORY_FILE holds; undefined where it is unset or cannot be read. */
  readonly fileText?: string;
}

/** RESTIC_REPOSITORY_FILE, which is opened once, wins over RESTIC_REPOSITORY. Throws nothing. */
function resolveRepository(settings: Settings): Resolved {
  const path = settings.text("RESTIC_REPOSITORY_FILE");
  if (path === "") return { repository: settings.text("RESTIC_REPOSITORY") };
  let fileText: string;
  try {
    fileText = readSmallFile(path, FILE_MOST);
  } catch (error) {
    return {
      repository: new ConfigError(
        `RESTIC_REPOSITORY_FILE=${path} cannot be read: ${reasonOf(error)}. Mount it, or unset it.`,
      ),
    };
  }
  const line = fileText
    .split("\n")
    .map((each) => each.trim())
    .find((each) => each !== "" && !each.startsWith("#"));
  const repository =
    line ??
    new ConfigError(`RESTIC_REPOSITORY_FILE=${path} names no repository: every line is blank or a comment.`);
  return { repository, fileText };
}
