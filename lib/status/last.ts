/** What the last run of a job says. Pure. */

import { formatDuration } from "../duration.ts";
import { hasSucceeded } from "../record.ts";
import { stamp } from "../time/format.ts";
import type { Findings } from "./finding.ts";
import type { Found, Kept } from "./record.ts";
import type { View } from "./view.ts";

/** A record from so many seconds ahead tells of a clock that was set back. */
const AHEAD_SECONDS = 60;

export function judgeLast(
  findings: Findings,
  found: Found | undefined,
  isEnabled: boolean,
  isRunningNow: boolean,
  view: View,
): void {
  if (found === undefined) {
    const said = "it is scheduled, but has left no record yet.";
    if (isEnabled && !isRunningNow) findings.warn("no-record", said);
    return;
  }
  const { record, path, problem } = found;
  if (record === undefined) {
    findings.warn("unreadable", `its record ${path} cannot be read: ${problem}.`);
    return;
  }
  if (record.started_epoch > view.now + AHEAD_SECONDS) {
    const when = stamp(record.started_epoch * 1000, view.zone);
    findings.warn("future", `its last run began at ${when}, which is still to come. Was the clock set back?`);
  }
  judgeResult(findings, record, isEnabled, view);
}

/** A failure weighs more where a schedule relies on the job. A person who said no, and a success, are no finding. */
function judgeResult(findings: Findings, record: Kept, isEnabled: boolean, view: View): void {
  const { status, exit_code, finished_epoch, error } = record;
  if (status === "cancelled" || (hasSucceeded(record) && status !== "warning")) return;
  const when = `${formatDuration(view.now - finished_epoch)} ago`;
  const why = typeof error === "string" ? ` ${error}` : "";
  if (status === "warning") {
    findings.warn("warning", `its last run, ${when}, ended with a warning (exit ${exit_code}).${why}`);
  } else if (status === "interrupted") {
    findings.warn("interrupted", `its last run was interrupted ${when} (exit ${exit_code}).${why}`);
  } else {
    const what = status === "timed_out" ? "timed out" : "failed";
    const said = `its last run ${what} ${when} (exit ${exit_code}).${why}`;
    if (isEnabled) findings.fail("failed", said);
    else findings.warn("failed", said);
  }
}
