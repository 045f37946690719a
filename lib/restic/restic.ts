/**
 * Calls restic within a run: its environment, its words in the log, its exit code made alike.
 *
 * Calls of restic that are the operator's words and nothing more: check, prune, and the forget of a policy.
 */

import type { VariableName } from "../config/variables.ts";
import type { ChildEnvironment } from "../environment.ts";
import { EXIT, Failure } from "../errors.ts";
import type { Outcome, Run } from "../run/run.ts";
import { ACCESS_ENVIRONMENT, type Access, accessOf } from "./access.ts";
import { errorText, type Message, parseMessage } from "./messages.ts";
import {
  type Caller,
  codeOfWords,
  explain,
  normalizeExit,
  RESTIC,
  type ResticEnd,
  type ResticPlan,
} from "./outcome.ts";
import { Counter } from "./progress.ts";

/** Bytes of the longest answer that is kept in memory: some hundred thousand snapshots. */
const ANSWER_MOST = 256 * 1024 * 1024;

/** What every worker that calls restic reads, and restic itself. */
export const RESTIC_ENVIRONMENT = [
  ...ACCESS_ENVIRONMENT,
  "RESTIC_CACHE_DIR",
  "RESTIC_AUTO_UNLOCK",
  "PROGRESS_INTERVAL",
] as const satisfies readonly VariableName[];

export class Restic implements Caller {
  readonly access: Access;
  private hasCleared = false;

  /** Throws a ConfigError when the repository or the password is missing. */
  constructor(private readonly run: Run) {
    this.access = accessOf(run.context, (message) => run.log.warn(message));
  }

  /** The repository, fit to be shown. */
  get shown(): string {
    return this.access.shown;
  }

  /**
   * Runs `restic <words>` to its end. Its output is logged as it comes. Where a lock is in the way and the operator
   * has it so, one that is evidently ours and dead is removed, and it is run once more. Throws CannotStart.
   */
  async call(words: readonly string[], plan: ResticPlan = {}): Promise<ResticEnd> {
    const end = await this.once(words, plan);
    if (end.exitCode !== RESTIC.locked || !(await this.clearsTheWay())) return end;
    this.run.log.info(`Trying restic ${words[0]} once more.`);
    return this.once(words, plan);
  }

  /** Once in a run: a lock that is there again is not a dead one. */
  private async clearsTheWay(): Promise<boolean> {
    const { run } = this;
    if (run.ending || this.hasCleared || run.settings.choice("RESTIC_AUTO_UNLOCK") !== "STALE") return false;
    this.hasCleared = true;
    const { removeDeadLocks } = await import("./locks.ts");
    return removeDeadLocks(this, run.log);
  }

  private async once(words: readonly string[], plan: ResticPlan): Promise<ResticEnd> {
    const { onMessage = () => false, onWords = () => false, onLine, onBytes, env = {} } = plan;
    const { log } = this.run;
    let told: number | undefined;
    const counter = new Counter(this.run);
    const show = (raw: string) => {
      const line = plain(raw);
      told = codeOfWords(line) ?? told;
      const message = parseMessage(line);
      if (message === undefined ? counter.takes(line) || onWords(line) : onMessage(message)) return;
      const text = message === undefined ? line : textOf(message);
      if (text !== undefined && text !== "") log.childLine("restic", text);
    };
    const ended = await this.run.child(["restic", ...this.access.words, ...words], {
      env: { ...this.environment(), ...env },
      ...(onBytes === undefined ? { onStdout: onLine ?? show } : { onBytes }),
      onStderr: show,
      startsOthers: this.startsOthers(),
    });
    if (ended.cause !== undefined && ended.signal === "SIGKILL") {
      log.warn(
        "restic did not end in time and was killed. Its lock may still be in the repository; unlock removes it.",
      );
    }
    return { exitCode: ended.cause === undefined ? normalizeExit(ended.code, told) : ended.code };
  }

  /**
   * Runs restic for its answer, a JSON list on stdout of which `fits` knows each; empty when it gave none. Throws a
   * Failure, with restic's exit code where it is not 0; `what` stands for the answer in its message.
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
      if (size > ANSWER_MOST) throw new Failure(`restic's answer about ${what} does not end.`, EXIT.failed);
      answer.push(bytes);
    };
    const { exitCode } = await this.call(words, { onBytes, env });
    if (this.run.ending) throw new Failure(`restic was stopped before it told ${what}.`, exitCode);
    if (exitCode !== EXIT.ok) {
      const meaning = explain(exitCode, this.shown) ?? "Its own words stand above.";
      throw new Failure(`restic could not tell ${what} (exit ${exitCode}). ${meaning}`, exitCode);
    }
    const text = Buffer.concat(answer).toString();
    const list = listIn(text);
    if (list?.every(fits)) return list;
    throw new Failure(
      `restic's answer about ${what} cannot be understood: ${text.slice(0, 200)}`,
      EXIT.failed,
    );
  }

  /** Says what a failure means and, where the operator allows it, takes stale locks away. */
  async afterFailure(what: string, exitCode: number): Promise<void> {
    const { log, settings } = this.run;
    const meaning = explain(exitCode, this.shown);
    log.error(`restic ${what} failed (exit ${exitCode}). ${meaning ?? "Its own words stand above."}`);
    // 11 means that a restic may be at work there: its lock is not ours to take.
    if (exitCode === RESTIC.locked) return;
    const allowed = settings.choice("RESTIC_AUTO_UNLOCK");
    if (allowed !== "ON") {
      log.info(`No lock was removed (RESTIC_AUTO_UNLOCK is ${allowed}). If a stale one is left, run unlock.`);
      return;
    }
    log.info("Removing stale locks, because RESTIC_AUTO_UNLOCK is ON.");
    const unlock = await this.call(["unlock"]);
    if (unlock.exitCode !== 0) log.warn(`restic unlock failed too (exit ${unlock.exitCode}).`);
  }

  private environment(): ChildEnvironment {
    // Sixty status lines a second are for eyes; ours are read by a program and shown rarely.
    const fps = this.run.settings.env.RESTIC_PROGRESS_FPS || (this.run.log.onTerminal ? "4" : "1");
    return { ...this.access.env, RESTIC_PROGRESS_FPS: fps };
  }

  /** Does restic start programs here: one that prints the password, rclone, ssh? */
  private startsOthers(): boolean {
    return (
      this.run.settings.text("RESTIC_PASSWORD_COMMAND") !== "" ||
      /^(rclone|sftp):/.test(this.access.env.RESTIC_REPOSITORY ?? "")
    );
  }
}

/** The list in a JSON document, where Go has null for an empty one; undefined where there is none. */
function listIn(text: string): unknown[] | undefined {
  try {
    const value: unknown = text.trim() === "" ? [] : (JSON.parse(text) ?? []);
    return Array.isArray(value) ? value : undefined;
  } catch {
    // No JSON: the caller shows what it is instead.
    return undefined;
  }
}

/** restic clears the terminal's line before some of its words even where there is no terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what is taken out
const plain = (line: string): string => line.replace(/\x1b\[[0-9;]*[A-Za-z]|\r/g, "").trimEnd();

/** A message in plain words, for the log; undefined for one that is of no use there. */
function textOf(message: Message): string | undefined {
  switch (message.message_type) {
    case "error":
      return errorText(message);
    case "exit_error":
      return message.message;
    case "verbose_status":
      return `${message.action ?? ""} ${message.item ?? ""}`.trim();
    default:
      return undefined;
  }
}

export interface PlainPlan extends ResticPlan {
  /** What to say where a repository that another restic has locked is no failure but a reason to skip. */
  readonly lockedOut?: string;
  /** Is told the exit code of a call that came to its own end, before a failure is explained. */
  readonly onEnd?: (exitCode: number) => void;
}

/** Runs `restic <words>` to its end and explains a failure in the log. Throws CannotStart. */
export async function callPlain(
  run: Run,
  restic: Restic,
  words: readonly string[],
  { lockedOut, onEnd, ...plan }: PlainPlan = {},
): Promise<Outcome> {
  const { exitCode } = await restic.call(words, plan);
  if (run.ending) return { exitCode };
  onEnd?.(exitCode);
  if (exitCode === EXIT.ok) return { exitCode };
  if (exitCode === RESTIC.locked && lockedOut !== undefined) run.log.warn(lockedOut);
  else await restic.afterFailure(words[0] ?? "", exitCode);
  return { exitCode };
}
