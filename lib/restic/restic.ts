/**
 * How restic reaches the repository, within a run or outside of one; and calls of restic within a run: its environment,
 * its output in the log, one meaning of exit codes for all versions.
 */

import { accessSync, constants, existsSync, readdirSync, statSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import type { VariableName } from "../config/variables.ts";
import type { Context } from "../context.ts";
import type { ChildEnvironment, Environment } from "../environment.ts";
import { ConfigError, EXIT, Failure } from "../errors.ts";
import { demandAnswer, isKnownSilent, silent } from "../files/mounts.ts";
import { type Outcome, type Run, Stopped } from "../run/run.ts";
import { NO_REASON } from "../state/record.ts";
import { formatBytes } from "../text.ts";
import { globalArgs } from "./backup-args.ts";
import {
  type Access,
  type Caller,
  codeOfWords,
  explain,
  isCount,
  isFatal,
  isSshSilent,
  isTrace,
  type LockOwner,
  lockOwner,
  messageText,
  normalizeExit,
  parseMessage,
  parseTrouble,
  RESTIC,
  type ResticEnd,
  type ResticPlan,
  refusedLock,
  saysSignal,
  type Trouble,
  wordsIn,
  worse,
} from "./messages.ts";
import { globalOptions, needsNoPassword } from "./options.ts";
import { PlainCounters } from "./progress.ts";

/** What accessOf() reads. */
export const ACCESS_ENVIRONMENT = [
  "RESTIC_REPOSITORY",
  "RESTIC_REPOSITORY_FILE",
  "RESTIC_PASSWORD",
  "RESTIC_PASSWORD_FILE",
  "RESTIC_PASSWORD_COMMAND",
  "RESTIC_CACERT",
  "RESTIC_OPTIONS",
  "RCLONE_CONFIG",
] as const satisfies readonly VariableName[];

/** Any of them gives restic the password; the one that it prefers comes first. */
export const PASSWORDS = ["RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND", "RESTIC_PASSWORD"] as const;
export const MISSING_PASSWORD = `The repository's password is missing. Set one of ${PASSWORDS.join(", ")}.`;

/**
 * Throws a ConfigError when the repository or the password is missing, or RESTIC_OPTIONS makes no sense. `warn` receives one
 * sentence for a RESTIC_CACERT that cannot be read.
 */
export function accessOf(context: Context, warn: (message: string) => void): Access {
  // Throws where it cannot be known; what is shown of it is known, then.
  const { settings, repository } = context;
  const options = optionsOf(settings);
  if (isPasswordMissing(settings, options)) throw new ConfigError(MISSING_PASSWORD);
  const cacert = readableCacert(settings, warn);
  return {
    shown: context.shownRepository ?? "",
    passwordFrom: PASSWORDS.find((name) => settings.text(name) !== ""),
    words: [...globalArgs(cacert), ...options],
    env: {
      RESTIC_REPOSITORY: repository,
      // Not handed on: restic would take its first line whatever it is.
      RESTIC_REPOSITORY_FILE: undefined,
      // Nor is what cannot be read: restic reads the variable itself, and fails with it.
      ...(cacert === undefined ? { RESTIC_CACERT: undefined } : {}),
      ...backendEnv(repository, settings),
    },
  };
}

/** RESTIC_OPTIONS. Throws a ConfigError on what does not belong there. */
export function optionsOf(settings: Settings): readonly string[] {
  const words = settings.words("RESTIC_OPTIONS");
  return words.length === 0 ? words : globalOptions(words);
}

export const isPasswordMissing = (settings: Settings, options: readonly string[]): boolean =>
  PASSWORDS.every((name) => settings.text(name) === "") && !needsNoPassword(options);

/** What the programs and libraries that restic reaches the repository with read, where the operator has not set it. */
function backendEnv(repository: string, settings: Settings): ChildEnvironment {
  if (repository.startsWith("rclone:")) return rcloneEnv(settings);
  return repository.startsWith("swift:") ? swiftEnv(settings.env) : {};
}

/** The environment in which rclone finds its configuration, and asks nobody for that one's password. */
function rcloneEnv(settings: Settings): ChildEnvironment {
  const path = settings.text("RCLONE_CONFIG");
  return {
    // Where the default is not there, rclone looks for the files that it knows by itself, as it has always done.
    ...(settings.env.RCLONE_CONFIG || isFileThere(path) ? { RCLONE_CONFIG: path } : {}),
    RCLONE_ASK_PASSWORD: settings.env.RCLONE_ASK_PASSWORD || "false",
  };
}

function isFileThere(path: string): boolean {
  return !(silent.size > 0 && isKnownSilent(path)) && existsSync(path);
}

/** The domains that upstream's image set: Keystone 3 refuses a login without one. */
function swiftEnv(env: Environment): ChildEnvironment {
  return {
    ...(env.OS_USER_DOMAIN_NAME || env.OS_USER_DOMAIN_ID ? {} : { OS_USER_DOMAIN_NAME: "Default" }),
    ...(env.OS_PROJECT_DOMAIN_NAME || env.OS_PROJECT_DOMAIN_ID ? {} : { OS_PROJECT_DOMAIN_ID: "default" }),
    OS_IDENTITY_API_VERSION: env.OS_IDENTITY_API_VERSION || "3",
  };
}

function readableCacert(settings: Settings, warn: (message: string) => void): string | undefined {
  const path = settings.text("RESTIC_CACERT");
  if (path === "") return undefined;
  try {
    if (silent.size > 0) demandAnswer(path);
    accessSync(path, constants.R_OK);
    return path;
  } catch {
    warn(`RESTIC_CACERT=${path} cannot be read; restic runs without --cacert.`);
    return undefined;
  }
}

/** Bytes of the longest answer that is kept in memory: several hundred thousand snapshots. */
const ANSWER_MOST = 256 * 1024 * 1024;

/** What every worker that calls restic reads, and restic itself. */
export const RESTIC_ENVIRONMENT = [
  ...ACCESS_ENVIRONMENT,
  "RESTIC_CACHE_DIR",
  "RESTIC_AUTO_UNLOCK",
  "PROGRESS_INTERVAL",
] as const satisfies readonly VariableName[];

/**
 * Milliseconds within which a lock that cannot be written is the first one of a call. restic writes it again every five
 * minutes (its lock.go, refreshInterval); by then the call has begun its work and must not begin again.
 */
const LOCKING_MS = 4 * 60_000;

export class Restic implements Caller {
  readonly access: Access;
  /** Is a lock in the way being dealt with? Calls that this takes find it too, and are not to begin it again. */
  private isContending = false;
  /** Who had the lock that was in the way last. */
  private lockOwner: LockOwner | undefined;
  /** Why the last call failed, where restic said it. */
  private trouble: Trouble | undefined;
  /** What the last call that failed said of it: the line that names the cause, else its last one; empty when none. */
  private said = "";

  /** Do all further calls go without restic's lock, which cannot be written? */
  private isUnlocked = false;

  /**
   * Throws a ConfigError when the repository or the password is missing. `canReadUnlocked`: the worker only reads, and
   * where the repository can be read but not written, it goes on with --no-lock.
   */
  constructor(
    private readonly run: Run,
    private readonly options: { readonly canReadUnlocked?: true } = {},
  ) {
    this.access = accessOf(run.context, (message) => run.log.warn(message));
  }

  /** The repository, fit to be shown. */
  get shown(): string {
    return this.access.shown;
  }

  /**
   * Runs `restic <words>` until it exits, logging its output as it arrives. A locked repository is waited for, and stale
   * locks are removed, as plan.lockWait and RESTIC_AUTO_UNLOCK have it (see contention.ts). Throws CannotStart, Stopped.
   */
  async call(words: readonly string[], plan: ResticPlan = {}): Promise<ResticEnd> {
    const end = await this.once(words, plan);
    const { lockWait = 0 } = plan;
    if (end.exitCode !== RESTIC.locked || this.isContending) return end;
    if (lockWait === 0 && this.run.settings.choice("RESTIC_AUTO_UNLOCK") === "OFF") return end;
    this.isContending = true;
    const { outlast } = await import("./contention.ts");
    const [command = "", ...rest] = words;
    // Whoever passes --retry-lock to restic has had its wait.
    const isPatient = [...this.access.words, ...words].some((word) => word.startsWith("--retry-lock"));
    return outlast(end, {
      run: this.run,
      restic: this,
      wait: isPatient ? 0 : lockWait,
      owner: () => this.lockOwner,
      attempt: (more) => this.once([command, ...more, ...rest], plan),
    }).finally(() => {
      this.isContending = false;
    });
  }

  private async once(words: readonly string[], plan: ResticPlan): Promise<ResticEnd> {
    const { onMessage = () => false, onWords = () => false, onLine, onBytes, env = {} } = plan;
    const { log } = this.run;
    let saidCode: number | undefined;
    let trouble: Trouble | undefined;
    let refused: string | undefined;
    let last = "";
    let fatal = "";
    let coded = "";
    let giveUp = () => {};
    const enough = new Promise<void>((resolve) => {
      giveUp = resolve;
    });
    const begun = performance.now();
    const mayUnlock = this.options.canReadUnlocked === true && !this.isUnlocked;
    const counter = new PlainCounters(this.run);
    const show = (raw: string) => {
      const line = withoutEscapes(raw);
      saidCode = codeOfWords(line) ?? saidCode;
      trouble = worse(trouble, parseTrouble(line));
      this.lockOwner = lockOwner(line) ?? this.lockOwner;
      if (mayUnlock && refused === undefined && performance.now() - begun < LOCKING_MS) {
        refused = refusedLock(line);
        if (refused !== undefined) giveUp();
      }
      const message = parseMessage(line);
      if (message === undefined ? counter.takes(line) || onWords(line) : onMessage(message)) return;
      const text = message === undefined ? line : messageText(message);
      if (text === undefined || text === "") return;
      if (codeOfWords(line) !== undefined) coded = wordsIn(line);
      const [first = "", ...more] = text.split("\n");
      if (isTrace(first)) return log.note(`restic | ${first}`);
      // A lock in the way may be waited for, and a signal is no error of restic's.
      const isError =
        isFatal(line) && refused === undefined && codeOfWords(line) !== RESTIC.locked && !saysSignal(line);
      if (isError) {
        fatal = first;
        log.error(`restic | ${first}`);
      } else {
        if (!isFatal(line) && !saysSignal(line)) last = first;
        log.childLine("restic", first);
      }
      for (const each of more.filter(Boolean)) {
        if (isTrace(each)) log.note(`restic | ${each}`);
        else log.childLine("restic", each);
      }
    };
    const lock = this.isUnlocked ? ["--no-lock"] : [];
    const command = ["restic", ...this.access.words, ...lock, ...words];
    const ended = await this.run
      .child(command, {
        env: { ...this.environment(), ...env },
        ...(onBytes === undefined ? { onStdout: onLine ?? show } : { onBytes }),
        onStderr: show,
        ...(mayUnlock ? { enough } : {}),
        startsOthers: this.startsOthers(),
        ifKilled:
          "restic did not exit in time and was killed. Its lock may still be in the repository; run unlock to remove it.",
      })
      .catch((error) => {
        // What it went on trying against until its time was over, or a stop came.
        const meaning = explain(RESTIC.failed, this.shown, { trouble });
        if (error instanceof Stopped && trouble !== undefined && meaning !== undefined)
          this.run.reasons.push(`${meaning} restic said: ${trouble.said}`);
        throw error;
      });
    if (refused !== undefined && ended.code !== EXIT.ok) {
      this.isUnlocked = true;
      log.warn(
        `The repository ${this.shown} can be read but not written (${refused}): going on with --no-lock. Let nothing ` +
          "prune or forget there until this has ended.",
      );
      return this.once(words, plan);
    }
    if (ended.cause !== undefined) return { exitCode: ended.code };
    const exitCode = normalizeExit(ended.code, saidCode);
    this.trouble = exitCode === RESTIC.failed ? trouble : undefined;
    this.said = wordsIn(this.trouble?.said ?? (coded || (isCount(fatal) ? last : "") || fatal || last));
    return { exitCode, trouble: this.trouble };
  }

  /**
   * Runs restic for its answer, a JSON list on stdout whose elements `fits` recognizes; empty when restic printed none.
   * Throws a Failure, with restic's exit code where that is not 0; `what` names the answer in its message.
   */
  async ask<T>(
    words: readonly string[],
    what: string,
    fits: (each: unknown) => each is T,
    env: ChildEnvironment = {},
  ): Promise<T[]> {
    const answer: Uint8Array[] = [];
    let size = 0;
    const onBytes = (bytes: Uint8Array) => {
      size += bytes.length;
      if (size > ANSWER_MOST)
        throw new Failure(
          `restic's answer about ${what} is longer than ${formatBytes(ANSWER_MOST)}.`,
          EXIT.failed,
        );
      answer.push(bytes);
    };
    const { exitCode } = await this.call(words, { onBytes, env }).catch((error) => {
      if (error instanceof Stopped)
        throw new Stopped(error.exitCode || EXIT.failed, `restic was stopped before it reported ${what}.`);
      throw error;
    });
    if (exitCode !== EXIT.ok) {
      const meaning = await this.meaningOf(exitCode);
      throw new Failure(`restic did not report ${what} (exit ${exitCode}). ${meaning}`, exitCode);
    }
    const text = Buffer.concat(answer).toString();
    const list = listIn(text);
    if (list?.every(fits)) return list;
    throw new Failure(
      `restic's answer about ${what} cannot be understood: ${text.slice(0, 200)}`,
      EXIT.failed,
    );
  }

  /** Where restic keeps its cache, unless its flags name another folder or none. */
  get cacheFolder(): string {
    const { RESTIC_CACHE_DIR, XDG_CACHE_HOME, HOME } = this.run.settings.env;
    return RESTIC_CACHE_DIR || (XDG_CACHE_HOME ? `${XDG_CACHE_HOME}/restic` : `${HOME}/.cache/restic`);
  }

  /**
   * The repository's id, after a call since `sinceMs` has opened it, without asking: restic names the folder of its cache
   * by the id, and touches the folder whenever it opens the repository. undefined where that does not tell: there is no
   * cache, or two repositories were opened at once.
   */
  cachedId(sinceMs: number): string | undefined {
    const folder = this.cacheFolder;
    try {
      if (silent.size > 0) demandAnswer(folder);
      const touched = readdirSync(folder).filter(
        (name) => /^[0-9a-f]{64}$/.test(name) && statSync(`${folder}/${name}`).mtimeMs >= sinceMs,
      );
      return touched.length === 1 ? touched[0] : undefined;
    } catch {
      // restic keeps its cache elsewhere, or nowhere.
      return undefined;
    }
  }

  /** Logs what a failure means and, where RESTIC_AUTO_UNLOCK is ON and the repository was reached, removes stale locks. */
  async afterFailure(what: string, exitCode: number): Promise<void> {
    const { log, settings } = this.run;
    await this.explainFailure(`restic ${what}`, exitCode);
    // What can be done about a lock in the way has been done by then.
    if (exitCode === RESTIC.locked || this.trouble?.kind === "unreachable") return;
    const allowed = settings.choice("RESTIC_AUTO_UNLOCK");
    if (allowed !== "ON") {
      if (this.trouble !== undefined || exitCode === RESTIC.noRepository || exitCode === RESTIC.wrongPassword)
        return;
      const advice = exitCode === RESTIC.killed ? " If a stale one is left, run unlock." : "";
      log.info(`No lock was removed (RESTIC_AUTO_UNLOCK is ${allowed}).${advice}`);
      return;
    }
    if (exitCode === RESTIC.noRepository || exitCode === RESTIC.wrongPassword) return;
    const { tidyUp } = await import("./contention.ts");
    await tidyUp(this.run, this, allowed);
  }

  /** Logs and records why the last call failed. `what`: of its name in the log. */
  async explainFailure(what: string, exitCode: number): Promise<void> {
    const meaning = await this.meaningOf(exitCode);
    const isSaid = this.said === "" || meaning.endsWith(this.said);
    const reason = isSaid ? meaning : `${meaning} restic said: ${this.said}`;
    this.run.fail(`${what} failed (exit ${exitCode}). ${meaning}`, reason);
  }

  /** What the exit code of the last call means, what to do about it, and what restic itself said. */
  async meaningOf(exitCode: number): Promise<string> {
    if (exitCode === RESTIC.failed && isSshSilent(this.said)) await this.hearSsh();
    const { holderText } = exitCode === RESTIC.locked ? await import("./contention.ts") : {};
    const holder = holderText?.(this.run, this.lockOwner);
    const { passwordFrom } = this.access;
    const known = { trouble: this.trouble, holder, passwordFrom };
    const meaning = explain(exitCode, this.shown, known);
    if (exitCode !== RESTIC.failed && meaning !== undefined) return meaning;
    const said = this.said === "" ? NO_REASON : `restic said: ${this.said}`;
    return meaning === undefined ? said : `${meaning} ${said}`;
  }

  /** restic may end before it has handed on what ssh said, which alone names the cause. */
  private async hearSsh(): Promise<void> {
    const { troubleOfProbe } = await import("./open.ts");
    const heard = await troubleOfProbe(this.access, this.run.settings.env, this.run.stop);
    if (heard === undefined || isSshSilent(heard.said)) return;
    this.trouble = heard;
    this.said = heard.said;
    this.run.log.childLine("restic", heard.said);
  }

  private environment(): ChildEnvironment {
    // restic's sixty status lines a second are for eyes; ours are parsed and rarely shown.
    const fps = this.run.settings.env.RESTIC_PROGRESS_FPS || (this.run.log.onTerminal ? "4" : "1");
    return { ...this.access.env, RESTIC_PROGRESS_FPS: fps };
  }

  /** Does restic start other programs: one that prints the password, rclone, ssh? */
  private startsOthers(): boolean {
    return (
      this.run.settings.text("RESTIC_PASSWORD_COMMAND") !== "" ||
      /^(rclone|sftp):/.test(this.access.env.RESTIC_REPOSITORY ?? "")
    );
  }
}

/** The list in a JSON document, for which Go writes null when it is empty; undefined where there is none. */
function listIn(text: string): unknown[] | undefined {
  try {
    const value: unknown = text.trim() === "" ? [] : (JSON.parse(text) ?? []);
    return Array.isArray(value) ? value : undefined;
  } catch {
    // Not JSON: the caller quotes it.
    return undefined;
  }
}

/** restic clears the terminal's line before some of its messages even without a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is taken out
const withoutEscapes = (line: string): string => line.replace(/\x1b\[[0-9;]*[A-Za-z]|\r/g, "").trimEnd();

export interface CallPlan extends ResticPlan {
  /** Called with the end of a call that was not stopped, before a failure is explained. */
  readonly onEnd?: (end: ResticEnd) => void;
}

/** Seconds that a worker which shares the repository with others waits for its lock. */
export const lockWaitOf = ({ settings }: Run): number => settings.seconds("RESTIC_RETRY_LOCK");

/** Runs `restic <words>`, waiting for a lock, and explains a failure in the log. Throws CannotStart. */
export async function callRestic(
  run: Run,
  restic: Restic,
  words: readonly string[],
  { onEnd, ...plan }: CallPlan = {},
): Promise<Outcome> {
  const end = await restic.call(words, { lockWait: lockWaitOf(run), ...plan });
  const { exitCode } = end;
  onEnd?.(end);
  if (exitCode !== EXIT.ok) await restic.afterFailure(words[0] ?? "", exitCode);
  return { exitCode };
}
