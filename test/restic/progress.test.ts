import { describe, expect, test } from "bun:test";
import type { StatusMessage } from "../../lib/restic/messages.ts";
import { formatBar, formatStatus, percentOf } from "../../lib/restic/progress.ts";

const GIB = 2 ** 30;
const status = (fields: Partial<StatusMessage>): StatusMessage => ({ message_type: "status", ...fields });
const half = status({
  percent_done: 0.4567,
  bytes_done: 1.25 * GIB,
  total_bytes: 2.75 * GIB,
  seconds_remaining: 185,
  files_done: 120,
  total_files: 300,
});
const rate = 12.3 * 2 ** 20;
const plain = { rate, columns: 120, colour: false };

describe("formatBar", () => {
  const bars: [what: string, status: StatusMessage, style: Partial<typeof plain>, text: string][] = [
    [
      "a wide terminal",
      half,
      {},
      "[#############-----------------]  45%  1.250 of 2.750 GiB   12.300 MiB/s  3m5s left",
    ],
    [
      "80 columns",
      half,
      { columns: 80 },
      "[##########--------------]  45%  1.250 of 2.750 GiB   12.300 MiB/s  3m5s left",
    ],
    ["no room for a bar", half, { columns: 60 }, "45%  1.250 of 2.750 GiB   12.300 MiB/s  3m5s left"],
    ["hardly any room", half, { columns: 20 }, "45%  1.250 of 2.750"],
    [
      "colour",
      half,
      { columns: 80, colour: true },
      "[\x1b[32m##########\x1b[0;2m--------------\x1b[0m]  45%  1.250 of 2.750 GiB   12.300 MiB/s  3m5s left",
    ],
    [
      "nothing known",
      status({}),
      { columns: 80 },
      "[------------------------------]   0%  0 of 0 B   12.300 MiB/s",
    ],
    [
      "all read",
      status({ percent_done: 1, bytes_done: GIB, total_bytes: GIB }),
      {},
      "[##############################] 100%  1.000 of 1.000 GiB  storing the rest",
    ],
  ];
  test.each(bars)("with %s", (_, message, style, text) => {
    expect(formatBar(message, { ...plain, ...style })).toBe(text);
  });

  test("never fills the terminal's line, and keeps its place while numbers grow", () => {
    for (let columns = 1; columns <= 200; columns++) {
      const widths = [0, 0.001, 0.1, 0.5, 0.9].map((done) => {
        const message = status({
          percent_done: done,
          bytes_done: done * GIB,
          total_bytes: GIB,
          seconds_remaining: 60,
        });
        const bar = formatBar(message, { rate: done * 900 * 2 ** 20, columns, colour: false });
        expect(bar.length).toBeLessThan(Math.max(columns, 1));
        return bar.indexOf("]");
      });
      expect(new Set(widths).size).toBe(1);
    }
  });

  test("without a rate shows none", () => {
    expect(formatBar(half, { rate: undefined, columns: 100, colour: false })).not.toContain("/s");
  });
});

test("formatStatus", () => {
  expect(formatStatus(half, rate)).toBe(
    "45% done, 1.250 of 2.750 GiB, 12.300 MiB/s, 3m5s left, 120 of 300 files",
  );
  expect(formatStatus(status({}), undefined)).toBe("0% done, 0 of 0 B");
});

test.each([
  [undefined, 0],
  [0, 0],
  [0.999, 99],
  [1, 100],
  [1.2, 100],
  [-1, 0],
])("percentOf %p is %p", (percent_done, percent) => {
  expect(percentOf(status(percent_done === undefined ? {} : { percent_done }))).toBe(percent);
});
