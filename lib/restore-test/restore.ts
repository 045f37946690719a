/** Restores what a test asks for. */

import { EXIT } from "../errors.ts";
import { count } from "../plural.ts";
import type { Restic } from "../restic/exec.ts";
import { type Restored, restoreTree } from "../restic/restore.ts";
import { type Snapshot, shortId } from "../restic/snapshots.ts";
import type { Run } from "../run/run.ts";
import { formatBytes } from "../size.ts";
import type { Canary } from "./canary.ts";
import type { Ground } from "./ground.ts";
import type { RestoreTestPlan } from "./plan.ts";
import { literal, type Picked, portions } from "./sample.ts";

/** All that one test knows. */
export interface Test {
  readonly run: Run;
  readonly restic: Restic;
  readonly plan: RestoreTestPlan;
  readonly snapshot: Snapshot;
  readonly canaries: readonly Canary[];
  /** The files that were picked; undefined when all are meant. */
  readonly sample: readonly Picked[] | undefined;
  readonly ground: Ground;
}

export interface Came {
  readonly exitCode: number;
  /** --path matched nothing. */
  readonly nothing: boolean;
  /** Where it is; undefined for a rehearsal, and when there was nothing to restore. */
  readonly root: string | undefined;
  readonly startedMs: number;
}

export async function restoreWhat(test: Test): Promise<Came> {
  const { run, plan, snapshot, ground } = test;
  const startedMs = Date.now();
  const nothing = { exitCode: EXIT.ok, nothing: true, root: undefined, startedMs };
  const calls = callsOf(test);
  if (plan.path !== undefined && test.sample?.length === 0) return nothing;
  if (plan.dryRun) {
    const { exitCode, files, bytes } = await restoreAll(test, `${ground.place}/restore-test`, calls);
    if (exitCode !== EXIT.ok) return { ...nothing, exitCode, nothing: false };
    if (plan.path !== undefined && files === 0) return nothing;
    Object.assign(run.facts, { files_restored: files, bytes_restored: bytes });
    run.log.info(
      `Nothing was written; it would be ${count(files, "file")} and folders, ${formatBytes(bytes)}.`,
    );
    return { ...nothing, nothing: false };
  }
  const root = ground.make(shortId(snapshot));
  run.facts.target = root;
  const whole = snapshot.summary?.total_bytes_processed;
  if (whole !== undefined && calls.every((include) => include.length === 0)) ground.warnOfRoom(whole);
  const { exitCode, files, skipped } = await restoreAll(test, root, calls);
  const isNothing = exitCode === EXIT.ok && plan.path !== undefined && files + skipped === 0;
  return { exitCode, nothing: isNothing, root, startedMs };
}

/** What each call of restic includes; an empty list includes everything. */
function callsOf({ plan, sample, canaries }: Test): string[][] {
  if (sample === undefined) return [plan.path === undefined ? [] : [plan.path]];
  const paths = [...sample.map(({ path }) => path), ...canaries.map(({ path }) => path.toString())];
  return portions([...new Set(paths)].map(literal));
}

async function restoreAll(
  { run, restic, plan, snapshot }: Test,
  target: string,
  calls: readonly string[][],
): Promise<Restored> {
  let all: Restored = { exitCode: EXIT.ok, files: 0, bytes: 0, skipped: 0 };
  for (const include of calls) {
    const { verify, dryRun } = plan;
    const words = { snapshot: snapshot.id, target, include, exclude: [], verify, dryRun };
    const { exitCode, files, bytes, skipped } = await restoreTree(run, restic, words);
    all = { exitCode, files: all.files + files, bytes: all.bytes + bytes, skipped: all.skipped + skipped };
    if (exitCode !== EXIT.ok || run.ending) break;
  }
  return all;
}
