/** What is not as it should be. */

export type Verdict = "OK" | "WARN" | "FAIL";

export interface Finding {
  readonly job: string;
  readonly status: Exclude<Verdict, "OK">;
  /** A word for programs: `failed`, `overdue`, `no-record` … */
  readonly kind: string;
  readonly message: string;
}

/** Collects those of one job. */
export class Findings {
  readonly list: Finding[] = [];

  constructor(private readonly job: string) {}

  warn(kind: string, message: string): void {
    this.list.push({ job: this.job, status: "WARN", kind, message });
  }

  fail(kind: string, message: string): void {
    this.list.push({ job: this.job, status: "FAIL", kind, message });
  }
}

/** The worst of them. */
export function verdictOf(findings: readonly Finding[]): Verdict {
  if (findings.some(({ status }) => status === "FAIL")) return "FAIL";
  return findings.length > 0 ? "WARN" : "OK";
}
