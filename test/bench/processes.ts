/** Counts processes that a command makes, by strace. Threads do not count. */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Counts {
  readonly forks: number;
  readonly execs: number;
}

/** Without the exec of the command itself. NaN where there is no strace. */
export function countProcesses(command: readonly string[], env: Record<string, string | undefined>): Counts {
  if (Bun.which("strace") === null) return { forks: Number.NaN, execs: Number.NaN };
  const folder = mkdtempSync(join(tmpdir(), "rbh-strace-"));
  const file = join(folder, "trace");
  Bun.spawnSync(
    ["strace", "-f", "-qq", "-o", file, "-e", "trace=execve,fork,vfork,clone,clone3", ...command],
    {
      env,
      stdout: "ignore",
      stderr: "ignore",
    },
  );
  const lines = readFileSync(file, "utf8").split("\n");
  rmSync(folder, { recursive: true });
  const starts = lines.filter((line) => /\b(v?fork|clone3?)\(/.test(line) && !line.includes("CLONE_THREAD"));
  const execs = lines.filter((line) => /\bexecve\(/.test(line) && !line.includes("ENOENT"));
  return { forks: starts.length, execs: execs.length - 1 };
}
