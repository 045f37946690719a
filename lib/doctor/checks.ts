/**
 * What doctor has to say.
 *
 * One finding about the environment, as config-check prints it and doctor too.
 *
 * What doctor looks at, gathered once for all sections.
 */

import { knownNames, type Misspelt, misspelt } from "../config/misspelt.ts";
import { Context } from "../context.ts";
import type { ChildEnvironment } from "../environment.ts";
import { type Answer, ask } from "../process/child.ts";
import type { Stop } from "../process/stop.ts";
import { hookPhases, type Row } from "../run/command.ts";

export type Status = "OK" | "INFO" | "WARN" | "FAIL";

export type Section =
  | "Runtime"
  | "Effective environment"
  | "Configuration checks"
  | "Repository probe"
  | "Replicate"
  | "Hooks"
  | "Recent runs"
  | "Recent cron log"
  | "Summary";

export interface Check {
  readonly section: Section;
  readonly status: Status;
  readonly message: string;
}

/** What one section found: lines that are no verdict, the verdicts, and its part of the JSON report. */
export interface Findings<Json = undefined> {
  readonly lines?: readonly string[];
  readonly checks: readonly Check[];
  readonly json: Json;
}

/** Collects the checks of one section. */
export class Checks {
  readonly list: Check[] = [];

  constructor(private readonly section: Section) {}

  ok(message: string): void {
    this.add("OK", message);
  }

  info(message: string): void {
    this.add("INFO", message);
  }

  warn(message: string): void {
    this.add("WARN", message);
  }

  fail(message: string): void {
    this.add("FAIL", message);
  }

  add(status: Status, message: string): void {
    this.list.push({ section: this.section, status, message });
  }
}

/** The same in this report's words. */
export function statusOf({ status }: EnvironmentCheck): Status {
  return ({ ok: "OK", warn: "WARN", fail: "FAIL" } as const)[status];
}

export const countOf = (checks: readonly Check[], status: Status): number =>
  checks.filter((check) => check.status === status).length;

export interface EnvironmentCheck {
  /** The variable that it is about, mostly. */
  readonly key: string;
  readonly status: "ok" | "warn" | "fail";
  readonly message: string;
}

export const ok = (key: string, message: string): EnvironmentCheck => ({ key, status: "ok", message });
export const warn = (key: string, message: string): EnvironmentCheck => ({ key, status: "warn", message });
export const fail = (key: string, message: string): EnvironmentCheck => ({ key, status: "fail", message });

/** `TZ: …`, for a person. */
export function sentence({ key, message }: EnvironmentCheck): string {
  return message.startsWith(`${key}:`) ? message : `${key}: ${message}`;
}

/** What doctor looks at. Says nothing of odd values: the sections that judge them do. */
export class Patient extends Context {
  /** The rows of the table that are runs. */
  readonly runs: readonly Row[];
  readonly phases: readonly string[];
  /** The name of every variable that we read. */
  readonly known: ReadonlySet<string>;
  /** Variables that nobody reads, but nearly so. */
  readonly misspelt: readonly Misspelt[];
  readonly nowMs = Date.now();

  constructor(
    table: readonly Row[],
    private readonly stop: Stop,
  ) {
    super("doctor", { onOddValue: () => {} });
    this.runs = table.filter(({ kind }) => kind === "run");
    this.phases = hookPhases(table);
    this.known = knownNames(
      this.phases,
      this.runs.map(({ name }) => name),
    );
    this.misspelt = misspelt(this.settings.env, this.known);
  }

  /** Runs a program, with `added` to its environment, for at most so many milliseconds. Throws CannotStart. */
  readonly ask = (
    command: readonly string[],
    timeoutMs: number,
    added: ChildEnvironment = {},
  ): Promise<Answer> => ask(command, { env: { ...this.env, ...added }, timeoutMs, stop: this.stop });
}
