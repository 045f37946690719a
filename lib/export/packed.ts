/** An export by way of a work directory: restored there with its patterns, then packed by tar(1), GNU's or busybox's. */

import { lstatSync, rmSync, utimesSync } from "node:fs";
import { EXIT, Failure } from "../errors.ts";
import { visitTree } from "../files/tree.ts";
import { absolute } from "../paths.ts";
import { needDryRun, restoreTree } from "../restic/restore-tree.ts";
import type { Outcome, Run } from "../run/run.ts";
import { scratchFolder } from "../run/target.ts";
import { keepWorkdir, makeWorkdir, removeWorkdir } from "../run/workdir.ts";
import { hiddenFromTools } from "../secrets.ts";
import { plural } from "../text.ts";
import { announce, clean, type ExportJob, nothing, wouldBe } from "./export-plan.ts";
import { type Feed, makeArchive } from "./feed.ts";

export async function exportPacked(job: ExportJob): Promise<Outcome> {
  const { run, flags } = job;
  const parent = workParent(run, flags["work-dir"]);
  announce(job, `by way of a work directory in ${parent}`);
  if (flags["dry-run"]) await needDryRun(run);
  await clean(run, parent);
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

/** Where the work directory is made: on a disk, where there is one, unless the operator has named a place. */
function workParent(run: Run, named: string | undefined): string {
  if (named !== undefined) return absolute(named);
  const { folder, memory } = scratchFolder(run.settings);
  if (memory !== undefined) run.log.warn(`The work directory is made in ${folder}, although ${memory}.`);
  return folder;
}

async function restoreAndPack(job: ExportJob, workdir: string): Promise<Outcome> {
  const { run, restic, flags, snapshot, output } = job;
  const { include, exclude, verbose, verify, "dry-run": dryRun } = flags;
  const words = { snapshot: snapshot.id, target: workdir, include, exclude, verbose, verify, dryRun };
  const { exitCode, files, bytes } = await restoreTree(run, restic, words);
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
    `${plural(specials, "special file")} (named pipes, sockets, devices) left out, as in every archive by restic.`,
  );
}

/**
 * Packs what is in the folder `$1` under its own names: not as `.`, so that the members are called as those of
 * restic's own archives are. Only a shell's pattern gives names that are not UTF-8, and only xargs any number of them;
 * several archives in a row are one to the feed.
 */
const SCRIPT = `cd "$1" && shift && for name in * .[!.]* ..?*; do
  if [ -e "$name" ] || [ -h "$name" ]; then printf '%s\\0' "$name"; fi
done | xargs -0 tar -cf - "$@" --`;

/** As in restic's own archives: numeric owners, extended attributes, and the content under each name of a file. */
const GNU = [
  "--format=posix",
  "--numeric-owner",
  "--xattrs",
  "--xattrs-include=*",
  "--acls",
  "--hard-dereference",
];

/** Resolves to 0. Throws a Failure when tar fails, and what the feed throws. */
export async function packInto(feed: Feed, run: Run, folder: string): Promise<number> {
  const options = (await isGnu(run)) ? GNU : [];
  const { code } = await run.child(["sh", "-c", SCRIPT, "sh", folder, ...options], {
    env: { ...hiddenFromTools(run.context.env), LC_ALL: "C" },
    onBytes: feed.take,
    onStderr: (line) => run.log.childLine("tar", line),
  });
  if (code !== 0) {
    throw new Failure(`tar could not pack ${folder} (exit ${code}). See its messages above.`, EXIT.failed);
  }
  return code;
}

/** Removes named pipes, sockets and devices, which restic's own archives lack too. Returns how many there were. */
export async function removeSpecials(run: Run, folder: string): Promise<number> {
  let removed = 0;
  await visitTree(
    folder,
    ({ path, stat }) => {
      if (stat.isFile() || stat.isDirectory() || stat.isSymbolicLink()) return;
      const parent = path.subarray(0, path.lastIndexOf("/"));
      const { atime, mtime } = lstatSync(parent);
      rmSync(path);
      // The folder keeps the modification time that it had in the snapshot.
      utimesSync(parent, atime, mtime);
      removed++;
    },
    () => run.stopping,
  );
  run.throwIfStopping();
  return removed;
}

async function isGnu(run: Run): Promise<boolean> {
  let gnu = false;
  const onStdout = (line: string) => {
    gnu ||= line.includes("GNU tar");
  };
  await run.child(["tar", "--version"], { env: hiddenFromTools(run.context.env), onStdout });
  return gnu;
}
