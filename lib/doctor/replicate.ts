/** Section Replicate: the settings that count, and whether its job file can be worked through. */

import type { Settings } from "../config/settings.ts";
import { reasonOf } from "../errors.ts";
import { readSmallFile } from "../files.ts";
import { Checks, type Findings } from "./check.ts";
import { columns } from "./columns.ts";
import type { Entry } from "./environment.ts";
import { look } from "./look.ts";

export interface ReplicateJson {
  readonly effective: Readonly<Record<string, string | null>>;
  /** Rows that replicate would work through, and rows that it would count as failed; null when not known. */
  readonly jobs_count: number | null;
  readonly malformed_count: number | null;
}

/** A job file has one row for each pair of folders. */
const FILE_MOST = 1024 * 1024;

/** `entries` are those of the environment, as they may be shown. */
export async function replicate(
  settings: Settings,
  entries: readonly Entry[],
): Promise<Findings<ReplicateJson>> {
  const checks = new Checks("Replicate");
  const ours = entries.filter(({ name }) => name.startsWith("REPLICATE_") || name === "RCLONE_CONFIG");
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
  const { stat, problem } = await look(path, "read");
  if (problem !== undefined || !stat.isFile()) {
    const reason = problem ?? "it is not a regular file";
    if (isScheduled)
      checks.fail(`REPLICATE_JOB_FILE=${path} cannot be read: ${reason}. replicate would fail.`);
    else
      checks.info(`Nothing is replicated: REPLICATE_CRON is not set, and ${path} cannot be read: ${reason}.`);
    return undefined;
  }
  await judgeConfig(checks, settings);
  try {
    return judgeRows(checks, path, readSmallFile(path, FILE_MOST));
  } catch (error) {
    checks.fail(`REPLICATE_JOB_FILE=${path} cannot be read: ${reasonOf(error)}.`);
    return undefined;
  }
}

function judgeRows(checks: Checks, path: string, text: string): Counts | undefined {
  if (text.trim() === "") {
    checks.fail(`REPLICATE_JOB_FILE=${path} is empty. replicate would fail.`);
    return { jobs: 0, malformed: 0 };
  }
  checks.ok(`REPLICATE_JOB_FILE=${path} can be read.`);
  return undefined;
}

/** Local folders need no configuration, so a missing one is only told. */
async function judgeConfig(checks: Checks, settings: Settings): Promise<void> {
  const path = settings.text("RCLONE_CONFIG");
  const { problem } = await look(path, "read");
  if (problem === undefined) checks.ok(`RCLONE_CONFIG=${path} can be read.`);
  else checks.warn(`RCLONE_CONFIG=${path} cannot be read: ${problem}. rclone then knows no remote.`);
}
