/** status as JSON, schema restic-backup-helper.status/1. */

import { variables } from "../config/variables.ts";
import { recordPath } from "../context.ts";
import { release, version } from "../environment.ts";
import { nextTimes } from "../schedule/cron.ts";
import { CRON_VARIABLES } from "../schedule/schedule.ts";
import type { Finding, Job, Judged, StatusContext, Verdict } from "../state/jobs.ts";
import type { Schedule } from "../state/schedules.ts";
import { formatDuration } from "../text.ts";
import { iso } from "../time/zone.ts";

/** The report for programs. Pure but for the release that it names. */
export function buildReport(
  view: StatusContext,
  judged: readonly Judged[],
  findings: readonly Finding[],
  verdict: Verdict,
  exitCode: number,
) {
  const { hostname, now, zone, logDir, lockDir } = view;
  const { crontab, schedules } = view.schedules;
  const count = (status: Finding["status"]) => findings.filter((each) => each.status === status).length;
  return {
    schema: "restic-backup-helper.status/1",
    command: "status",
    release,
    hostname,
    generated_at: iso(now * 1000, zone),
    generated_epoch: now,
    verdict,
    warnings: count("WARN"),
    failures: count("FAIL"),
    exit_code: exitCode,
    runtime: {
      version,
      tz: view.settings.env.TZ ?? "",
      timezone: zone.name,
      timezone_known: zone.known,
      repository: view.shownRepository ?? "",
      log_dir: logDir,
      lock_dir: lockDir,
    },
    crontab: {
      source: crontab.source === "file" ? crontab.path : "environment-preview",
      origin: crontab.source,
      path: crontab.path,
      line_count: crontab.line_count,
    },
    schedules: [...schedules.map((each) => scheduleJson(each, view)), ...disabled(schedules)],
    jobs: judged.map((each) => jobJson(each, schedules, logDir)),
    recent_json: judged.map(({ job, found }) => ({
      job: job.job,
      path: recordPath(logDir, job.job),
      present: found !== undefined,
      size_bytes: found?.size ?? 0,
      exit_code: job.exit_code,
      age_seconds: job.age_seconds,
      age_human: ageText(job),
    })),
    findings: findings.map(({ status, ...finding }) => ({ level: status, status, ...finding })),
  };
}

function scheduleJson({ job, expression, cron, problem }: Schedule, { now, zone }: StatusContext) {
  const next = cron && nextTimes(cron, now, zone, 1)[0];
  return {
    job,
    enabled: true,
    cron: expression,
    expression,
    command: `/bin/${job}`,
    next_at: next === undefined ? null : iso(next * 1000, zone),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** What could be scheduled, and is not. */
const disabled = (schedules: readonly Schedule[]) =>
  CRON_VARIABLES.map((name) => variables[name].job)
    .filter((job) => schedules.every((schedule) => schedule.job !== job))
    .map((job) => ({ job, enabled: false, cron: "", expression: "", command: `/bin/${job}`, next_at: null }));

/** The jobs by which the system that this one replaces is judged. */
const CORE: readonly string[] = ["backup", "check", "forget", "prune", "replicate"];

/**
 * `status` is one of the five words that programs know from there; what the record of the last run says stands in
 * `last_status`.
 */
function jobJson({ job, result }: Judged, schedules: readonly Schedule[], logDir: string) {
  const path = recordPath(logDir, job.job);
  const { status, detail } = judgeShortly(job, result, path);
  const cron = schedules.find((schedule) => schedule.job === job.job)?.expression ?? "";
  const { status: last_status, ...rest } = job;
  return {
    ...rest,
    core: CORE.includes(job.job),
    status,
    last_status,
    cron,
    path,
    age_human: ageText(job),
    detail,
  };
}

function judgeShortly(
  { enabled, status, exit_code, overdue, expected_at, age_seconds }: Job,
  result: Judged["result"],
  path: string,
) {
  const age = ageText({ age_seconds });
  const last = `last run ${status}, exit ${exit_code}, age ${age}`;
  if (!enabled) return { status: "disabled", detail: exit_code === null ? "disabled" : `disabled; ${last}` };
  if (status === "unreadable") return { status: "fail", detail: `${path} cannot be read` };
  if (exit_code === null) return { status: "missing", detail: `enabled but ${path} is missing` };
  if (exit_code !== 0 && result !== "OK" && result !== "INFO") return { status: "fail", detail: last };
  if (overdue) return { status: "stale", detail: `${last}; the next was expected at ${expected_at}` };
  return { status: "ok", detail: last };
}

const ageText = ({ age_seconds }: Pick<Job, "age_seconds">): string =>
  age_seconds === null ? "" : formatDuration(age_seconds);
