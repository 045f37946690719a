/** status as text for people. Pure. */

import { formatDuration } from "../duration.ts";
import { count } from "../plural.ts";
import { tableLines } from "../table.ts";
import { stamp } from "../time/format.ts";
import type { Zone } from "../time/zone.ts";
import { visible } from "../visible.ts";
import type { Finding, Verdict } from "./finding.ts";
import type { Job } from "./jobs.ts";

const COLOUR: Readonly<Record<Verdict, string>> = { OK: "\x1b[32m", WARN: "\x1b[33m", FAIL: "\x1b[31m" };
const RESET = "\x1b[0m";
const TAG_WIDTH = 6;
const HEADS = ["JOB", "LAST RUN", "RESULT", "TOOK", "ENDED", "NEXT"];

export interface Overview {
  readonly verdict: Verdict;
  readonly hostname: string;
  readonly now: number;
  readonly zone: Zone;
  readonly jobs: readonly Shown[];
  readonly findings: readonly Finding[];
}

/** A job with its times as epoch seconds. */
export interface Shown {
  readonly job: Job;
  readonly started: number | undefined;
  readonly next: number | undefined;
}

export function overviewText(
  { verdict, hostname, now, zone, jobs, findings }: Overview,
  colour: boolean,
): string {
  const tag = (status: Verdict) => {
    const text = status.padEnd(TAG_WIDTH);
    return colour ? `${COLOUR[status]}${text}${RESET}` : text;
  };
  const told = findings.length === 0 ? "" : `, ${count(findings.length, "finding")}`;
  const lines = [
    `${tag(verdict)}${oneLine(hostname)}, ${stamp(now * 1000, zone)}${told}`,
    "",
    ...tableLines([HEADS, ...jobs.map((each) => row(each, zone))]),
    ...jobs.flatMap(({ job }) => runningText(job)),
    ...findings.map(({ status, job, message }) => `${tag(status)}${oneLine(`${job}: ${message}`)}`),
  ];
  // An empty line before the first that belongs to no table.
  const rows = 2 + 1 + jobs.length;
  if (lines.length > rows) lines.splice(rows, 0, "");
  return lines.map((line) => `${line}\n`).join("");
}

function row({ job, started, next }: Shown, zone: Zone): string[] {
  const at = (epoch: number | undefined) => (epoch === undefined ? "-" : stamp(epoch * 1000, zone));
  const code = job.exit_code === null || job.exit_code === 0 ? "" : ` ${job.exit_code}`;
  return [
    visible(job.job),
    at(started),
    visible(`${job.status}${code}`),
    job.duration_seconds === null ? "-" : formatDuration(job.duration_seconds),
    job.age_seconds === null ? "-" : `${formatDuration(job.age_seconds)} ago`,
    job.enabled ? at(next) : "not scheduled",
  ];
}

function runningText({ job, running }: Job): string[] {
  if (running === null) return [];
  const { percent, eta_seconds, phase, pid, started_at } = running;
  const done = percent === null ? "" : `${percent}% done, `;
  const left = eta_seconds === null ? "" : `${formatDuration(eta_seconds)} left, `;
  return [
    `${"NOW".padEnd(TAG_WIDTH)}${job}: running, ${done}${left}since ${started_at}, phase ${phase}, pid ${pid}`,
  ];
}

/** What a record holds must not look like a line of ours. */
const oneLine = (text: string): string => visible(text.replace(/\s+/g, " "));
