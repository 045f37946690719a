/** Programs that are built for the benchmark only. */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A compiled hello world, built as our own program is. Returns its path. */
export async function hello(): Promise<string> {
  const out = join(mkdtempSync(join(tmpdir(), "rbh-bench-")), "hello");
  const flags = ["--compile", "--minify", "--bytecode", "--format=esm", `--outfile=${out}`];
  const build = Bun.spawn([process.execPath, "build", ...flags, join(import.meta.dir, "hello.ts")], {
    stdout: "ignore",
    stderr: "inherit",
  });
  if ((await build.exited) !== 0) throw new Error("hello.ts could not be built");
  return out;
}
