/** Watches a mount come up, tells where to look, and takes it away in the end. */

import { promises } from "node:fs";
import { sleep, within } from "../process/timer.ts";
import type { Run } from "../run/run.ts";
import { isResticMounted } from "./mountinfo.ts";
import { type Unmounted, unmount } from "./unmount.ts";

/** Polls for the mount, the more rarely the longer it takes: a large index is read for minutes. */
export async function appears(place: string, ended: () => boolean): Promise<boolean> {
  for (let ms = 10; !ended(); ms = Math.min(ms * 1.2, 250)) {
    if (isResticMounted(place)) return true;
    await sleep(ms);
  }
  return false;
}

/** The list of snapshots comes from restic, which asks the repository: so long it is waited for. */
const LIST_MS = 30_000;

/** `which` names the snapshots that were asked for. `over` settles when restic ends: a list that is still asked for then is let go. */
export async function tellWhereToLook(
  run: Run,
  place: string,
  which: string,
  over: Promise<unknown>,
): Promise<void> {
  const { log } = run;
  let count: number | undefined;
  // Asked for in another thread: while this one waits for the mounted repository, it could not hear a signal.
  const counting = promises.readdir(`${place}/ids`).then((names) => {
    count = names.length;
  });
  await within(LIST_MS, Promise.race([counting, over]));
  if (count !== undefined) run.facts.snapshots = count;
  log.info(`Mounted at ${place}, read-only${count === undefined ? "" : `; snapshots: ${count}`}.`);
  if (count === 0) {
    log.warn(`There are no ${which}; --repo-wide shows those of any host and tag.`);
  } else {
    log.info(`Look into ${place}/snapshots/latest; by date in snapshots, also in hosts, tags and ids.`);
  }
  log.info(`To end it: Ctrl-C, kill ${process.pid}, or fusermount -u ${place}.`);
}

/** How long a busy mount may become free by itself. */
const PATIENCE_MS = 1000;
/** Of a stop's budget: restic may use 0.6 of it, and post-hooks that run at 0.85 are asked to end. */
const RELEASE_SHARE = 0.75;

/** Whatever became of restic: nothing is mounted afterwards, or it is said what to do. */
export async function release(run: Run, place: string): Promise<Unmounted> {
  const end = performance.now() + PATIENCE_MS;
  const left = await unmount(place, run.settings.env, () =>
    Math.min(end - performance.now(), run.stop.msUntil(RELEASE_SHARE)),
  );
  run.facts.unmount = left.how;
  if (left.how === "plain") run.log.warn(`restic left its mount at ${place} behind; it was unmounted.`);
  if (left.how === "lazy") {
    const users = left.users.length > 0 ? left.users.join(", ") : "something that cannot be seen from here";
    run.log.warn(
      `${place} was in use by ${users}. It was unmounted lazily: it is gone from the tree, and what they still ` +
        "hold of it only gives errors.",
    );
  }
  if (left.how === "failed") {
    run.log.error(`${place} is still mounted: ${left.words}. Take it away by hand: umount -l ${place}`);
  }
  return left;
}
