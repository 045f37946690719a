/** The report as text for people and as JSON for programs. Pure. */

import type { Mask } from "../mask.ts";
import { plural, singleLine, visible } from "../text.ts";
import {
  type Check,
  Checks,
  countStatus,
  type Findings,
  type Section,
  type Status,
  sentence,
} from "./checks.ts";

const COLOUR: Readonly<Record<Status, string>> = {
  OK: "\x1b[32m",
  INFO: "",
  WARN: "\x1b[33m",
  FAIL: "\x1b[31m",
};
const RESET = "\x1b[0m";
/** `[INFO] ` */
const TAG_WIDTH = 7;

/** One section: its heading, its lines, its checks. Secrets are masked here, wherever they come from. */
export function formatSection(
  section: Section,
  { lines = [], checks }: Findings<unknown>,
  mask: Mask,
  colour: boolean,
): string {
  const body = [
    ...lines.map((line) => singleLine(mask(line))),
    ...checks.map((each) => checkLine(each, mask, colour)),
  ];
  return `== ${section} ==\n${body.map((line) => `${line}\n`).join("")}`;
}

function checkLine(check: Check, mask: Mask, colour: boolean): string {
  const { status } = check;
  const tag = `[${status}]`.padEnd(TAG_WIDTH);
  const painted = colour && COLOUR[status] !== "" ? `${COLOUR[status]}${tag}${RESET}` : tag;
  return `${painted}${visible(mask(sentence(check))).replaceAll("\n", "\n       ")}`;
}

export interface Heading {
  readonly release: string;
  readonly hostname: string;
  readonly generated_at: string;
  readonly generated_epoch: number;
}

/** The report for programs; `parts` are those of the sections, by their keys. */
export function buildReport(
  heading: Heading,
  checks: readonly Check[],
  parts: Readonly<Record<string, unknown>>,
  exitCode: number,
) {
  return {
    schema: "restic-backup-helper.doctor/1",
    command: "doctor",
    ...heading,
    warnings: countStatus(checks, "WARN"),
    errors: countStatus(checks, "FAIL"),
    exit_code: exitCode,
    ...parts,
    checks: checks.map((check) => ({
      section: check.section,
      // In lower case, as the schema has had it since before this program: gates select(.status == "fail").
      status: check.status.toLowerCase(),
      message: sentence(check),
    })),
  };
}

/** The last section repeats all that is wrong, the worst last, and says how many checks went how: the last screen is read. */
export function conclude(checks: readonly Check[]): Findings {
  const wrong = (["WARN", "FAIL"] as const).flatMap((status) =>
    checks.filter((check) => check.status === status),
  );
  return { checks: [...wrong, ...summarize(checks).checks], json: undefined };
}

/** How many checks went how. */
export function summarize(checks: readonly Check[]): Findings {
  const [failures, warnings] = [countStatus(checks, "FAIL"), countStatus(checks, "WARN")];
  const summary = new Checks("Summary");
  const status = failures > 0 ? "FAIL" : warnings > 0 ? "WARN" : "OK";
  const where = [...new Set(checks.filter(isProblem).map(({ section }) => section))];
  summary.add(
    status,
    `${counted(checks.length, "check")}: ${counted(failures, "failure")}, ${counted(warnings, "warning")}` +
      `${where.length === 0 ? "" : `, in ${where.join(", ")}`}.`,
  );
  return { checks: summary.list, json: undefined };
}

export const isProblem = ({ status }: Check): boolean => status === "WARN" || status === "FAIL";

const counted = (number: number, noun: string): string =>
  number === 0 ? `no ${noun}s` : plural(number, noun);

/** Characters; wider names exceed their column. */
const WIDEST = 32;

/** Names and values as two columns. */
export function columns(rows: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.min(WIDEST, Math.max(0, ...rows.map(([name]) => name.length)));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

/** Words after `title`, separated by commas, in lines of at most `width` characters. */
export function wrapped(title: string, words: readonly string[], width = 100): string[] {
  const lines: string[] = [];
  let line = title;
  words.forEach((word, at) => {
    const next = at < words.length - 1 ? `${word},` : word;
    if (line.length + 1 + next.length > width && line !== title) {
      lines.push(line);
      line = `  ${next}`;
    } else {
      line = `${line} ${next}`;
    }
  });
  return words.length === 0 ? [] : [...lines, line];
}
