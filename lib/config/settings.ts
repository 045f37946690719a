/**
 * Reads the environment as lib/config/variables.ts declares it. An empty variable counts as unset.
 *
 * What a file that a `_FILE` variable names says in the place of the variable itself.
 */

import { statSync } from "node:fs";
import type { Environment } from "../environment.ts";
import { ConfigError, reasonOf } from "../errors.ts";
import { readSmallFile } from "../files/files.ts";
import { isKnownSilent, silent } from "../files/mounts.ts";
import { parseDuration } from "../text.ts";
import { quoteWord, splitWords, UnbalancedQuote } from "../words.ts";
import { declarations, type NameOf, type OptionOf, type VariableName, variables } from "./variables.ts";

/** setTimeout and exit arithmetic stay exact below this; 2^31 seconds are 68 years. */
const MOST = 2 ** 31;

const SUSPECT = /^[\s"'“”‘’]|[\s"'“”‘’]$/;

/** Variables that name a file. */
export const FILE_NAMES =
  /^((RESTIC|REPLICATE|SYNC|RESTORE_TEST|WEBHOOK|HEALTHCHECKS|MAILX|AWS|AZURE|GOOGLE)_.*_FILE|RESTIC_CACERT|RESTIC_TLS_CLIENT_CERT|RCLONE_CONFIG|MSMTPRC|GOOGLE_APPLICATION_CREDENTIALS)$/;

export const isFolder = (path: string): boolean =>
  !(silent.size > 0 && isKnownSilent(path)) &&
  statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

export class Settings {
  private readonly said = new Set<string>();

  constructor(
    readonly env: Environment,
    /** Called once for each value that makes no sense; the default is used then. */
    private readonly tell: (message: string) => void,
  ) {}

  /** A schedule that is `off` is as empty as one without a default. */
  text(name: NameOf<"text" | "cron">): string {
    const value = this.raw(name) ?? "";
    return declarations[name].kind === "cron" && isOff(value) ? "" : value;
  }

  /** A folder as an absolute path: hooks run in / and must find what we name to them. */
  folder(name: NameOf<"text">): string {
    const path = this.text(name);
    return path.startsWith("/") ? path : `${process.cwd()}/${path}`;
  }

  flag(name: NameOf<"switch">): boolean {
    return this.option(name) === "ON";
  }

  /** One of the values that the variable is declared with. */
  choice<N extends NameOf<"choice">>(name: N): OptionOf<N> {
    return this.option(name) as OptionOf<N>;
  }

  /** A whole number, 0 or more. */
  count(name: NameOf<"count">): number {
    return this.number(name, name, wholeNumber, "a whole number");
  }

  /** Whole seconds, from `90`, `90s`, `15m` or `1h30m`. */
  seconds(name: NameOf<"seconds">): number {
    return this.number(name, name, readSeconds, DURATION);
  }

  /** The time-out of one worker's work (BACKUP_TIMEOUT) in seconds; 0 for none. */
  workTimeout(worker: string): number {
    return this.number(
      "<WORKER>_TIMEOUT",
      `${screaming(worker)}_TIMEOUT`,
      readSeconds,
      "a duration such as 6h",
    );
  }

  /**
   * The time-out of one phase's hooks in seconds; 0 for none. An odd value means none, never the default
   * of another variable: the operator who mistyped a limit must not have hooks killed by a different one.
   */
  hookTimeout(phase: string): number {
    const own = `HOOK_TIMEOUT_${screaming(phase)}`;
    const name = this.env[own] ? own : "HOOK_TIMEOUT";
    const value = this.env[name];
    if (!value) return 0;
    const seconds = readSeconds(value);
    if (seconds === undefined) {
      this.warn(`${name}=${quoteWord(value)} is not ${HOOK_DURATION}; hooks run without a time-out.`);
    }
    return seconds ?? 0;
  }

  /** The words of a *_ARGS variable. Throws a ConfigError on an unbalanced quote. */
  words(name: NameOf<"words">): string[] {
    const text = this.raw(name);
    if (text === undefined) return [];
    try {
      return splitWords(text);
    } catch (error) {
      if (!(error instanceof UnbalancedQuote)) throw error;
      throw new ConfigError(`${name}: ${error.message}`);
    }
  }

  /** The non-empty lines; a CR before the end of each, the last one's too, belongs to no path. */
  lines(name: NameOf<"lines">): string[] {
    return (this.raw(name) ?? "").split(/\r?\n|\r$/).filter((line) => line.trim() !== "");
  }

  /** Was it given at all, even as an empty string? */
  given(name: VariableName): boolean {
    return this.env[name] !== undefined;
  }

  /** Was one of them given something, by itself or by a file? */
  configured(...names: readonly VariableName[]): boolean {
    return names.some((name) => this.env[name] || (declarations[name].file && this.env[`${name}_FILE`]));
  }

  /** The name of the variable with the URL to ping for `worker`; undefined where none is set. */
  pingVariable(worker: string): string | undefined {
    const own = `HEALTHCHECKS_URL_${screaming(worker)}`;
    const names = worker === "backup" ? [own, "HEALTHCHECKS_URL"] : [own];
    return names.find((name) => this.env[name] || this.env[`${name}_FILE`]);
  }

  /** What a variable that may be given as a file holds, by a name that need not be declared. Throws as text() does. */
  fromFile(variable: string): string {
    return this.ownOrFile(variable) ?? "";
  }

  /** Throws a ConfigError when a variable was given both by itself and by a file. */
  refuseDoubles(): void {
    for (const name of Object.keys(variables) as VariableName[]) {
      if (declarations[name].file) this.refuseDouble(name);
    }
    for (const name in this.env) if (name.startsWith("HEALTHCHECKS_URL_")) this.refuseDouble(name);
  }

  /** Is there a value at which config/odd.ts should look? Asked by every run: only few have one. */
  get isSuspect(): boolean {
    return Object.entries(this.env).some(
      ([name, value = ""]) =>
        SUSPECT.test(value) ||
        (FILE_NAMES.test(name) && isFolder(value)) ||
        (name === "BACKUP_ROOT_DIR" && /[\s,;:]\//.test(value)),
    );
  }

  private refuseDouble(name: string): void {
    if (this.env[name] && this.env[`${name}_FILE`]) throw doubled(name);
  }

  private raw(name: VariableName): string | undefined {
    const { fallback, old, emptyIsOff } = declarations[name];
    const given = this.own(name);
    if (emptyIsOff && given?.trim() === "") return "";
    if (given || !old || !this.env[old]) return given || fallback;
    this.warn(`${old} is an old name and still works; rename it ${name}.`);
    return this.env[old];
  }

  /** What it was given, by itself or by a file. Throws a ConfigError when both were, or the file cannot be read. */
  private own(name: VariableName): string | undefined {
    return declarations[name].file ? this.ownOrFile(name) : this.env[name];
  }

  private ownOrFile(name: string): string | undefined {
    const path = this.env[`${name}_FILE`];
    if (!path) return this.env[name];
    this.refuseDouble(name);
    return readValueFile(`${name}_FILE`, path);
  }

  private option(name: NameOf<"switch" | "choice">): string {
    const given = this.raw(name) ?? "";
    const value = parseOption(name, given);
    if (value !== undefined) return value;
    const fallback = declarations[name].fallback ?? "";
    this.warn(`${name}=${quoteWord(given)} is ${noneOf(name)}; ${fallback} is used.`);
    return fallback;
  }

  private warn(message: string): void {
    if (!this.said.has(message)) this.tell(message);
    this.said.add(message);
  }

  private number(
    declared: VariableName,
    name: string,
    parse: (text: string) => number | undefined,
    expected: string,
  ): number {
    const fallback = declarations[declared].fallback ?? "0";
    const given = name === declared ? this.own(declared) : this.env[name];
    if (given && name === declared && parseOption(declared, given) === "OFF") return 0;
    const value = given ? parse(given) : undefined;
    if (given && value === undefined) {
      this.warn(
        `${name}=${quoteWord(given)} is not ${expected}; ${fallback === "0" ? "none" : fallback} is used.`,
      );
    }
    return value ?? Number(fallback);
  }
}

/** The word that turns a schedule off. */
const isOff = (value: string): boolean => value.trim().toLowerCase() === "off";

const doubled = (name: string) =>
  new ConfigError(
    `${name} and ${name}_FILE are both set, and one of them would be ignored. Unset one of them.`,
  );

/** The value of a switch or a choice as it is declared; undefined for any other value. */
export function parseOption(name: VariableName, given: string): string | undefined {
  const value = given.trim().toUpperCase();
  return declarations[name].options?.find((option) => option === value);
}

/** `neither ON nor OFF`, `none of OFF, ON, STALE`. */
export function noneOf(name: VariableName): string {
  const options = declarations[name].options ?? [];
  return options.length === 2 ? `neither ${options.join(" nor ")}` : `none of ${options.join(", ")}`;
}

/** `pre-backup` → `PRE_BACKUP`. */
export function screaming(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}

/** Digits only, so that `1e3`, `0x10`, `-1` and `5.0` are refused; capped where arithmetic stays exact. */
export function wholeNumber(text: string): number | undefined {
  const digits = text.trim();
  return /^[0-9]+$/.test(digits) ? Math.min(Number(digits), MOST) : undefined;
}

/** What seconds may look like, for a message. */
export const DURATION = "a duration such as 90, 90s, 15m or 6h";
export const HOOK_DURATION = "a whole number of seconds, nor a duration such as 90s or 15m";

/** Seconds wherever a variable takes them: a whole number, or a duration; blanks around it mean nothing. */
export const readSeconds = (text: string): number | undefined =>
  wholeNumber(text) ?? parseDuration(text.trim());

/** A secret is a line or a key; a larger file is another one than was meant. */
export const VALUE_FILE_MOST = 65_536;

/** The file's text without the blanks around it. Throws a ConfigError that names the variable, never the text. */
export function readValueFile(name: string, path: string): string {
  try {
    return readSmallFile(path, VALUE_FILE_MOST).trim();
  } catch (error) {
    const reason = reasonOf(error);
    throw new ConfigError(`${name}=${path} cannot be read: ${reason}. Mount the right file, or unset it.`);
  }
}
