/** status: is all well? From local files only, and fast: an orchestrator asks twice a minute. */

import { environment } from "../environment.ts";
import { EXIT, UsageError } from "../errors.ts";
import { isTerminal, print, writeAll } from "../log/stdout.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { type Command, type Invocation, workerNames } from "../run/command.ts";
import { nextTimes } from "../schedule/cron.ts";
import { CRON_VARIABLES } from "../schedule/schedule.ts";
import { judgeAlive, missingSchedule } from "../state/alive.ts";
import { historyPath, readHistoryEnd } from "../state/history.ts";
import {
  type Finding,
  type Judged,
  judgeJobs,
  StatusContext,
  type Verdict,
  worstVerdict,
} from "../state/jobs.ts";
import { scheduleFor } from "../state/schedules.ts";
import { buildReport } from "../status/json.ts";
import { formatHistory, formatOverview, lastRuns } from "../status/overview.ts";
import { singleLine, visibleJson } from "../text.ts";

const FLAGS = {
  json: { type: "boolean", alias: "j", description: "print JSON, schema restic-backup-helper.status/1" },
  alive: {
    type: "boolean",
    description: "is the schedule alive? For a health check that restarts: a run that failed is no reason",
  },
  history: { type: "boolean", description: "print the last runs as a table, of one worker or of all" },
} as const;

const command: Command<typeof FLAGS> = {
  about:
    "Says whether all is well, from the records, the history and the markers of running workers; starts no program " +
    "and asks no network. WARN: a job that is on has left no record when it was due, is overdue, was skipped three times running, " +
    "was interrupted, died, could not leave its record, ended in the future, or changed suspiciously; or a tool's last run failed. FAIL: the last run of a job that " +
    "is on failed, or jobs are on and no schedule runs here. --alive judges the schedule only: entry and its scheduler live, the crontab is what entry wrote, no " +
    "job is overdue by more than two intervals. While a run goes on it says yes.",
  flags: FLAGS,
  operands: {
    usage: "[<worker>]",
    help: "with --history: only the runs of this worker",
    least: 0,
    most: 1,
  },
  environment: [
    "LOG_DIR",
    "LOCK_DIR",
    "CRONTAB_DIR",
    ...CRON_VARIABLES,
    "RESTIC_REPOSITORY",
    "RESTIC_REPOSITORY_FILE",
    "HOSTNAME",
    "TZ",
    "NO_COLOR",
  ],
  exits: [
    ["0", "OK or WARN"],
    [
      "1",
      "FAIL: the last run of a job that is scheduled failed, or no schedule runs; with --alive: no job will be started",
    ],
    ["2", "the command line is wrong"],
  ],
  main,
};
export default command;

/** Bytes of the history's end that are read for the table: one worker's runs may be rare among those of another. */
const HISTORY_BYTES = 16 * 1024 * 1024;

async function main({ flags, operands: [worker], table }: Invocation<typeof FLAGS>): Promise<number> {
  const view = new StatusContext("status", workerNames(table));
  if (flags.alive) {
    if (flags.json || flags.history || worker !== undefined)
      throw new UsageError("--alive stands alone: its answer is one line and the exit code.");
    return showAlive(view);
  }
  if (flags.history) {
    if (flags.json)
      throw new UsageError("--history has no --json: LOG_DIR/history.jsonl is JSON, a run a line.");
    return showHistory(view, worker);
  }
  if (worker !== undefined) throw new UsageError(`"${worker}" is expected only after --history.`);

  const judged = judgeJobs(view);
  const missing = missingSchedule(view);
  const findings: Finding[] = [
    ...(missing === undefined
      ? []
      : [{ job: "entry", status: "FAIL", kind: "no-schedule", message: missing } as const]),
    ...judged.flatMap((each) => each.findings),
  ];
  const verdict = worstVerdict(findings);
  const exitCode = verdict === "FAIL" ? EXIT.failed : EXIT.ok;
  writeAll(
    1,
    flags.json
      ? `${visibleJson(buildReport(view, judged, findings, verdict, exitCode))}\n`
      : formatStatus(view, judged, findings, verdict),
  );
  return exitCode;
}

function showAlive(view: StatusContext): number {
  const { alive, reasons } = judgeAlive(view);
  print(`${singleLine(`${alive ? "alive" : "dead"}: ${reasons.join(" ")}`)}\n`);
  return alive ? EXIT.ok : EXIT.failed;
}

function showHistory(view: StatusContext, worker: string | undefined): number {
  if (worker !== undefined && !view.workers.includes(worker)) {
    const near = nearest(worker, view.workers);
    throw new UsageError(`There is no worker ${worker}${didYouMean(near)}`);
  }
  const past = lastRuns(readHistoryEnd(view.logDir, HISTORY_BYTES), worker);
  const whose = worker === undefined ? "" : ` of ${worker}`;
  print(
    past.length === 0
      ? `${singleLine(`There is no run${whose} in ${historyPath(view.logDir)} yet.`)}\n`
      : formatHistory(past, view.zone),
  );
  return EXIT.ok;
}

/** Jobs that are neither scheduled nor have ever run are not worth a line to a person. */
function formatStatus(
  { hostname, now, zone, schedules }: StatusContext,
  judged: readonly Judged[],
  findings: readonly Finding[],
  verdict: Verdict,
): string {
  const shown = judged.filter(
    ({ job, record }) => job.enabled || job.present || record !== undefined || job.running !== null,
  );
  const jobs = shown.map(({ job, record }) => {
    const cron = scheduleFor(schedules, job.job)?.cron;
    return {
      job,
      started: record?.started_epoch,
      next: cron && nextTimes(cron, now, zone, 1)[0],
    };
  });
  return formatOverview(
    { verdict, hostname, now, zone, jobs, findings },
    isTerminal(1) && !environment.NO_COLOR,
  );
}
