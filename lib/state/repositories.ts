/** What records and the history know of a repository: was anything ever saved in it? */

import { readdirSync } from "node:fs";
import { readHistoryEnd } from "./history.ts";
import { hasSucceeded, type PastRecord, parseRecord, readRecord } from "./record.ts";

/** Bytes of the history that are read: all that HISTORY_MAX_RUNS keeps by default. */
const HISTORY_MOST = 16 * 1024 * 1024;
/** Jobs whose success needs a repository, although they name no snapshot. */
const NEEDING = new Set(["check", "prune", "forget", "forget-preview"]);

/** The newest run that has worked with the repository that is shown as `shown`; undefined where none is known. */
export function lastSuccessIn(logDir: string, shown: string): PastRecord | undefined {
  const proof = (run: PastRecord | undefined): PastRecord[] =>
    typeof run?.repository === "string" &&
    spelling(run.repository) === spelling(shown) &&
    provesRepository(run)
      ? [run]
      : [];
  const name = JSON.stringify(spelling(shown)).slice(1, -1);
  // Its last line that is one: those before it are not even parsed.
  const line = readHistoryEnd(logDir, HISTORY_MOST).findLast(
    (each) => each.includes(name) && proof(parseRecord(each)).length > 0,
  );
  const proofs = [...records(logDir), parseRecord(line ?? "")].flatMap(proof);
  return proofs.reduce<PastRecord | undefined>(
    (newest, run) => (newest === undefined || run.finished_epoch > newest.finished_epoch ? run : newest),
    undefined,
  );
}

/** The one spelling of a folder: restic takes it with `local:` and with slashes at its end, too. */
const spelling = (repository: string): string => repository.replace(/^local:/, "").replace(/(?<=.)\/+$/, "");

/** A snapshot was made or read there, even if the run failed later; or the job has done its work on it. */
function provesRepository(run: PastRecord): boolean {
  if (run.status === "dry-run") return false;
  if (typeof run.snapshot_id === "string" && run.snapshot_id !== "") return true;
  return NEEDING.has(String(run.job)) && hasSucceeded(run);
}

function records(logDir: string): (PastRecord | undefined)[] {
  try {
    const names = readdirSync(logDir).filter((name) => /^last-.+\.json$/.test(name));
    return names.map((name) => readRecord(`${logDir}/${name}`)?.record);
  } catch {
    // There is no LOG_DIR yet, so there was no run either.
    return [];
  }
}
