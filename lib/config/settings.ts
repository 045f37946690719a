/** Reads the environment as lib/config/variables.ts declares it. An empty variable counts as unset. */

import { parseDuration } from "../duration.ts";
import { ConfigError } from "../errors.ts";
import { splitWords, UnbalancedQuote } from "../words.ts";
import { type NameOf, type VariableName, variable } from "./variables.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** setTimeout and exit arithmetic stay exact below this; 2^31 seconds are 68 years. */
const MOST = 2 ** 31;

export class Settings {
  private readonly said = new Set<string>();

  constructor(
    readonly env: Environment,
    /** Is told once of a value that makes no sense; the default is used then. */
    private readonly tell: (message: string) => void,
  ) {}

  text(name: NameOf<"text" | "cron">): string {
    return this.raw(name) ?? "";
  }

  flag(name: NameOf<"switch">): boolean {
    const value = this.raw(name)?.trim().toUpperCase();
    if (value === "ON" || value === "OFF") return value === "ON";
    const fallback = variable(name).fallback ?? "OFF";
    this.warn(`${name}=${this.raw(name)} is neither ON nor OFF; ${fallback} is used.`);
    return fallback === "ON";
  }

  /** A whole number, 0 or more. */
  count(name: NameOf<"count">): number {
    return this.number(name, name, wholeNumber, "a whole number");
  }

  /** Whole seconds, from `90`, `90s`, `15m` or `6h`. */
  seconds(name: NameOf<"seconds">): number {
    return this.number(name, name, parseDuration, "a duration such as 90, 90s, 15m or 6h");
  }

  /** The time-out of one worker's work (BACKUP_TIMEOUT) in seconds; 0 for none. */
  workTimeout(worker: string): number {
    return this.number(
      "<WORKER>_TIMEOUT",
      `${screaming(worker)}_TIMEOUT`,
      parseDuration,
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
    const seconds = wholeNumber(value);
    if (seconds === undefined) {
      this.warn(`${name}=${value} is not a whole number of seconds; hooks run without a time-out.`);
    }
    return seconds ?? 0;
  }

  /** The words of a *_ARGS variable. Throws a ConfigError on an unbalanced quote. */
  words(name: NameOf<"words">): string[] {
    try {
      return splitWords(this.raw(name) ?? "");
    } catch (error) {
      if (!(error instanceof UnbalancedQuote)) throw error;
      throw new ConfigError(`${name}: ${error.message}`);
    }
  }

  /** The non-empty lines. */
  lines(name: NameOf<"lines">): string[] {
    return (this.raw(name) ?? "").split(/\r?\n/).filter((line) => line.trim() !== "");
  }

  /** Was it given at all, even as an empty string? */
  given(name: VariableName): boolean {
    return this.env[name] !== undefined;
  }

  /** A variable may be read often; what is wrong with it is said once. */
  private warn(message: string): void {
    if (this.said.has(message)) return;
    this.said.add(message);
    this.tell(message);
  }

  private raw(name: VariableName): string | undefined {
    const { fallback, old } = variable(name);
    return this.env[name] || (old && this.env[old]) || fallback;
  }

  private number(
    declared: VariableName,
    name: string,
    parse: (text: string) => number | undefined,
    expected: string,
  ): number {
    const fallback = variable(declared).fallback ?? "0";
    const given = this.env[name];
    const value = given ? parse(given) : undefined;
    if (given && value === undefined) {
      this.warn(`${name}=${given} is not ${expected}; ${fallback === "0" ? "none" : fallback} is used.`);
    }
    return value ?? Number(fallback);
  }
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
