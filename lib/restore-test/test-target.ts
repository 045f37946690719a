/** The directory that a restore-test restores to, and its cleanup. */

import { mkdirSync, rmdirSync, statfsSync } from "node:fs";
import { ConfigError, reasonOf } from "../errors.ts";
import { demandAnswer } from "../files/mounts.ts";
import { absolute } from "../paths.ts";
import type { Run } from "../run/run.ts";
import { memoryAt, namedPlaces, nameSilent, restoreRefusal, scratchFolder } from "../run/target.ts";
import { makeWorkdir, removeDeadWorkDirs, removeWorkdir } from "../run/workdir.ts";
import { formatBytes } from "../text.ts";
import { compact, localZone } from "../time/zone.ts";
import type { RestoreTestPlan } from "./test-plan.ts";

export type CleanupStatus = "none" | "removed" | "kept" | "failed";

/**
 * With --keep, files are restored into the target itself. Without it they go into a new folder in the target, so that
 * only what we created is ever removed, by us or, if we are killed, by the next run.
 */
export class TestTarget {
  /** The directory that files are restored to, once it exists. */
  root: string | undefined;
  /** The directory in which that is created; a dry run creates nothing. */
  readonly parent: string;
  /** The uppermost folder that had to be created for the target. */
  private made: string | undefined;

  /** Removes what killed runs left there. Throws a ConfigError for a target that is refused. */
  static async of(run: Run, plan: RestoreTestPlan): Promise<TestTarget> {
    await nameSilent(run.log, [
      ...namedPlaces(run.settings),
      ...(plan.target === undefined ? [] : [plan.target]),
    ]);
    const target = new TestTarget(run, plan);
    if (plan.dryRun) return target;
    const temporary = absolute(run.settings.text("TMPDIR"));
    for (const folder of new Set(plan.target === undefined ? [target.parent, temporary] : [plan.target])) {
      for (const name of await removeDead(folder)) {
        run.log.warn(`${folder}/${name} was left by a run that was killed; removed it.`);
      }
    }
    target.judge();
    return target;
  }

  private constructor(
    private readonly run: Run,
    private readonly plan: RestoreTestPlan,
  ) {
    this.parent = plan.target ?? this.chooseScratch(absolute(run.settings.text("TMPDIR")));
  }

  private judge(): void {
    const { run, plan } = this;
    if (plan.target === undefined) return;
    const memory = memoryAt(plan.target);
    if (memory !== undefined) run.log.warn(`Restoring to ${plan.target}, although ${memory}.`);
    const refused = restoreRefusal(plan.target, run.settings.lines("BACKUP_ROOT_DIR"), false);
    if (refused === undefined || (!refused.grave && plan.force)) return;
    const force = refused.grave ? "" : ", or give --force if you mean it";
    throw new ConfigError(
      `The target ${plan.target} is refused: ${refused.why}. Choose another --target${force}.`,
    );
  }

  /** A folder on a disk. Memory only by --force: a whole snapshot there would take it from everything else. */
  private chooseScratch(temporary: string): string {
    const { run, plan } = this;
    const { folder, memory } = scratchFolder(run.settings);
    if (memory === undefined) {
      if (folder !== temporary) run.log.info(`TMPDIR ${temporary} lies in memory; restoring into ${folder}.`);
      return folder;
    }
    if (plan.dryRun) return folder;
    const said = `TMPDIR ${folder} is not a place for a restore: ${memory}`;
    if (!plan.force) {
      throw new ConfigError(
        `${said}. Mount a folder of a disk on /restore, or name one with --target or RESTORE_TEST_TARGET.`,
      );
    }
    run.log.warn(`${said} (--force).`);
    return folder;
  }

  /** Creates the folder and returns it. Throws a ConfigError. */
  make(snapshot: string): string {
    const { parent, plan } = this;
    try {
      demandAnswer(parent);
      this.made = mkdirSync(parent, { recursive: true, mode: 0o700 });
      if (!plan.keep) this.root = makeWorkdir(parent, "restore-test", "--target");
      else if (plan.target !== undefined) this.root = plan.target;
      else {
        const name = `restore-test-${snapshot}-${compact(Date.now(), localZone())}`;
        mkdirSync(`${parent}/${name}`, { mode: 0o700 });
        this.root = `${parent}/${name}`;
      }
      return this.root;
    } catch (error) {
      if (error instanceof ConfigError) throw error;
      throw new ConfigError(
        `${parent} cannot be created: ${reasonOf(error)}. Choose another directory with --target.`,
      );
    }
  }

  /** Warns when there is not enough room for `bytes`. */
  warnOfRoom(bytes: number): void {
    const { bavail, bsize } = statfsSync(this.parent);
    const free = bavail * bsize;
    if (free >= bytes) return;
    this.run.log.warn(
      `The snapshot holds ${formatBytes(bytes)}, and only ${formatBytes(free)} is free in ${this.parent}. ` +
        "Choose another --target, a --path, or a --sample.",
    );
  }

  async clean(): Promise<CleanupStatus> {
    const { root, run, plan, made } = this;
    if (root === undefined) return "none";
    if (plan.keep) {
      run.log.info(`What was restored is kept in ${root}.`);
      return "kept";
    }
    if (!(await removeWorkdir(run, root))) return "failed";
    if (made !== undefined) removeEmpty(this.parent, made);
    return "removed";
  }
}

/** The names of what was removed. */
async function removeDead(folder: string): Promise<string[]> {
  try {
    return await removeDeadWorkDirs(folder);
  } catch {
    // Not a folder, or not readable: the restore will report that.
    return [];
  }
}

/** Removes the folders from `path` up to `made`, as far as they are empty. */
function removeEmpty(path: string, made: string): void {
  try {
    for (let at = path; at.length >= made.length; at = at.slice(0, at.lastIndexOf("/"))) rmdirSync(at);
  } catch {
    // Something else has been put there meanwhile.
  }
}
