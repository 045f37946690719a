/** status as JSON, schema restic-backup-helper.status/1. */

import { recordPath } from "../context.ts";
import { release, version } from "../environment.ts";
import { nextTimes } from "../schedule/cron.ts";
import type { Finding, Judged, StatusContext, Verdict } from "../state/jobs.ts";
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
    release,
    hostname,
    generated_at: iso(now * 1000, zone),
    generated_epoch: now,
    verdict,
    warnings: count("WARN"),
    failures: count("FAIL"),
    exit_code: exitCode,
    runtime: { version, timezone: zone.name, timezone_known: zone.known, log_dir: logDir, lock_dir: lockDir },
    crontab,
    schedules: schedules.map(({ job, expression, cron, problem }) => {
      const next = cron && nextTimes(cron, now, zone, 1)[0];
      return {
        job,
        expression,
        next_at: next === undefined ? null : iso(next * 1000, zone),
        ...(problem === undefined ? {} : { problem }),
      };
    }),
    jobs: judged.map(({ job }) => job),
    recent_json: judged.map(({ job, found }) => ({
      path: recordPath(logDir, job.job),
      present: found !== undefined,
      size_bytes: found?.size ?? 0,
    })),
    findings,
  };
}
