import { expect, test } from "bun:test";
import { judgePast, type PastRow } from "../../lib/rclone/past.ts";

const good = { exit_code: 0 };
const bad = { exit_code: 7 };
const judged = (rows: PastRow[], hasDied = false) => {
  const { isKnown, hadFiles, isUnfinished, files, deletedSince } = judgePast(rows, hasDied);
  return [isKnown, hadFiles, isUnfinished, files, deletedSince];
};

test.each<[string, PastRow[], ReturnType<typeof judged>]>([
  ["nothing is known", [], [false, false, false, undefined, 0]],
  ["a good run", [{ ...good, files: 3, destination_files: 9 }], [true, true, false, 9, 0]],
  ["a good run of an older release", [good], [true, true, false, undefined, 0]],
  [
    "a good run that found nothing",
    [{ ...good, files: 0, destination_files: 0 }],
    [true, false, false, 0, 0],
  ],
  [
    "files came after a run that found nothing",
    [
      { ...good, files: 2 },
      { ...good, files: 0, destination_files: 0 },
    ],
    [true, true, false, undefined, 0],
  ],
  [
    "failures since have deleted some",
    [
      { ...bad, deletes: 2 },
      { ...bad, deletes: null },
      { ...bad, deletes: 1 },
      { ...good, destination_files: 9, deletes: 5 },
    ],
    [true, true, true, 9, 3],
  ],
  ["only failures", [{ ...bad, deletes: 0 }], [true, false, true, undefined, 0]],
  [
    "a dry run is none",
    [{ ...good, dry_run: true, destination_files: 0 }],
    [false, false, false, undefined, 0],
  ],
  ["fields of wrong types", [{ exit_code: "0", deletes: "7", files: {} }], [true, false, true, undefined, 0]],
])("%s", (_, rows, past) => expect(judged(rows)).toEqual(past));

test("a run that died is unfinished, whatever came before it", () => {
  expect(judgePast([good], true).isUnfinished).toBe(true);
});
