/**
 * The part of doctor --from-upstream that reads files which the old container has left or was given: the crontab, the
 * records in LOG_DIR, the hooks and the job file.
 */

import { existsSync, readdirSync } from "node:fs";
import { reasonOf } from "../errors.ts";
import { readIfThere, readSmallFile } from "../files/files.ts";
import { declaredFacts } from "../run/command.ts";
import { plannedJobs, readCrontabLine } from "../schedule/schedule.ts";
import run from "../schema/run.json" with { type: "json" };
import { missingSchedule } from "../state/alive.ts";
import { readRecord } from "../state/record.ts";
import { lockedJob } from "../state/schedules.ts";
import { Checks, type DoctorContext } from "./checks.ts";
import { hooks } from "./hooks.ts";
import { isProblem } from "./rendering.ts";
import { checkJobFile } from "./replication.ts";

/** The four verdicts of the move, as statuses of doctor. */
export class Moved extends Checks {
  kept(message: string, key?: string): void {
    this.add("OK", `kept: ${message}`, key);
  }

  changes(message: string, key?: string): void {
    this.add("INFO", `changes: ${message}`, key);
  }

  toDo(message: string, key?: string): void {
    this.add("WARN", `to do: ${message}`, key);
  }

  lost(message: string, key?: string): void {
    this.add("FAIL", `lost: ${message}`, key);
  }
}

export function judgeSchedule(checks: Moved, patient: DoctorContext): void {
  const { settings, env, schedules, logDir } = patient;
  const missing = missingSchedule(patient);
  if (missing !== undefined) checks.lost(missing);
  for (const { job, variable, expression, problem } of plannedJobs(settings)) {
    const isOff = env[variable] !== undefined && /^\s*(off)?\s*$/i.test(env[variable]);
    if (problem !== undefined) checks.lost(`${problem} ${job} is not started.`);
    else if (isOff && expression !== "") {
      checks.toDo(
        `in 2.14 an empty value meant that ${job} does not run here; here it runs at ${expression}.`,
        variable,
      );
    } else if (expression !== "" && env[variable]) checks.kept(`${job} at ${expression}.`, variable);
    else if (isOff) checks.kept(`${job} is not scheduled here.`, variable);
  }
  const { crontab } = schedules;
  let text: string | undefined;
  try {
    text = readIfThere(crontab.path);
  } catch (error) {
    checks.toDo(`the crontab ${crontab.path} cannot be read: ${reasonOf(error)}. Run doctor as root.`);
  }
  for (const line of (text ?? "").split("\n")) judgeCrontabLine(checks, line, patient);
  if (existsSync(`${logDir}/cron.log`)) checks.kept(`${logDir}/cron.log; new lines are appended to it.`);
}

/** entry writes the crontab at each start, so that any other line is gone then. */
function judgeCrontabLine(checks: Moved, line: string, patient: DoctorContext): void {
  const { schedules, settings, runs } = patient;
  const { path } = schedules.crontab;
  const found = readCrontabLine(line);
  if (found === undefined) {
    if (/^\s*\w+\s*=/.test(line))
      checks.lost(`${path} has "${line.trim()}", and entry writes no assignment.`);
    return;
  }
  const { command, expression } = found;
  const locked = lockedJob(command);
  const words = command.split(/[\s;&|]+/).map((word) => word.slice(word.lastIndexOf("/") + 1));
  const named = runs.find(({ name, aliases = [] }) =>
    [name, ...aliases].some((each) => words.includes(each)),
  );
  const job = locked ?? named?.name;
  const planned = plannedJobs(settings).find((each) => each.job === job && each.expression !== "");
  if (job !== undefined && planned?.expression === expression) {
    const how = locked === undefined ? "; entry replaces the line by its own" : "";
    checks.kept(`${path} starts ${job} at ${expression}${how}.`);
    return;
  }
  const instead =
    planned === undefined ? "is gone" : `becomes ${planned.expression}, by ${planned.variable},`;
  checks.lost(
    `${path} has a line that ${instead} when the container starts: ${expression} ${command}. ` +
      `${job === undefined ? "Use a hook, or the cron of the host" : "Set the variable of its schedule (*_CRON)"}.`,
  );
}

export async function judgeRecords(checks: Moved, patient: DoctorContext): Promise<void> {
  const { logDir, runs } = patient;
  const facts = await declaredFacts(runs);
  let names: string[];
  try {
    names = readdirSync(logDir).filter((name) => /^last-.+\.json$/.test(name));
  } catch (error) {
    checks.lost(`LOG_DIR=${logDir} cannot be read: ${reasonOf(error)}. Mount the old one.`);
    return;
  }
  if (names.length === 0)
    checks.changes(`${logDir} has no record of 2.14: mount the old LOG_DIR if its history counts.`);
  for (const name of names.sort()) {
    const called = name.slice("last-".length, -".json".length);
    const job = runs.find((row) => row.name === called || row.aliases?.includes(called))?.name;
    const path = `${logDir}/${name}`;
    const { record, problem } = readRecord(path) ?? {};
    if (record === undefined) {
      checks.lost(`${path} cannot be read: ${problem ?? "it is gone"}. Remove it, or put a good one there.`);
    } else if (job === undefined) checks.toDo(`${path} is of no job of this program: nothing reads it.`);
    else {
      checks.kept(`${path}: ${record.status}, exit ${record.exit_code}; status and doctor read it.`);
      judgeFields(checks, path, record, new Set([...Object.keys(facts.get(job) ?? {}), ...HEADER]));
    }
  }
}

const HEADER = Object.keys(run.properties);

/** Fields that nobody fills any more, and numbers that were strings. */
function judgeFields(
  checks: Moved,
  path: string,
  record: Readonly<Record<string, unknown>>,
  known: ReadonlySet<string>,
): void {
  const fields = Object.keys(record);
  const gone = fields.filter((name) => !known.has(name));
  if (gone.length > 0)
    checks.toDo(
      `${path} has fields that later runs do not write: ${gone.join(", ")}. Change what reads them.`,
    );
  const numbers = fields.filter(
    (name) => known.has(name) && typeof record[name] === "string" && /^\d+$/.test(record[name]),
  );
  if (numbers.length > 0)
    checks.changes(`in ${path} these are strings, later ones may be numbers: ${numbers.join(", ")}.`);
}

/** Programs of 2.14's image that this one lacks. */
const TOOLS = ["sshpass", "sudo", "mail", "mailx", "setcap", "lsblk", "findmnt"] as const;

export async function judgeHooks(checks: Moved, patient: DoctorContext): Promise<void> {
  const { json, checks: found } = await hooks(patient);
  for (const check of found.filter(isProblem)) {
    if (check.status === "FAIL") checks.lost(check.message);
    else checks.toDo(check.message);
  }
  const path = patient.env.PATH ?? "";
  const isMissing = (tool: string) => !path.split(":").some((folder) => existsSync(`${folder}/${tool}`));
  for (const hook of json.present) {
    if (hook.executable)
      checks.kept(`${hook.path} still runs as ${hook.phase}, with the arguments that it had.`);
    for (const tool of calledTools(hook.path).filter(isMissing)) {
      checks.lost(
        `${hook.path} calls ${tool}, which 2.14's image had and this one lacks: the hook fails there. ` +
          `Build an image with ${tool}, or write the hook without it.`,
      );
    }
  }
  if (json.present.length === 0) checks.kept("no hook is there.");
}

/** Those of TOOLS that stand where a shell takes a word for a command. */
function calledTools(path: string): string[] {
  let text: string;
  try {
    text = readSmallFile(path, 1024 * 1024);
  } catch {
    // A hook that cannot be read has its own line already.
    return [];
  }
  const code = text.replace(/^\s*#.*$/gm, "");
  return TOOLS.filter((tool) =>
    new RegExp(
      `(?:^|[;&|(\`]|\\b(?:then|do|else|exec|if|sudo)\\s)\\s*(?:/\\S*/)?${tool}(?![\\w.-])`,
      "m",
    ).test(code),
  );
}

export async function judgeJobFile(checks: Moved, patient: DoctorContext): Promise<void> {
  const { checks: found, file } = await checkJobFile(patient);
  for (const { status, message, key } of found) {
    if (status === "FAIL" || (status === "WARN" && file !== undefined && file.malformed.length > 0))
      checks.lost(message, key);
    else if (status === "WARN") checks.toDo(message, key);
    else if (status === "OK") checks.kept(message, key);
    else checks.changes(message, key);
  }
}
