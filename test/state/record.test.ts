/** A record is read again, if it is one. */

import { expect, test } from "bun:test";
import { readRecord } from "../../lib/state/record.ts";
import { World } from "../support/world.ts";

test("what is too large for a record is not read into memory as one", () => {
  using world = new World();
  const record = { started_epoch: 1, finished_epoch: 2, exit_code: 0, status: "ok" };
  const write = (bytes: number) => {
    const text = JSON.stringify({ ...record, pad: "" });
    return world.file("log/last-backup.json", text.replace('""', `"${"x".repeat(bytes - text.length)}"`));
  };
  const most = 4 * 2 ** 20;
  expect(readRecord(write(most))).toMatchObject({ size: most, record });
  const found = readRecord(write(most + 1));
  expect(found?.record).toBeUndefined();
  expect(found?.problem).toBe(`it is larger than ${most} bytes`);
});
