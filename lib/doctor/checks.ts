/** A check, which is what doctor and config-check print, and what all checks of doctor look at. */

import { knownNames, type Misspelt, misspelt } from "../config/misspelt.ts";
import type { ChildEnvironment } from "../environment.ts";
import { type Answer, ask } from "../process/child.ts";
import type { Stop } from "../process/stop.ts";
import { hookPhases, type Row, workerNames } from "../run/command.ts";
import { StatusContext } from "../state/jobs.ts";

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
  | "Move: environment"
  | "Move: schedule"
  | "Move: records"
  | "Move: hooks"
  | "Move: replicate"
  | "Move: outputs"
  | "Summary";

export interface Check {
  readonly section: Section;
  /** The variable that it is about, where it is about one: config-check's `key`. */
  readonly key?: string;
  readonly status: Status;
  /** Without the key: see sentence. */
  readonly message: string;
}

/** What one section found: lines without a verdict, the checks, and its part of the JSON report. */
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

  add(status: Status, message: string, key?: string): void {
    this.list.push({ section: this.section, status, message, ...(key === undefined ? {} : { key }) });
  }

  /** Adds what another part of the program has checked, as checks of this section. */
  adopt(checks: readonly Check[]): void {
    for (const check of checks) this.list.push({ ...check, section: this.section });
  }
}

/** Checks of a variable; a section adopts them. */
const about =
  (status: Status) =>
  (key: string, message: string): Check => ({ section: "Configuration checks", key, status, message });
export const ok = about("OK");
export const info = about("INFO");
export const warn = about("WARN");
export const fail = about("FAIL");

/** `TZ: …`, for a person. */
export function sentence({ key, message }: Check): string {
  return key === undefined || message.startsWith(`${key}:`) ? message : `${key}: ${message}`;
}

export const countStatus = (checks: readonly Check[], status: Status): number =>
  checks.filter((check) => check.status === status).length;

/** What the sections look at, gathered once for all of them. */
export class DoctorContext extends StatusContext {
  /** The rows of the table that are runs. */
  readonly runs: readonly Row[];
  readonly phases: readonly string[];
  /** The name of every variable that we read. */
  readonly known: ReadonlySet<string>;
  /** Variables with names that we do not read, but nearly. */
  readonly misspelt: readonly Misspelt[];
  readonly nowMs = Date.now();

  constructor(
    table: readonly Row[],
    readonly stop: Stop,
  ) {
    super("doctor", workerNames(table));
    this.runs = table.filter(({ kind }) => kind === "run");
    this.phases = hookPhases(table);
    this.known = knownNames(this.phases, this.workers);
    this.misspelt = misspelt(this.settings.env, this.known);
  }

  /** Runs a program, with `added` to its environment, for at most `timeoutMs`. Throws CannotStart. */
  readonly ask = (
    command: readonly string[],
    timeoutMs: number,
    added: ChildEnvironment = {},
    isEnough: (stderr: string) => boolean = () => false,
  ): Promise<Answer> =>
    ask(command, { env: { ...this.env, ...added }, timeoutMs, stop: this.stop, isEnough });
}
