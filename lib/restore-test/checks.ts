/** The checks of what came back. Each tells the log and the record, and returns what is wrong for a sentence. */

import { count } from "../plural.ts";
import type { Run } from "../run/run.ts";
import { formatBytes } from "../size.ts";
import { type Entry, visitTree } from "../tree.ts";
import { type CanaryResult, checkCanary } from "./canary.ts";
import type { Test } from "./restore.ts";
import { type Comparison, compare, type Picked } from "./sample.ts";

/** Canaries, and files of a sample, that are named in the record, the bad ones first; the others are counted. */
const NAMED_MOST = 200;
/** The clock that the kernel stamps files with may be behind ours by a tick or two. */
const COARSE_MS = 50;

/**
 * Counts the files on the disk: what restic says it has written is its word only. restic gives the files that it finds
 * in the target as they should be their attributes anew, so that what it has not touched since `startedMs` (epoch
 * milliseconds) is none of the snapshot's.
 */
export async function checkCount({ run, plan }: Test, root: string, startedMs: number): Promise<string[]> {
  let files = 0;
  let bytes = 0;
  const inodes = new Set<string>();
  const visit = ({ stat }: Entry) => {
    if (!stat.isFile() || stat.ctimeMs < startedMs - COARSE_MS) return;
    files++;
    // A file with several names has its bytes once.
    const inode = stat.nlink > 1 ? `${stat.dev}:${stat.ino}` : undefined;
    if (inode !== undefined && inodes.has(inode)) return;
    if (inode !== undefined) inodes.add(inode);
    bytes += stat.size;
  };
  await visitTree(root, visit, () => run.expired());
  const isMet = files >= plan.minFiles;
  Object.assign(run.facts, {
    files_restored: files,
    bytes_restored: bytes,
    min_files_met: isMet ? "ON" : "OFF",
  });
  run.log.info(`Restored ${count(files, "file")}, ${formatBytes(bytes)}.`);
  return isMet ? [] : [`${count(files, "file")} came back, fewer than ${plan.minFiles} (--min-files)`];
}

export async function checkCanaries({ run, canaries }: Test, root: string): Promise<string[]> {
  const { facts, log } = run;
  if (canaries.length === 0) return [];
  const results: CanaryResult[] = [];
  for (const canary of canaries) {
    if (run.expired()) break;
    const result = await checkCanary(root, canary, () => run.expired());
    results.push(result);
    if (result.status !== "passed") log.error(`Canary ${result.path}: ${result.message}.`);
  }
  const failed = results.filter(({ status }) => status !== "passed");
  const passed = results.filter(({ status }) => status === "passed");
  Object.assign(facts, {
    canary_passed: passed.length,
    canary_failed: failed.length,
    canary_results: [...failed, ...passed].slice(0, NAMED_MOST),
  });
  log.info(`Canaries: ${passed.length} of ${canaries.length} passed.`);
  return failed.length === 0 ? [] : [`${failed.length} of ${canaries.length} canaries failed`];
}

export async function checkSample(run: Run, root: string, sample: readonly Picked[]): Promise<string[]> {
  const { facts, log } = run;
  const results: Comparison[] = [];
  for (const picked of sample) {
    if (run.expired()) break;
    const result = await compare(root, picked, () => run.expired());
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
  Object.assign(facts, {
    sample_total: sample.length,
    sample_matched: matched,
    sample_changed: changed,
    sample_differing: differing,
    sample_missing: missing,
    sample_results: [...bad, ...results.filter((each) => !isBad(each))].slice(0, NAMED_MOST),
  });
  log.info(
    `Sample of ${count(sample.length, "file")}: ${matched} matched, ${changed} changed since, ${differing} differing` +
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
