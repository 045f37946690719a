/** What doctor has to say. */

import type { Check as EnvironmentCheck } from "../check/index.ts";

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
