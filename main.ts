import { readFileSync } from "node:fs";
import { dispatch } from "./lib/cli/dispatch.ts";
import { SERVED_LINE } from "./lib/files/mounts.ts";
import { CRON_LOG_WORD } from "./lib/log/log.ts";
import { afterStdout } from "./lib/log/stdout.ts";
import { onEarlySignal } from "./lib/process/stop.ts";
import { table } from "./lib/workers/index.ts";

if (process.pid === 1) onEarlySignal((number) => process.exit(128 + number));

// A umask that takes a file's own user out would have the next run stand before its own lock and log.
const umask = process.umask();
if ((umask & 0o700) !== 0) process.umask(umask & 0o077);

if (SERVED_LINE.test(mountinfo())) {
  const { askNamed } = await import("./lib/files/within.ts");
  await askNamed();
}

// A compiled Bun program finds the name that it was called by in argv0, and its words from the third argument on.
const words = process.argv.slice(2);
// This one is not the command's: it says where the log goes.
if (words.at(-1)?.startsWith(CRON_LOG_WORD)) words.pop();
process.exit(await dispatch(table, process.argv0, words).then(afterStdout));

/** Not by readMounts(), which would parse the mounts of every tick. */
function mountinfo(): string {
  try {
    return readFileSync("/proc/self/mountinfo", "latin1");
  } catch {
    // No /proc: nothing is known.
    return "";
  }
}
