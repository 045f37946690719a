/** Programs that are built for the benchmark only, with the flags of our own. */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A bare start: a compiled hello world. Returns its path. */
export const hello = (): Promise<string> => compiled("hello");

/** A tick that does what it must and nothing more. Returns its path. */
export const least = (): Promise<string> => compiled("least");

async function compiled(name: string): Promise<string> {
  const out = join(mkdtempSync(join(tmpdir(), "rbh-bench-")), name);
  const flags = ["--compile", "--minify", "--bytecode", "--format=esm", `--outfile=${out}`];
  const build = Bun.spawn([process.execPath, "build", ...flags, join(import.meta.dir, `${name}.ts`)], {
    stdout: "ignore",
    stderr: "inherit",
  });
  if ((await build.exited) !== 0) throw new Error(`${name}.ts could not be built`);
  return out;
}
