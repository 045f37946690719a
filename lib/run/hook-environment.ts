/** What a hook can read of its run, as hooks.md promises it. */

import type { ChildEnvironment } from "../process/spawn.ts";
import type { Status } from "./record.ts";
import { type Scene, shownRepository } from "./scene.ts";

/** For every hook. */
export function hookEnvironment({ identity, settings, logPath }: Scene): ChildEnvironment {
  return {
    RBH_WORKER: identity.job,
    RBH_RUN_ID: identity.runId,
    RBH_LOG: logPath,
    RBH_HOSTNAME: identity.hostname,
    RBH_REPOSITORY: shownRepository(settings) ?? "",
  };
}

export interface Result {
  readonly exitCode: number;
  readonly status: Status;
  /** Of the work. */
  readonly durationSeconds: number;
  readonly snapshotId: string | undefined;
}

/** For post-hooks too. */
export function resultEnvironment(scene: Scene, result: Result): ChildEnvironment {
  return {
    RBH_EXIT_CODE: String(result.exitCode),
    RBH_STATUS: result.status,
    RBH_RECORD: scene.recordPath,
    RBH_DURATION_SECONDS: String(result.durationSeconds),
    ...(result.snapshotId === undefined ? {} : { RBH_SNAPSHOT_ID: result.snapshotId }),
  };
}
