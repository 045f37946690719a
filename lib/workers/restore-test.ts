/** restore-test: restores a snapshot, or part of one, and checks that the files are intact. */

import { lstatSync } from "node:fs";
import { EXIT } from "../errors.ts";
import { REPOSITORY_EXITS, RESTIC } from "../restic/messages.ts";
import { RESTIC_ENVIRONMENT, Restic } from "../restic/restic.ts";
import { needDryRun } from "../restic/restore-tree.ts";
import { chooseSnapshot, describeSnapshot, filterOf, listSnapshots, shortId } from "../restic/snapshots.ts";
import {
  checkCanaries,
  checkCount,
  checkSample,
  restoreForTest,
  type Test,
} from "../restore-test/rehearsal.ts";
import { pickSample } from "../restore-test/sample.ts";
import {
  isPlain,
  type RestoreTestFlags,
  type RestoreTestPlan,
  type RestoreTestRun,
  readCanaryFile,
  readTestPlan,
  restoreTestFacts,
  restoreTestFlags,
} from "../restore-test/test-plan.ts";
import { TestTarget } from "../restore-test/test-target.ts";
import type { Outcome } from "../run/run.ts";
import { nameSilent } from "../run/target.ts";
import { defineWorker } from "../run/worker.ts";
import { plural } from "../text.ts";
import { localZone } from "../time/zone.ts";

export default defineWorker({
  about:
    "Restores a snapshot, a part of it, or a random sample of its files into a directory of its own, and checks what " +
    "was restored: how many files, the content of canaries, and whether a sample is identical to the sources. Then it " +
    "removes it. Every flag but --yes has its RESTORE_TEST_ variable; a flag wins.",
  flags: restoreTestFlags,
  environment: [
    ...RESTIC_ENVIRONMENT,
    "RESTIC_TAG",
    "BACKUP_ROOT_DIR",
    "RESTORE_TEST_ID",
    "RESTORE_TEST_TAG",
    "RESTORE_TEST_HOST",
    "RESTORE_TEST_PATH",
    "RESTORE_TEST_SAMPLE",
    "RESTORE_TEST_CANARY",
    "RESTORE_TEST_CANARY_FILE",
    "RESTORE_TEST_MIN_FILES",
    "RESTORE_TEST_TARGET",
    "RESTORE_TEST_KEEP",
    "RESTORE_TEST_VERIFY",
    "RESTORE_TEST_FORCE",
    "RESTORE_TEST_DRY_RUN",
    "TMPDIR",
  ],
  exits: [
    ["0", "what was asked for was restored, and every check passed"],
    ["1", "a check failed, restic failed, or no snapshot matches"],
    ["2", "the target is refused, or a canary cannot be understood"],
    ["3", "--path matched nothing"],
    ...REPOSITORY_EXITS,
  ],
  check: ({ flags }) => {
    readTestPlan(flags);
  },
  facts: restoreTestFacts,
  subject: ({ files_restored }) =>
    files_restored === undefined ? undefined : `${plural(files_restored, "file")} restored`,
  work,
});

async function work(run: RestoreTestRun, { flags }: { readonly flags: RestoreTestFlags }): Promise<Outcome> {
  const { facts, settings } = run;
  run.addFacts({
    verification: "skipped",
    min_files_met: "OFF",
    files_restored: 0,
    bytes_restored: 0,
    include_paths_count: 0,
    restic_files_restored: 0,
    canary_total: 0,
    canary_passed: 0,
    canary_failed: 0,
    canary_results: [],
    target_autotmp: "ON",
    cleanup_status: "none",
  });
  const plan = readTestPlan(flags, settings);
  if (plan.canaryFile !== undefined) await nameSilent(run.log, [plan.canaryFile]);
  const listed = plan.canaryFile === undefined ? [] : readCanaryFile(plan.canaryFile);
  const canaries = [...plan.canaries, ...listed];
  run.addFacts({
    target_autotmp: plan.target === undefined ? "ON" : "OFF",
    dry_run: plan.dryRun ? "ON" : "OFF",
    canary_total: canaries.length,
    min_files: plan.minFiles,
    ...(plan.paths.length === 0 ? {} : { path: plan.paths.join("\n") }),
    include_paths_count: plan.paths.length,
    keep: plan.keep ? "ON" : "OFF",
    verify: plan.verify ? "ON" : "OFF",
  });
  const restic = new Restic(run, { canReadUnlocked: true });
  const target = await TestTarget.of(run, plan);
  if (plan.dryRun) await needDryRun(run);
  const filter = filterOf(plan, run);
  run.addFacts({ tag_filter: filter.tag ?? "", host_filter: filter.host ?? "" });
  const request = { id: plan.id, filter };
  const snapshot = chooseSnapshot(await listSnapshots(restic), request, localZone());
  facts.snapshot = facts.snapshot_id = shortId(snapshot);
  run.log.info(
    `Testing snapshot ${describeSnapshot(snapshot, localZone())}: ${describePlan(plan, canaries.length)}.`,
  );
  const sample = plan.sample > 0 ? await pickSample(restic, snapshot.id, plan.sample, plan.paths) : undefined;
  try {
    return await test({ run, restic, plan, snapshot, canaries, sample, target });
  } finally {
    facts.cleanup_status = await target.clean();
  }
}

async function test(test: Test): Promise<Outcome> {
  const { run, restic, plan, sample } = test;
  const { exitCode, nothing, root, startedMs } = await restoreForTest(test);
  if (exitCode !== EXIT.ok) {
    run.facts.verification = "failed";
    await restic.afterFailure("restore", exitCode);
    return { exitCode };
  }
  if (nothing) {
    run.fail(
      `Nothing in the snapshot matches --path ${plan.paths.join(" or ")}, so nothing was restored. A path is one as \`restic ls\` ` +
        "shows it, such as /data/photos.",
    );
    return { exitCode: RESTIC.incomplete };
  }
  if (root === undefined) return { exitCode };
  const absent = sample === undefined ? findAbsent(plan, root) : [];
  if (absent.length > 0) {
    run.facts.verification = "failed";
    run.fail(
      `The snapshot has no ${absent.join(" and no ")}, which --path names: nothing of it was restored.`,
    );
    return { exitCode: RESTIC.incomplete };
  }
  const problems = [
    ...(await checkCount(test, root, startedMs)),
    ...(await checkCanaries(test, root)),
    ...(sample === undefined ? [] : await checkSample(run, root, sample)),
  ];
  run.throwIfStopping();
  run.facts.verification = problems.length === 0 ? "passed" : "failed";
  if (problems.length === 0) {
    run.log.info("Everything that was asked for was restored intact.");
    return { exitCode };
  }
  run.fail(`The test failed: ${problems.join("; ")}.`);
  return { exitCode: EXIT.failed };
}

/** Of several plain paths those that nothing was restored of: one of them must not hide behind the others. */
const findAbsent = ({ paths }: RestoreTestPlan, root: string): string[] =>
  paths.filter(
    (path) => isPlain(path) && lstatSync(`${root}${path}`, { throwIfNoEntry: false }) === undefined,
  );

function describePlan({ paths, sample, verify }: RestoreTestPlan, canaries: number): string {
  const parts = [
    sample > 0 ? `a sample of ${plural(sample, "file")}` : paths.length === 0 ? "all of it" : undefined,
    paths.length === 0 ? undefined : `${sample > 0 ? "below" : "only"} ${paths.join(", ")}`,
    canaries === 0 ? undefined : plural(canaries, "canary", "canaries"),
    verify ? "verified by restic" : undefined,
  ];
  return parts.filter(Boolean).join(", ");
}
