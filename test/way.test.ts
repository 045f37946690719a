/** The way of a run through the sources, as test/tools/way.ts counts it. */

import { expect, test } from "bun:test";
import { wayOf } from "./tools/way.ts";

const way = await wayOf();

test("every function says that it is entered: of the start, of a hook, of restic, of the end", () => {
  expect(way.files.slice(0, 3)).toEqual(["main.ts", "lib/workers/index.ts", "lib/cli/dispatch.ts"]);
  for (const file of ["hooks/execute.ts", "restic/restic.ts", "state/history.ts"])
    expect(way.files).toContain(`lib/${file}`);
  expect(
    way.calls.filter(({ file, what }) => file === "lib/cli/dispatch.ts" && /^dispatch:/.test(what)),
  ).toHaveLength(2);
});
