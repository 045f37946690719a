/** Makes sure that nothing is mounted at a place any more, whatever became of the restic that served it. */

import { CannotStart, type ChildEnvironment, signal, spawn } from "../process/spawn.ts";
import { sleep, within } from "../process/timer.ts";
import { isResticMounted } from "./mountinfo.ts";
import { usersOf } from "./users.ts";

export type Unmounted =
  /** Nothing was mounted any more. */
  | { readonly how: "gone" }
  /** What restic had left behind was in nobody's use. */
  | { readonly how: "plain" }
  /** It was in use: taken out of the tree, its users keep what they hold of it until they let go. */
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
/** One call of fusermount takes a few milliseconds; one that hangs is left behind after so many. */
const CALL_MS = 1000;

/** `patienceMs` says, asked again and again, for how long a busy mount may still become free. */
export async function unmount(
  place: string,
  env: ChildEnvironment,
  patienceMs: () => number,
): Promise<Unmounted> {
  if (!isResticMounted(place)) return { how: "gone" };
  do {
    await attempt(PLAIN, place, env);
    if (!isResticMounted(place)) return { how: "plain" };
    await sleep(Math.min(RETRY_MS, Math.max(0, patienceMs())));
  } while (patienceMs() > 0);
  // Asked now: once it is out of the tree, nothing tells any more who uses it.
  const users = usersOf(place);
  const words = await attempt(LAZY, place, env);
  return isResticMounted(place) ? { how: "failed", words } : { how: "lazy", users };
}

/** Calls the programs that there are until one succeeds; returns what the last one said. */
async function attempt(
  commands: readonly (readonly string[])[],
  place: string,
  env: ChildEnvironment,
): Promise<string> {
  let words = "neither fusermount nor umount can be started";
  for (const command of commands) {
    try {
      const child = spawn([...command, place], { env, stderr: "pipe" });
      const said = child.stderr === undefined ? Promise.resolve("") : new Response(child.stderr).text();
      if (await within(CALL_MS, child.exited)) {
        if ((await child.exited).code === 0) return "";
        words = (await said).trim() || words;
      } else {
        signal(child.pid, "SIGKILL");
        words = `${command[0]} did not end within ${CALL_MS} ms`;
      }
    } catch (error) {
      if (!(error instanceof CannotStart)) throw error;
      // Not in this image: the next one may be.
    }
  }
  return words;
}
