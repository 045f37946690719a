/** Section Replicate: its settings, rclone's configuration, and the rows of its job file. config-check judges them too. */

import type { Settings } from "../config/settings.ts";
import { ConfigError, errnoOf, reasonOf } from "../errors.ts";
import { accessWithin } from "../files/within.ts";
import { fileExposures } from "../hooks/discover.ts";
import { isDry } from "../rclone/args.ts";
import { jobArgsProblem } from "../rclone/bound.ts";
import { type JobFile, malformedText, NO_ROW, ROWS_ARE_CODE, readJobFile } from "../rclone/rows.ts";
import { type Scheduled, scheduleFor, scheduleReason } from "../state/schedules.ts";
import { plural } from "../text.ts";
import { type Check, Checks, type DoctorContext, type Findings, fail, info, ok, warn } from "./checks.ts";
import type { Entry } from "./effective-environment.ts";
import { columns } from "./rendering.ts";
import { sourcesOf } from "./resources.ts";

export interface ReplicateJson {
  readonly effective: Readonly<Record<string, string | null>>;
  /** Rows that replicate would work through, and rows that it would count as failed; null without a job file. */
  readonly jobs_count: number | null;
  readonly malformed_count: number | null;
}

/** `entries` are those of the environment, as they may be shown. */
export async function replicate(
  patient: DoctorContext,
  entries: readonly Entry[],
): Promise<Findings<ReplicateJson>> {
  const checks = new Checks("Replicate");
  const ours = entries.filter(({ name }) => name.startsWith("REPLICATE_") || name === "RCLONE_CONFIG");
  const jobs = await checkJobFile(patient);
  checks.adopt([await checkRclone(patient), ...jobs.checks]);
  return {
    lines: columns(ours.map(({ name, value }) => [name, value ?? "not set"])),
    checks: checks.list,
    json: {
      effective: Object.fromEntries(ours.map(({ name, value }) => [name, value ?? null])),
      jobs_count: jobs.file?.rows.length ?? null,
      malformed_count: jobs.file?.malformed.length ?? null,
    },
  };
}

export async function checkRclone(scheduled: Scheduled): Promise<Check> {
  const key = "RCLONE_CONFIG";
  const path = scheduled.settings.text(key);
  const { problem } = await accessWithin(path, "read");
  if (problem === undefined) return ok(key, path);
  const user = userOfRclone(scheduled);
  return user === undefined
    ? ok(key, `${path} is not there, and nothing needs it`)
    : fail(key, `${path} cannot be read: ${problem}; ${user} needs it. Mount it, or correct the path.`);
}

/** What needs rclone here: `replicate`, `the repository`; undefined when nothing does. */
export function userOfRclone(scheduled: Scheduled): string | undefined {
  if (scheduleFor(scheduled.schedules, "replicate") !== undefined) return "replicate";
  try {
    return scheduled.repository.startsWith("rclone:") ? "the repository" : undefined;
  } catch (error) {
    // It is not known which repository is meant; that has a check of its own.
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

interface JudgedJobFile {
  readonly checks: readonly Check[];
  /** Absent where it cannot be read. */
  readonly file?: JobFile;
}

/**
 * `isGate`: a file that replicate would fail on is a failure even where no schedule relies on replicate. So
 * config-check stops a deployment with it, while doctor, whose failures wake people up, only warns.
 */
export async function checkJobFile(
  { settings, schedules }: Scheduled,
  isGate = false,
): Promise<JudgedJobFile> {
  const key = "REPLICATE_JOB_FILE";
  const path = settings.text(key);
  const isScheduled = scheduleFor(schedules, "replicate") !== undefined;
  const worse = isScheduled || isGate ? fail : warn;
  const args = checkArgs(settings, worse);
  const read = await readWithin(path);
  if (read.file === undefined) {
    const reason = scheduleReason(schedules, "replicate");
    const message = `${path} cannot be read: ${read.problem}; ${reason}`;
    if (isScheduled) return { checks: [fail(key, `${message}. Mount it, or correct the path.`), ...args] };
    const found =
      isGate && !read.isMissing
        ? fail(key, `${path} cannot be read: ${read.problem}. Correct the path.`)
        : info(key, `${message}, so nothing needs it.`);
    return { checks: [found, ...args] };
  }
  const { rows, malformed } = read.file;
  const checks = malformed.map((row) => worse(key, `line ${row.line} ${malformedText(row)}.`));
  for (const { said, remedy } of fileExposures(path, sourcesOf(settings)))
    checks.push(warn(key, `${said}. ${ROWS_ARE_CODE} ${remedy}`));
  for (const { line } of rows.filter(({ extra }) => isDry(extra)))
    checks.push(warn(key, `line ${line} says --dry-run: replicate changes nothing for it. Take that out.`));
  if (rows.length > 0) checks.push(ok(key, `${path}, ${plural(rows.length, "row")} to work through.`));
  else if (malformed.length === 0) checks.push((isScheduled ? fail : warn)(key, `${path} ${NO_ROW}`));
  return { checks: [...checks, ...args], file: read.file };
}

/** What replicate would refuse, by the same judgement; words with an unbalanced quote are a finding of the values. */
function checkArgs(settings: Settings, worse: typeof fail): Check[] {
  const key = "REPLICATE_JOB_ARGS";
  let refusal: string | undefined;
  try {
    refusal = jobArgsProblem(settings.words(key));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
  }
  return refusal === undefined ? [] : [worse(key, refusal)];
}

type Read =
  | { readonly file: JobFile }
  | { readonly file?: undefined; readonly problem: string; readonly isMissing: boolean };

/** Without a wait for a dead network mount. */
async function readWithin(path: string): Promise<Read> {
  const { isSilent, problem } = await accessWithin(path, "read");
  if (isSilent) return { problem, isMissing: false };
  try {
    return { file: readJobFile(path) };
  } catch (error) {
    return { problem: reasonOf(error), isMissing: errnoOf(error) === "ENOENT" };
  }
}
