/** Calls restic within a run: its environment, its words in the log, its exit code made alike. */

import { accessSync, constants } from "node:fs";
import { repositoryOf } from "../config/repository.ts";
import { ConfigError } from "../errors.ts";
import { maskRepository } from "../mask.ts";
import type { Run } from "../run/run.ts";
import { globalArgs } from "./args.ts";
import { errorText, type Message, parseMessage } from "./messages.ts";
import { codeOfWords, explain, normalizeExit } from "./outcome.ts";

export interface ResticEnd {
  /** As restic since 0.17 gives it, or 128+n, 124 when we ended it. */
  readonly exitCode: number;
}

export interface ResticPlan {
  /** Is shown every JSON message; true means that it has dealt with it and nothing need be logged. */
  readonly onMessage?: (message: Message) => boolean;
  /** The same for every line of plain words. */
  readonly onLine?: (line: string) => boolean;
}

export class Restic {
  /** The repository, fit to be shown. */
  readonly shown: string;
  private readonly repository: string;
  private readonly cacert: string | undefined;

  /** Throws a ConfigError when the repository or the password is missing. */
  constructor(private readonly run: Run) {
    const { settings } = run;
    this.repository = repositoryOf(settings);
    this.shown = maskRepository(this.repository);
    const passwords = ["RESTIC_PASSWORD", "RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND"] as const;
    if (passwords.every((name) => settings.text(name) === "")) {
      throw new ConfigError(`The repository's password is missing. Set one of ${passwords.join(", ")}.`);
    }
    this.cacert = this.readableCacert();
  }

  /** Runs `restic <words>` to its end. Its output is logged as it comes. Throws CannotStart. */
  async call(words: readonly string[], plan: ResticPlan = {}): Promise<ResticEnd> {
    const { log } = this.run;
    const { onMessage = () => false, onLine = () => false } = plan;
    let told: number | undefined;
    const show = (raw: string) => {
      const line = plain(raw);
      told = codeOfWords(line) ?? told;
      const message = parseMessage(line);
      if (message === undefined ? onLine(line) : onMessage(message)) return;
      const text = message === undefined ? line : textOf(message);
      if (text !== undefined && text !== "") log.childLine("restic", text);
    };
    const ended = await this.run.child(["restic", ...globalArgs(this.cacert), ...words], {
      env: this.environment(),
      onStdout: show,
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

  /** Says what a failure means and, where the operator allows it, takes stale locks away. */
  async afterFailure(what: string, exitCode: number): Promise<void> {
    const { log, settings } = this.run;
    const meaning = explain(exitCode, this.shown);
    log.error(`restic ${what} failed (exit ${exitCode}). ${meaning ?? "Its own words stand above."}`);
    // 11 means that a restic may be at work there: its lock is not ours to take.
    if (exitCode === 11) return;
    if (!settings.flag("RESTIC_AUTO_UNLOCK")) {
      log.info("No lock was removed (RESTIC_AUTO_UNLOCK is OFF). If a stale one is left, run unlock.");
      return;
    }
    log.info("Removing stale locks, because RESTIC_AUTO_UNLOCK is ON.");
    const unlock = await this.call(["unlock"]);
    if (unlock.exitCode !== 0) log.warn(`restic unlock failed too (exit ${unlock.exitCode}).`);
  }

  /** The _FILE variable is not handed on: restic would take its first line whatever it is. */
  private environment(): Record<string, string | undefined> {
    const { env } = this.run.settings;
    // Sixty status lines a second are for eyes; ours are read by a program and shown rarely.
    const fps = env.RESTIC_PROGRESS_FPS || (this.run.log.onTerminal ? "4" : "1");
    return {
      RESTIC_REPOSITORY: this.repository,
      RESTIC_REPOSITORY_FILE: undefined,
      RESTIC_PROGRESS_FPS: fps,
    };
  }

  /** Does restic start programs here: one that prints the password, rclone, ssh? */
  private startsOthers(): boolean {
    return (
      this.run.settings.text("RESTIC_PASSWORD_COMMAND") !== "" || /^(rclone|sftp):/.test(this.repository)
    );
  }

  private readableCacert(): string | undefined {
    const path = this.run.settings.text("RESTIC_CACERT");
    if (path === "") return undefined;
    try {
      accessSync(path, constants.R_OK);
      return path;
    } catch {
      this.run.log.warn(`RESTIC_CACERT=${path} cannot be read; restic goes on without --cacert.`);
      return undefined;
    }
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
