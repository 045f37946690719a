/** The subject of a run's mail: `[OK] Backup larak · 5m12s · 1.234 MiB new (snap a1b2c3d4)`. Pure. */

import { formatDuration } from "../duration.ts";
import type { RunRecord } from "../record.ts";
import { formatBytes } from "../size.ts";

export function subjectOf(record: RunRecord): string {
  const { job, hostname, duration_seconds, snapshot_id } = record;
  const title = job.charAt(0).toUpperCase() + job.slice(1).replaceAll("-", " ");
  const parts = [
    `${verdictOf(record)} ${title} ${hostname}`,
    formatDuration(duration_seconds),
    detailOf(record),
  ];
  const snapshot = typeof snapshot_id === "string" ? ` (snap ${snapshot_id})` : "";
  return parts.filter(Boolean).join(" · ") + snapshot;
}

function verdictOf({ status, exit_code }: RunRecord): string {
  const word = status === "ok" ? "OK" : status === "warning" ? "WARN" : "FAIL";
  return exit_code === 0 ? `[${word}]` : `[${word} ${exit_code}]`;
}

/** What the run brought about, in a few words; empty where the record says nothing of it. */
function detailOf(record: RunRecord): string {
  const { bytes_added, replicate_jobs_processed, replicate_jobs_failed, files_restored, archive_size_bytes } =
    record;
  if (typeof bytes_added === "string") return `${bytes_added} new`;
  if (typeof replicate_jobs_processed === "number" && typeof replicate_jobs_failed === "number") {
    return `${replicate_jobs_processed} jobs, ${replicate_jobs_failed} failed`;
  }
  if (typeof files_restored === "number") return `${files_restored} files restored`;
  if (typeof archive_size_bytes === "number") return `${formatBytes(archive_size_bytes)} archive`;
  return "";
}
