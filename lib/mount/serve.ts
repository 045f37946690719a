/**
 * Watches a mount come up, tells where to look, and unmounts it in the end: whatever became of the restic that served
 * it, nothing is mounted there afterwards, or the log says which process keeps it busy and what to do.
 */

import { promises, readdirSync, readlinkSync } from "node:fs";
import type { ChildEnvironment } from "../environment.ts";
import { isResticMounted } from "../files/mounts.ts";
import { runChild } from "../process/child.ts";
import { pids, processName } from "../process/proc.ts";
import { collect } from "../process/pump.ts";
import { CannotStart, plainEnvironment } from "../process/spawn.ts";
import { sleep, stopBudget, within } from "../process/stop.ts";
import type { Run } from "../run/run.ts";
import type { FactsOf, Fields } from "../schema/fields.ts";

/** Polls for the mount, the less often the longer it takes: reading a large index takes minutes. False when restic ended. */
export async function appears(place: string, ended: () => boolean): Promise<boolean> {
  for (let ms = 10; !ended(); ms = Math.min(ms * 1.2, 250)) {
    if (isResticMounted(place)) return true;
    await sleep(ms);
  }
  return false;
}

export const serveFacts = {
  snapshots: { type: "count", help: "snapshots that could be seen in the mount" },
  unmount: {
    type: "choice",
    options: ["gone", "plain", "lazy", "failed"],
    help: "what was left to unmount: nothing, a mount that nothing used, one in use; or unmounting failed",
  },
} as const satisfies Fields;

type ServeRun = Run<FactsOf<typeof serveFacts>>;

/** Milliseconds that the list of snapshots is waited for: it comes from restic, which asks the repository. */
const LIST_MS = 30_000;

/**
 * `which` names the snapshots that were asked for. `over` settles when restic ends: then the list of them, which is
 * waited for at most `listMs`, will not come any more.
 */
export async function tellWhereToLook(
  run: ServeRun,
  place: string,
  which: string,
  over: Promise<unknown>,
  listMs = LIST_MS,
): Promise<void> {
  const { log } = run;
  let count: number | undefined;
  // Read in another thread: this one could handle no signal while it waited for the mounted repository.
  const counting = promises.readdir(`${place}/ids`).then((names) => {
    count = names.length;
  });
  await within(listMs, Promise.race([counting, over]));
  if (count !== undefined) run.facts.snapshots = count;
  log.info(`Mounted at ${place}, read-only${count === undefined ? "" : `; snapshots: ${count}`}.`);
  if (count === 0) {
    log.warn(`There are no ${which}; --repo-wide shows those of any host and tag.`);
  } else {
    log.info(`Look into ${place}/snapshots/latest; by date in snapshots, also in hosts, tags and ids.`);
  }
  log.info(`To end it: Ctrl-C, kill ${process.pid}, or fusermount -u ${place}.`);
}

/** Milliseconds in which a busy mount may become free by itself. */
const PATIENCE_MS = 1000;

/** Unmounts what is still mounted at `place`, and says in the log and in the record how that went. */
export async function release(run: ServeRun, place: string): Promise<Unmounted> {
  const end = performance.now() + PATIENCE_MS;
  const left = await unmount(place, run.settings.env, () =>
    Math.min(end - performance.now(), run.stop.msUntil(stopBudget.unmount.killAt)),
  );
  run.facts.unmount = left.how;
  if (left.how === "plain") run.log.warn(`restic left its mount at ${place} behind; it was unmounted.`);
  if (left.how === "lazy") {
    const users = left.users.length > 0 ? left.users.join(", ") : "something that cannot be seen from here";
    run.log.warn(
      `${place} was in use by ${users}. It was unmounted lazily: it is gone from the tree, and what they still ` +
        "hold of it gives only errors.",
    );
  }
  if (left.how === "failed") {
    run.fail(`${place} is still mounted: ${left.words}. Unmount it by hand: umount -l ${place}`);
  }
  return left;
}

export type Unmounted =
  /** Nothing was mounted any more: restic unmounts when it ends. */
  | { readonly how: "gone" }
  /** restic had left its mount behind, and nobody used it. */
  | { readonly how: "plain" }
  /** It was in use: it is out of the tree, and its users keep what they hold of it until they close it. */
  | { readonly how: "lazy"; readonly users: readonly string[] }
  | { readonly how: "failed"; readonly words: string };

/** fusermount first: it works without root too. umount(8) where an image has no fusermount (any more). */
const PLAIN = [["fusermount", "-u"], ["fusermount3", "-u"], ["umount"]] as const;
const LAZY = [
  ["fusermount", "-u", "-z"],
  ["fusermount3", "-u", "-z"],
  ["umount", "-l"],
] as const;

/** Between two attempts at a busy mount, in milliseconds. */
const RETRY_MS = 50;
/** Milliseconds after which a fusermount that hangs is killed: it usually takes a few. */
const CALL_MS = 1000;
/** Characters of an error message that are kept. */
const WORDS_MOST = 4096;

/**
 * `patienceMs` says, asked again and again, for how long a busy mount may still become free; one call of fusermount or
 * umount may take `callMs`.
 */
export async function unmount(
  place: string,
  env: ChildEnvironment,
  patienceMs: () => number,
  callMs = CALL_MS,
): Promise<Unmounted> {
  if (!isResticMounted(place)) return { how: "gone" };
  do {
    await attempt(PLAIN, place, env, callMs);
    if (!isResticMounted(place)) return { how: "plain" };
    await sleep(Math.min(RETRY_MS, Math.max(0, patienceMs())));
  } while (patienceMs() > 0);
  // Looked up now: once it is out of the tree, nothing shows any more which process uses it.
  const users = describeUsers(place);
  const words = await attempt(LAZY, place, env, callMs);
  return isResticMounted(place) ? { how: "failed", words } : { how: "lazy", users };
}

/** Calls the programs that there are until one succeeds; returns what the last one said. */
async function attempt(
  commands: readonly (readonly string[])[],
  place: string,
  env: ChildEnvironment,
  callMs: number,
): Promise<string> {
  let words = "neither fusermount nor umount can be started";
  for (const command of commands) {
    try {
      const said = collect(WORDS_MOST);
      const limits = { timeoutMs: callMs, graceMs: 0 };
      const { code, cause } = await runChild([...command, place], {
        env: plainEnvironment(env),
        stderr: said,
        first: "SIGKILL",
        ...limits,
      });
      if (code === 0) return "";
      words =
        cause === undefined ? said.text.trim() || words : `${command[0]} did not end within ${callMs} ms`;
    } catch (error) {
      if (!(error instanceof CannotStart)) throw error;
      // Not in this image: the next one may be.
    }
  }
  return words;
}

/** `sh (pid 123)` for each process with its working directory, root or an open file in or below `place`. */
export function describeUsers(place: string): string[] {
  return pids()
    .filter((pid) => pid !== process.pid && readLinks(pid).some((link) => isIn(link, place)))
    .map((pid) => `${processName(pid)} (pid ${pid})`);
}

const isIn = (path: string, place: string): boolean => path === place || path.startsWith(`${place}/`);

/** Reading these links asks the kernel only, never the mounted file system: it may hang or be dead. */
function readLinks(pid: number): string[] {
  const files = namesIn(`/proc/${pid}/fd`).map((fd) => `fd/${fd}`);
  return ["cwd", "root", ...files].flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/${name}`)];
    } catch {
      // It has ended or closed the file meanwhile, or it is another user's.
      return [];
    }
  });
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    // As above.
    return [];
  }
}
