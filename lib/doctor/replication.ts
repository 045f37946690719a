/** Section Replicate: the settings that count, and whether its job file can be worked through. */

import type { Settings } from "../config/settings.ts";
import { reasonOf } from "../errors.ts";
import { readSmallFile } from "../files/files.ts";
import { look } from "../files/within.ts";
import { JOB_FILE_MOST, parseRows } from "../rclone/rows.ts";
import { plural } from "../text.ts";
import { Checks, type Findings, statusOf } from "./checks.ts";
import { checkRclone, sentence } from "./configuration.ts";
import type { Entry } from "./effective-environment.ts";
import { columns } from "./rendering.ts";

export interface ReplicateJson {
  readonly effective: Readonly<Record<string, string | null>>;
  /** Rows that replicate would work through, and rows that it would count as failed; null without a job file. */
  readonly jobs_count: number | null;
  readonly malformed_count: number | null;
}

/** `entries` are those of the environment, as they may be shown. */
export async function replicate(
  settings: Settings,
  entries: readonly Entry[],
): Promise<Findings<ReplicateJson>> {
  const checks = new Checks("Replicate");
  const ours = entries.filter(({ name }) => name.startsWith("REPLICATE_") || name === "RCLONE_CONFIG");
  const config = await checkRclone(settings);
  checks.add(statusOf(config), sentence(config));
  const counts = await judgeJobs(checks, settings);
  return {
    lines: columns(ours.map(({ name, value }) => [name, value ?? "not set"])),
    checks: checks.list,
    json: {
      effective: Object.fromEntries(ours.map(({ name, value }) => [name, value ?? null])),
      jobs_count: counts?.jobs ?? null,
      malformed_count: counts?.malformed ?? null,
    },
  };
}

interface Counts {
  readonly jobs: number;
  readonly malformed: number;
}

async function judgeJobs(checks: Checks, settings: Settings): Promise<Counts | undefined> {
  const path = settings.text("REPLICATE_JOB_FILE");
  const isScheduled = settings.text("REPLICATE_CRON") !== "";
  const text = await textOf(path);
  if (typeof text !== "string") {
    const said = `REPLICATE_JOB_FILE: ${path} cannot be read: ${text.problem}`;
    if (isScheduled) checks.fail(`${said}; REPLICATE_CRON is set. Mount it, or correct the path.`);
    else checks.info(`${said}; REPLICATE_CRON is not set, so nothing needs it.`);
    return undefined;
  }
  const { rows, malformed } = parseRows(text);
  const worst = isScheduled ? "FAIL" : "WARN";
  for (const { line, text, why } of malformed) {
    checks.add(
      worst,
      `REPLICATE_JOB_FILE: line ${line} is malformed and counts as failed: ${why} (${text}).`,
    );
  }
  if (rows.length + malformed.length === 0) {
    checks.add(worst, `REPLICATE_JOB_FILE: ${path} has no row. Write SOURCE;DESTINATION, a pair a line.`);
  } else {
    checks.ok(`REPLICATE_JOB_FILE: ${path}, ${plural(rows.length, "row")} to work through.`);
  }
  return { jobs: rows.length, malformed: malformed.length };
}

async function textOf(path: string): Promise<string | { problem: string }> {
  const { problem } = await look(path, "read");
  if (problem !== undefined) return { problem };
  try {
    return readSmallFile(path, JOB_FILE_MOST);
  } catch (error) {
    return { problem: reasonOf(error) };
  }
}
