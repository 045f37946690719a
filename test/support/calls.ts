/** A fake restic that records its arguments. */

import type { World } from "./world.ts";

export interface Call {
  readonly words: string[];
  readonly env: Record<string, string>;
}

/** Runs backup and returns the calls of restic. */
export async function calls(world: World, env: Record<string, string | undefined>, command = ["backup"]) {
  world.restic(`{ printf '%s\\0' "$@"; printf '\\1'; env -0; printf '\\2'; } >>'${world.dir}/calls'`);
  const result = await world.exec(command, { env });
  const told = world.has("calls") ? world.read("calls") : "";
  const all = told
    .split("\u0002")
    .slice(0, -1)
    .map((call): Call => {
      const [words = "", vars = ""] = call.split("\u0001");
      const pairs = vars.split("\0").map((pair) => [pair.split("=")[0], pair.slice(pair.indexOf("=") + 1)]);
      return { words: words.split("\0").slice(0, -1), env: Object.fromEntries(pairs) };
    });
  return { ...result, calls: all, words: all[0]?.words, env: all[0]?.env ?? {} };
}
