/** Gives a restored tree to another owner. */

import { realPath } from "../paths.ts";
import type { Run } from "../run/run.ts";
import type { Owner } from "./plan.ts";

export const ownerText = ({ uid, gid }: Owner): string => `${uid}:${gid}`;

/**
 * chown(1), which coreutils and busybox have alike: the target and all below it; of a symbolic link itself, never
 * what it leads to. A failure is a warning, as what was restored is there. Returns whether all of it was changed.
 */
export async function giveTo(run: Run, to: Owner, target: string): Promise<boolean> {
  const owner = ownerText(to);
  run.log.info(`Giving everything in ${target} to ${owner}.`);
  const show = (line: string) => run.log.childLine("chown", line);
  const { code } = await run.child(["chown", "-hR", owner, realPath(target)], {
    onStdout: show,
    onStderr: show,
  });
  if (code !== 0) {
    run.log.warn(
      `Not everything in ${target} belongs to ${owner} now (chown exit ${code}). The restore itself is done.`,
    );
  }
  return code === 0;
}
