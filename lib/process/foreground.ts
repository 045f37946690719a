/** Runs another program in our place: our terminal and streams, our signals, its exit code. */

import { isTerminal } from "../terminal.ts";
import { type Child, type Signal, type SpawnOptions, signal, spawn } from "./spawn.ts";

/** Resolves to its exit code, 128+n after signal n. Throws CannotStart. */
export async function foreground(
  words: readonly string[],
  options: Pick<SpawnOptions, "env" | "inherit">,
): Promise<number> {
  const child = spawn(words, { ...options, stdin: "inherit", stdout: "inherit", stderr: "inherit" });
  passSignalsTo(child);
  return (await child.exited).code;
}

function passSignalsTo(child: Child): void {
  // On a terminal Ctrl-C reaches the child by itself; a second one would look like impatience to restic.
  const passed: Signal[] = isTerminal(0)
    ? ["SIGTERM"]
    : ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2"];
  for (const name of passed) process.on(name, () => signal(child.pid, name));
  if (isTerminal(0)) for (const name of ["SIGINT", "SIGHUP", "SIGQUIT"] as const) process.on(name, () => {});
}
