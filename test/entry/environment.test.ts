import { expect, test } from "bun:test";
import { withNewNames } from "../../lib/entry/start.ts";

test.each([
  [{}, {}, []],
  [{ SYNC_CRON: "" }, { SYNC_CRON: "" }, []],
  [
    { SYNC_CRON: "a", OTHER: "b" },
    { REPLICATE_CRON: "a", OTHER: "b" },
    ["SYNC_CRON is the old name of REPLICATE_CRON and still works. Rename it."],
  ],
  [
    { SYNC_JOB_FILE: "a", REPLICATE_JOB_FILE: "b" },
    { REPLICATE_JOB_FILE: "b" },
    ["SYNC_JOB_FILE has no effect: REPLICATE_JOB_FILE is set, and SYNC_JOB_FILE is its old name. Remove it."],
  ],
  [
    { SYNC_VERBOSE: "OFF", REPLICATE_VERBOSE: "" },
    { REPLICATE_VERBOSE: "OFF" },
    ["SYNC_VERBOSE is the old name of REPLICATE_VERBOSE and still works. Rename it."],
  ],
])("%j", (env, wanted, warnings) => {
  expect(withNewNames(env)).toEqual({ env: wanted, warnings });
});
