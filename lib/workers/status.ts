/** status: is all well? From local files only, and fast: an orchestrator asks every half a minute. */

import { environment } from "../environment.ts";
import { EXIT, UsageError } from "../errors.ts";
import { isTerminal, writeAll } from "../log/stdout.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { type Command, type Invocation, workerNames } from "../run/command.ts";
import { nextTimes } from "../schedule/cron.ts";
import { CRON_VARIABLES } from "../schedule/schedule.ts";
import { RUNS_LOOKED_AT } from "../state/changes.ts";
import { historyEnd, pastRuns } from "../state/history.ts";
import { type Finding, type Judged, judge, type Verdict, View, verdictOf } from "../state/jobs.ts";
import { type Schedule, schedulesOf } from "../state/schedules.ts";
import { reportOf } from "../status/json.ts";
import { historyText, lastRuns, overviewText } from "../status/overview.ts";

const FLAGS = {
  json: { type: "boolean", description: "print JSON, schema restic-backup-helper.status/1" },
  history: { type: "boolean", description: "print the last runs as a table, of one worker or of all" },
} as const;

const command: Command<typeof FLAGS> = {
  about:
    "Says whether all is well, from the records, the history and the markers of running workers; starts no program " +
    "and asks no network. WARN: a job that is on has left no record, is overdue, was skipped three times running, " +
    "was interrupted, died, or changed suspiciously; or a tool's last run failed. FAIL: the last run of a job that " +
    "is on failed.",
  flags: FLAGS,
  operands: {
    usage: "[<worker>]",
    help: "with --history: only the runs of this worker",
    least: 0,
    most: 1,
  },
  environment: ["LOG_DIR", "LOCK_DIR", "CRONTAB_DIR", ...CRON_VARIABLES, "HOSTNAME", "TZ", "NO_COLOR"],
  exits: [
    ["0", "OK or WARN"],
    ["1", "FAIL: the last run of a job that is scheduled failed"],
    ["2", "the command line is wrong"],
  ],
  main,
};
export default command;

/** Bytes of the history's end that are read to see suspicious changes: some hundred runs. */
const LOOKED_BACK_BYTES = 128 * 1024;
/** And for a table, in which one worker's runs may be rare among those of another. */
const HISTORY_BYTES = 16 * 1024 * 1024;

async function main({ flags, operands: [worker], table }: Invocation<typeof FLAGS>): Promise<number> {
  const view = new View(workerNames(table));
  if (flags.history) {
    if (flags.json)
      throw new UsageError("--history has no --json: LOG_DIR/history.jsonl is JSON, a run a line.");
    return showHistory(view, worker);
  }
  if (worker !== undefined) throw new UsageError(`"${worker}" is expected only after --history.`);

  const schedules = schedulesOf(view.settings);
  const judged = judgeAll(view, schedules.schedules);
  const findings = judged.flatMap((each) => each.findings);
  const verdict = verdictOf(findings);
  const exitCode = verdict === "FAIL" ? EXIT.failed : EXIT.ok;
  writeAll(
    1,
    flags.json
      ? `${JSON.stringify(reportOf(view, schedules, judged, findings, verdict, exitCode), null, 2)}\n`
      : textOf(view, schedules.schedules, judged, findings, verdict),
  );
  return exitCode;
}

function showHistory(view: View, worker: string | undefined): number {
  if (worker !== undefined && !view.workers.includes(worker)) {
    const near = nearest(worker, view.workers);
    throw new UsageError(`There is no worker ${worker}${didYouMean(near)}`);
  }
  const past = lastRuns(historyEnd(view.logDir, HISTORY_BYTES), worker);
  const whose = worker === undefined ? "" : ` of ${worker}`;
  writeAll(
    1,
    past.length === 0
      ? `There is no run${whose} in ${view.logDir}/history.jsonl yet.\n`
      : historyText(past, view.zone),
  );
  return EXIT.ok;
}

function judgeAll(view: View, schedules: readonly Schedule[]): Judged[] {
  const on = new Map(schedules.map((schedule) => [schedule.job, schedule]));
  const lines = historyEnd(view.logDir, LOOKED_BACK_BYTES);
  const past = pastRuns(lines, [...on.keys()], RUNS_LOOKED_AT);
  return view.workers.map((worker) => judge(worker, on.get(worker), past.get(worker) ?? [], view));
}

/** Jobs that are neither on nor have ever run say nothing to a person. */
function textOf(
  { hostname, now, zone }: View,
  schedules: readonly Schedule[],
  judged: readonly Judged[],
  findings: readonly Finding[],
  verdict: Verdict,
): string {
  const worthIt = judged.filter(({ job }) => job.enabled || job.present || job.running !== null);
  const jobs = worthIt.map(({ job, found }) => {
    const cron = schedules.find((schedule) => schedule.job === job.job)?.cron;
    return {
      job,
      started: found?.record?.started_epoch,
      next: cron && nextTimes(cron, now, zone, 1)[0],
    };
  });
  return overviewText(
    { verdict, hostname, now, zone, jobs, findings },
    isTerminal(1) && !environment.NO_COLOR,
  );
}
