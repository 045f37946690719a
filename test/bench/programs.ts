/** Programs that are built for the benchmark only, with the flags of our own. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Each is built once, and goes when we end. */
const built = new Map<string, Promise<string>>();

/** A bare start: a compiled hello world. Returns its path. */
export const hello = (): Promise<string> => compiled("hello");

/** A tick that does what it must and nothing more. Returns its path. */
export const least = (): Promise<string> => compiled("least");

/** A program that loads our modules, starts the children of a tick, and does nothing else. Returns its path. */
export const floor = (): Promise<string> => compiled("floor");

function compiled(name: string): Promise<string> {
  const path = built.get(name) ?? compile(name);
  built.set(name, path);
  return path;
}

async function compile(name: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "rbh-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const out = join(folder, name);
  const flags = ["--compile", "--minify", "--bytecode", "--format=esm", "--splitting"];
  flags.push("--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig", "--compile-jit-policy=1000");
  flags.push(`--outfile=${out}`);
  const child = Bun.spawn([process.execPath, "build", ...flags, join(import.meta.dir, `${name}.ts`)], {
    stdout: "ignore",
    stderr: "inherit",
  });
  if ((await child.exited) !== 0) throw new Error(`${name}.ts could not be built`);
  return out;
}
