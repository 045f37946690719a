/** An export by way of a work directory: restored there with its patterns, then packed. */

import { EXIT } from "../errors.ts";
import { absolute } from "../paths.ts";
import { count } from "../plural.ts";
import { needDryRun, restoreTree } from "../restic/restore.ts";
import type { Outcome, Run } from "../run/run.ts";
import { keepWorkdir, makeWorkdir, removeWorkdir } from "../run/workdir.ts";
import { announce, clean, type Job, nothing, wouldBe } from "./job.ts";
import { makeArchive } from "./make.ts";
import { packInto, removeSpecials } from "./pack.ts";

export async function exportPacked(job: Job): Promise<Outcome> {
  const { run, flags } = job;
  const parent = absolute(flags["work-dir"] ?? run.settings.text("TMPDIR"));
  announce(job, `by way of a work directory in ${parent}`);
  if (flags["dry-run"]) await needDryRun(run);
  clean(run, parent);
  const workdir = makeWorkdir(parent, "snapshot-export", "--work-dir");
  run.facts.work_dir = workdir;
  try {
    return await restoreAndPack(job, workdir);
  } finally {
    if (flags["keep-workdir"]) {
      run.facts.work_dir = keepWorkdir(run, workdir);
      run.log.info(`The work directory is kept: ${run.facts.work_dir}.`);
    } else await removeWorkdir(run, workdir);
  }
}

async function restoreAndPack(job: Job, workdir: string): Promise<Outcome> {
  const { run, restic, flags, snapshot, output } = job;
  const { include, exclude, verbose, verify, "dry-run": dryRun } = flags;
  const words = { snapshot: snapshot.id, target: workdir, include, exclude, verbose, verify, dryRun };
  const { exitCode, files, bytes } = await restoreTree(run, restic, words);
  if (run.ending) return { exitCode };
  if (exitCode !== EXIT.ok) {
    await restic.afterFailure("restore", exitCode);
    return { exitCode };
  }
  if (files === 0) return { exitCode: nothing(job) };
  if (dryRun) return wouldBe(job, files, bytes);
  await leaveOutSpecials(run, workdir);
  const plan = { output, expected: bytes, verify, verbose };
  return { exitCode: await makeArchive(run, plan, (feed) => packInto(feed, run, workdir)) };
}

async function leaveOutSpecials(run: Run, workdir: string): Promise<void> {
  const specials = await removeSpecials(run, workdir);
  if (specials === 0) return;
  run.log.info(
    `${count(specials, "special file")} (named pipes, sockets, devices) left out, as of every archive by restic.`,
  );
}
