/**
 * A restore-test: restores what the test asks for, then checks what was restored. Each check writes to the log and to
 * the record, and returns what is wrong as clauses of a sentence.
 */

import { EXIT } from "../errors.ts";
import { type TreeEntry, visitTree } from "../files/tree.ts";
import type { Restic } from "../restic/restic.ts";
import { literal, type RestoreEnd, restoreTree } from "../restic/restore-tree.ts";
import { type Snapshot, shortId } from "../restic/snapshots.ts";
import { formatBytes, plural } from "../text.ts";
import { type Canary, type CanaryResult, checkCanary } from "./canary.ts";
import { type Comparison, compare, type Picked, portions } from "./sample.ts";
import type { RestoreTestPlan, RestoreTestRun } from "./test-plan.ts";
import type { TestTarget } from "./test-target.ts";

/** Everything that one test needs. */
export interface Test {
  readonly run: RestoreTestRun;
  readonly restic: Restic;
  readonly plan: RestoreTestPlan;
  readonly snapshot: Snapshot;
  readonly canaries: readonly Canary[];
  /** The files that were picked; undefined when the test is not limited to a sample. */
  readonly sample: readonly Picked[] | undefined;
  readonly target: TestTarget;
}

export interface Restored {
  readonly exitCode: number;
  /** --path matched nothing. */
  readonly nothing: boolean;
  /** Where it is; undefined for a rehearsal, and when there was nothing to restore. */
  readonly root: string | undefined;
  readonly startedMs: number;
}

export async function restoreForTest(test: Test): Promise<Restored> {
  const { run, plan, snapshot, target } = test;
  const startedMs = Date.now();
  const nothing = { exitCode: EXIT.ok, nothing: true, root: undefined, startedMs };
  const calls = buildCalls(test);
  if (plan.paths.length > 0 && test.sample?.length === 0) return nothing;
  if (plan.dryRun) {
    const { exitCode, files, bytes } = await restoreAll(test, `${target.parent}/restore-test`, calls);
    if (exitCode !== EXIT.ok) return { ...nothing, exitCode, nothing: false };
    if (plan.paths.length > 0 && files === 0) return nothing;
    run.addFacts({ files_restored: files, bytes_restored: bytes, restic_files_restored: files });
    run.log.info(
      `Nothing was written; the test would restore ${plural(files, "file or folder", "files and folders")}, ${formatBytes(bytes)}.`,
    );
    return { ...nothing, nothing: false };
  }
  const root = target.make(shortId(snapshot));
  run.facts.target = root;
  const whole = snapshot.summary?.total_bytes_processed;
  if (whole !== undefined && calls.every((include) => include.length === 0)) target.warnOfRoom(whole);
  const { exitCode, files, skipped } = await restoreAll(test, root, calls);
  run.facts.restic_files_restored = files;
  const isNothing = exitCode === EXIT.ok && plan.paths.length > 0 && files + skipped === 0;
  return { exitCode, nothing: isNothing, root, startedMs };
}

/** What each call of restic includes; an empty list includes everything. */
function buildCalls({ plan, sample, canaries }: Test): string[][] {
  if (sample === undefined) return [[...plan.paths]];
  const paths = [...sample.map(({ path }) => path), ...canaries.map(({ path }) => path.toString())];
  return portions([...new Set(paths)].map(literal));
}

async function restoreAll(
  { run, restic, plan, snapshot }: Test,
  target: string,
  calls: readonly string[][],
): Promise<RestoreEnd> {
  let all: RestoreEnd = { exitCode: EXIT.ok, files: 0, bytes: 0, skipped: 0 };
  for (const include of calls) {
    const { verify, dryRun } = plan;
    const words = { snapshot: snapshot.id, target, include, exclude: [], verify, dryRun };
    const { exitCode, files, bytes, skipped } = await restoreTree(run, restic, words);
    all = { exitCode, files: all.files + files, bytes: all.bytes + bytes, skipped: all.skipped + skipped };
    if (exitCode !== EXIT.ok) break;
  }
  return all;
}

/** Canaries, and files of a sample, named in the record, failures first; the rest are only counted. */
const NAMED_MOST = 200;
/** The clock by which the kernel stamps files may be a tick or two behind ours. */
const COARSE_MS = 50;

/**
 * Counts the files on the disk, rather than trusting restic's own count. restic sets the attributes even of files that
 * are already in the target unchanged, so a file that was not touched since `startedMs` (epoch milliseconds) is not from
 * the snapshot.
 */
export async function checkCount({ run, plan }: Test, root: string, startedMs: number): Promise<string[]> {
  let files = 0;
  let bytes = 0;
  const inodes = new Set<string>();
  const visit = ({ stat }: TreeEntry) => {
    if (!stat.isFile() || stat.ctimeMs < startedMs - COARSE_MS) return;
    files++;
    // The bytes of a file with several names count once.
    const inode = stat.nlink > 1 ? `${stat.dev}:${stat.ino}` : undefined;
    if (inode !== undefined && inodes.has(inode)) return;
    if (inode !== undefined) inodes.add(inode);
    bytes += stat.size;
  };
  await visitTree(root, visit, () => run.stopping);
  const isMet = files >= plan.minFiles;
  run.addFacts({
    files_restored: files,
    bytes_restored: bytes,
    min_files_met: isMet ? "ON" : "OFF",
  });
  run.log.info(`Restored ${plural(files, "file")}, ${formatBytes(bytes)}.`);
  return isMet
    ? []
    : [`${plural(files, "file was", "files were")} restored, fewer than ${plan.minFiles} (--min-files)`];
}

export async function checkCanaries({ run, canaries }: Test, root: string): Promise<string[]> {
  const { log } = run;
  if (canaries.length === 0) return [];
  const results: CanaryResult[] = [];
  for (const canary of canaries) {
    if (run.stopping) break;
    const result = await checkCanary(root, canary, () => run.stopping);
    results.push(result);
    if (result.status !== "passed") log.error(`Canary ${result.path}: ${result.message}.`);
  }
  const failed = results.filter(({ status }) => status !== "passed");
  const passed = results.filter(({ status }) => status === "passed");
  run.addFacts({
    canary_passed: passed.length,
    canary_failed: failed.length,
    canary_results: [...failed, ...passed].slice(0, NAMED_MOST),
  });
  log.info(`Canaries: ${passed.length} of ${canaries.length} passed.`);
  return failed.length === 0
    ? []
    : [`${failed.length} of ${plural(canaries.length, "canary", "canaries")} failed`];
}

export async function checkSample(
  run: RestoreTestRun,
  root: string,
  sample: readonly Picked[],
): Promise<string[]> {
  const { log } = run;
  const results: Comparison[] = [];
  for (const picked of sample) {
    if (run.stopping) break;
    const result = await compare(root, picked, () => run.stopping);
    results.push(result);
    if (isBad(result)) log.error(`Sample ${result.path}: ${result.message}.`);
    else log.note(`Sample ${result.path}: ${result.message}.`);
  }
  const of = (status: Comparison["status"]) => results.filter((each) => each.status === status).length;
  const [matched, changed, differing, missing] = [
    of("matched"),
    of("changed"),
    of("differing"),
    of("missing"),
  ];
  const bad = results.filter(isBad);
  run.addFacts({
    sample_total: sample.length,
    sample_matched: matched,
    sample_changed: changed,
    sample_differing: differing,
    sample_missing: missing,
    sample_results: [...bad, ...results.filter((each) => !isBad(each))].slice(0, NAMED_MOST),
  });
  log.info(
    `Sample of ${plural(sample.length, "file")}: ${matched} matched, ${changed} changed since, ${differing} differing` +
      `${missing === 0 ? "" : `, ${missing} missing`}.`,
  );
  if (sample.length > 0 && matched + differing === 0) {
    log.warn("None of them could be compared with its source: restic's own check of each block has to do.");
  }
  return bad.length === 0
    ? []
    : [`${bad.length} of ${sample.length} sampled files are not what they should be`];
}

const isBad = ({ status }: Comparison) => status === "differing" || status === "missing";
