/** NFS_TARGET: the repository's folder comes from a file server. */

import { mkdirSync } from "node:fs";
import { EXIT, Failure, reasonOf } from "../errors.ts";
import { ask } from "../process/ask.ts";
import type { Start } from "./scene.ts";

const MOUNT_POINT = "/mnt/restic";
/** mount(8) itself tries a server that is silent for two minutes. */
const MOUNT_MS = 130_000;

/** Throws a Failure: a repository must never be created below a mount point on which nothing is mounted. */
export async function mountNfs({ log, settings, env, stop }: Start): Promise<void> {
  const target = settings.text("NFS_TARGET");
  if (target === "") return;
  try {
    mkdirSync(MOUNT_POINT, { recursive: true });
  } catch (error) {
    throw new Failure(
      `${MOUNT_POINT}, where NFS_TARGET belongs, cannot be made: ${reasonOf(error)}.`,
      EXIT.failed,
    );
  }
  log.info(`Mounting ${target} on ${MOUNT_POINT}.`);
  const command = ["mount", "-t", "nfs", "-o", "nolock", target, MOUNT_POINT];
  const { code, cause, stderr } = await ask(command, { env, timeoutMs: MOUNT_MS, stop });
  if (stop.signal !== undefined || (code === EXIT.ok && cause === undefined)) return;
  const words =
    stderr.trim() || (cause === undefined ? "it gave no reason" : "the server did not answer in time");
  throw new Failure(
    `NFS_TARGET=${target} cannot be mounted (exit ${code}): ${words}. Look at the export and the network; the ` +
      "container needs CAP_SYS_ADMIN to mount.",
    EXIT.failed,
  );
}
