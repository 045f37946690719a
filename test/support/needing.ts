/**
 * `describe` and `test` for what cannot run without programs that a machine may lack: where one is missing they are
 * skipped, and its name stands behind theirs. `beforeAll` and `afterAll` then do nothing.
 *
 *   const { beforeAll, test } = needing("restic", "python3");
 */

import * as bun from "bun:test";
import { rclones, restics } from "./restics.ts";

type Kit = Pick<typeof bun, "describe" | "test" | "beforeAll" | "afterAll">;

export function needing(...programs: string[]): Kit {
  const missing = programs.filter((program) => !isThere(program));
  if (missing.length === 0) return bun;
  const why = `(needs ${missing.join(", ")})`;
  const nothing = () => {};
  return {
    describe: skipping(bun.describe, why),
    test: skipping(bun.test, why),
    beforeAll: nothing,
    afterAll: nothing,
  };
}

/** The same in any other place. */
export const lacks = (...programs: string[]): boolean => !programs.every(isThere);

/** restic and rclone may be those that test/tools/restics has fetched. */
function isThere(program: string): boolean {
  if (program === "restic") return restics.length > 0;
  if (program === "rclone") return rclones.length > 0;
  return Bun.which(program) !== null;
}

/** With all that may stand behind its name: a table of cases is skipped as one. */
function skipping<T extends typeof bun.describe | typeof bun.test>(base: T, why: string): T {
  const skip = (name: string) => base.skip(`${name} ${why}`, () => {});
  const same = () => skip;
  return Object.assign(skip, {
    each: same,
    if: same,
    skipIf: same,
    skip,
    concurrent: skip,
    serial: skip,
  }) as unknown as T;
}
