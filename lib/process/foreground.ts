/** Runs another program in our place: it gets our terminal, streams and signals, we exit with its exit code. */

import { signalNumber } from "../environment.ts";
import { isTerminal } from "../log/stdout.ts";
import { type Child, ignoredSignals, type Signal, type SpawnOptions, signal, spawn } from "./spawn.ts";

/** Signals that a person or a scheduler may send to a command. */
const PASSED = ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"] as const satisfies Signal[];
/** Those that the terminal sends to the command itself: passed on as well, they would come twice, and restic exits at once then. */
const FROM_TERMINAL: readonly Signal[] = ["SIGINT", "SIGHUP", "SIGQUIT"];

/** Resolves to its exit code, 128+n after signal n. Throws CannotStart. */
export async function foreground(
  words: readonly string[],
  options: Pick<SpawnOptions, "env" | "inherit">,
): Promise<number> {
  const ignored = PASSED.filter((name) => ignoredSignals().has(signalNumber(name) ?? 0));
  // Before there is a child, so that no signal finds us without it; handlers run only once we wait.
  const onTerminal = isTerminal(0);
  let child: Child | undefined;
  for (const name of PASSED) {
    if (ignored.includes(name)) continue;
    process.on(name, () => {
      if (child !== undefined && !(onTerminal && FROM_TERMINAL.includes(name))) signal(child.pid, name);
    });
  }
  const streams = { stdin: "inherit", stdout: "inherit", stderr: "inherit" } as const;
  child = spawn(ignoring(ignored, words), { ...options, ...streams });
  return (await child.exited).code;
}

/** Bun starts every child with all signals at their defaults; a shell puts back what nohup(1) had set. */
function ignoring(signals: readonly Signal[], words: readonly string[]): readonly string[] {
  if (signals.length === 0) return words;
  const names = signals.map((name) => name.replace("SIG", "")).join(" ");
  return ["/bin/sh", "-c", `trap '' ${names}; exec "$@"`, "sh", ...words];
}
