/** The way of a run through the sources, as test/tools/way.ts counts it. */

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { wayOf } from "./tools/way.ts";

const way = await wayOf();

test("every function says that it is entered: of the start, of a hook, of restic, of the end", () => {
  expect(way.files.slice(0, 3)).toEqual(["main.ts", "lib/cli/dispatch.ts", "lib/run/command.ts"]);
  for (const file of ["hooks/execute.ts", "restic/restic.ts", "state/history.ts"])
    expect(way.files).toContain(`lib/${file}`);
  const dispatched = way.calls.filter(
    ({ file, what }) => file === "lib/cli/dispatch.ts" && /^dispatch:/.test(what),
  );
  expect(dispatched).toHaveLength(2);
});

test("the README's map names the files in the order in which a run visits them", () => {
  const readme = readFileSync(join(import.meta.dir, "../README.md"), "utf8");
  const [, map = ""] = /<!-- the way of a run -->([\s\S]*?)<!-- end -->/.exec(readme) ?? [];
  const named = [...map.matchAll(/`([^`]+\.ts)`/g)].map(([, name = ""]) => name);
  expect(named.map((name) => (name === "main.ts" ? name : `lib/${name}`))).toEqual([...way.files]);
});

test("nothing is found out twice: one Settings, one mask, one look at the repository, one environment for its hooks", () => {
  const entered = (file: string, name: string) =>
    way.calls.filter((call) => call.file === `lib/${file}` && call.what.startsWith(`${name}:`)).length;
  expect({
    context: entered("context.ts", "Context"),
    repository: entered("context.ts", "resolveRepository"),
    settings: entered("config/settings.ts", "Settings"),
    mask: entered("mask.ts", "createMask"),
    hooks: entered("hooks/execute.ts", "hookEnvironment"),
  }).toEqual({ context: 1, repository: 1, settings: 1, mask: 1, hooks: 1 });
});

/** The goal that was set for it. Some changes more or less (396 seen) are chance: chunks, timers. */
const LIMITS = { files: 40, changes: 400 };

test("the way is no longer than it may be", () => {
  expect(way.files.length).toBeLessThanOrEqual(LIMITS.files);
  expect(way.changes).toBeLessThanOrEqual(LIMITS.changes);
});
