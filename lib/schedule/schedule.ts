/**
 * The schedule as the environment gives it, and the crontab that entry writes from it. What crond really runs
 * is read in lib/state/schedules.ts.
 */

import { existsSync } from "node:fs";
import type { Settings } from "../config/settings.ts";
import { declarations, type NameOf, type VariableName, variables } from "../config/variables.ts";
import { ConfigError } from "../errors.ts";
import { CRON_LOG_WORD } from "../log/log.ts";
import { type Cron, CronError, parseCron } from "./cron.ts";

export type CronVariable = NameOf<"cron">;

/** Every variable of the schedule, in the order of the crontab. */
export const CRON_VARIABLES = Object.keys(variables).filter(
  (name): name is CronVariable => declarations[name as VariableName].kind === "cron",
);

/** The variable that schedules a job; undefined for a job that no variable schedules. */
export const variableOf = (job: string): CronVariable | undefined =>
  CRON_VARIABLES.find((name) => variables[name].job === job);

export interface Planned {
  readonly job: string;
  readonly variable: CronVariable;
  /** The variable's value or its default; "" when the job is off. */
  readonly expression: string;
  /** Absent when the job is off, or when crond could not read the expression. */
  readonly cron?: Cron;
  /** Why the expression is refused: a sentence that begins with the variable's name. */
  readonly problem?: string;
}

/** Every job that can be scheduled, whether it is or not. */
export function plannedJobs(settings: Settings): Planned[] {
  return CRON_VARIABLES.map((variable) => {
    const { job } = variables[variable];
    const expression = settings.text(variable);
    const scheduled = { job, variable, expression };
    if (expression === "") return scheduled;
    try {
      return { ...scheduled, cron: parseCron(expression) };
    } catch (error) {
      if (!(error instanceof CronError)) throw error;
      return { ...scheduled, problem: `${variable}: ${error.message}.` };
    }
  });
}

/** Where the lines of the crontab point to. */
export interface Places {
  /** The directory of the links, `/bin` in the image. */
  readonly binDir: string;
  readonly lockDir: string;
  /** `LOG_DIR/cron.log`, to which the jobs append their lines. */
  readonly cronLog: string;
}

/** A shell and crond have to take these paths as they are: no blank, quote, `%`, `#` or newline in them. */
const PLAIN_PATH = /^\/[\w@+=:,./-]*$/;

/** Where this environment puts them. Throws a ConfigError for a path that a crontab cannot hold. */
export function readPlaces(settings: Settings): Places {
  const plain = (name: "LOCK_DIR" | "LOG_DIR") => {
    const path = settings.text(name);
    if (PLAIN_PATH.test(path)) return path;
    throw new ConfigError(
      `${name}=${JSON.stringify(path)} cannot stand in a crontab. Use an absolute path of letters, digits and ` +
        "any of @ + = : , . _ / -",
    );
  };
  return {
    binDir: binDirOf(settings.env.PATH ?? ""),
    lockDir: plain("LOCK_DIR"),
    cronLog: `${plain("LOG_DIR")}/cron.log`,
  };
}

/** One line per job that is on. Throws a ConfigError that names every variable that is wrong. */
export function renderCrontab(settings: Settings, places: Places): string {
  const schedule = plannedJobs(settings);
  const problems = schedule.flatMap(({ problem }) => problem ?? []);
  if (problems.length > 0) throw new ConfigError(problems.join(" "));
  return schedule.map(({ job, cron }) => (cron ? crontabLine(cron.text, job, places) : "")).join("");
}

/** Without a redirection: a shell that cannot open its target starts nothing. */
function crontabLine(text: string, job: string, { binDir, lockDir, cronLog }: Places): string {
  const command = `${binDir}/locked_run ${job} ${lockDir}/${job}.lock ${binDir}/${job}`;
  return `${text} ${command} ${CRON_LOG_WORD}${cronLog}\n`;
}

/** `/bin` as in the image; where the links lie elsewhere, the first directory of PATH that has them. */
function binDirOf(path: string): string {
  const folders = ["/bin", ...path.split(":")].filter((folder) => PLAIN_PATH.test(folder));
  return folders.find((folder) => existsSync(`${folder}/locked_run`)) ?? "/bin";
}

/** A line of a crontab: its five fields and its command; undefined for a comment, a blank or an assignment. */
export function readCrontabLine(line: string): { expression: string; command: string } | undefined {
  const found = /^\s*((?:@\w+|[^\s#=]+(?:\s+\S+){4}))\s+(\S.*)$/.exec(line);
  const [, expression, command] = found ?? [];
  return expression === undefined || command === undefined ? undefined : { expression, command };
}

/** Where entry writes the crontab. crond takes the file's name for the user's. */
export const crontabPath = (settings: Settings): string => `${settings.text("CRONTAB_DIR")}/root`;
