import { describe, expect, test } from "bun:test";
import type { StatusMessage } from "../../lib/restic/messages.ts";
import { barOf, lineOf, percentOf } from "../../lib/restic/progress.ts";

const status = (rest: Partial<StatusMessage>): StatusMessage => ({ message_type: "status", ...rest });
const GIB = 2 ** 30;
const half = status({
  percent_done: 0.4567,
  seconds_elapsed: 100,
  seconds_remaining: 185,
  total_files: 300,
  files_done: 120,
  total_bytes: 2 * GIB,
  bytes_done: GIB,
});

describe("percentOf", () => {
  test.each<[number | undefined, number]>([
    [undefined, 0],
    [0, 0],
    [0.009, 0],
    [0.4567, 45],
    [0.999, 99],
    [1, 100],
    [1.2, 100],
    [-0.1, 0],
  ])("%p", (done, percent) =>
    expect(percentOf(status(done === undefined ? {} : { percent_done: done }))).toBe(percent),
  );
});

test.each<[StatusMessage, string]>([
  [half, "45% done, 1.000 GiB of 2.000 GiB, 10.240 MiB/s, 3m5s left, 120 of 300 files"],
  [status({}), "0% done, 0 B of 0 B"],
  [status({ percent_done: 1, total_bytes: 5, bytes_done: 5 }), "100% done, 5 B of 5 B"],
])("lineOf %j", (message, line) => expect(lineOf(message)).toBe(line));

test.each<[StatusMessage, string]>([
  [half, `[${"#".repeat(14)}${"-".repeat(16)}]  45%  1.000 GiB of 2.000 GiB  10.240 MiB/s  3m5s left`],
  [status({}), `[${"-".repeat(30)}]   0%  0 B of 0 B`],
  [status({ percent_done: 1 }), `[${"#".repeat(30)}] 100%  0 B of 0 B`],
])("barOf %j", (message, bar) => expect(barOf(message)).toBe(bar));
