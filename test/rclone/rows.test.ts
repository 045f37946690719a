import { expect, test } from "bun:test";
import { type JobRow, parseRows } from "../../lib/rclone/rows.ts";

const row = (source: string, destination: string, mode: JobRow["mode"] = "bisync", extra: string[] = []) => ({
  line: 1,
  source,
  destination,
  mode,
  extra,
});

test.each<[string, JobRow]>([
  ["/a;/b", row("/a", "/b")],
  ["/a;/b;", row("/a", "/b")],
  ["/a;/b;;", row("/a", "/b")],
  ["/a;/b;sync", row("/a", "/b", "sync")],
  ["/a;/b;COPY", row("/a", "/b", "copy")],
  ["  /a ;\t/b ; copy ; ", row("/a", "/b", "copy")],
  ["/a b/c;remote:d e;copy", row("/a b/c", "remote:d e", "copy")],
  ["/a#b;/c # d;copy", row("/a#b", "/c # d", "copy")],
  ["/a;/b;;--bwlimit 1M", row("/a", "/b", "bisync", ["--bwlimit", "1M"])],
  [
    `/a;/b;copy;--exclude 'x y' --include "z;w"`,
    row("/a", "/b", "copy", ["--exclude", "x y", "--include", "z;w"]),
  ],
  ["/a;/b;copy;--exclude a\\;b", row("/a", "/b", "copy", ["--exclude", "a;b"])],
  ["/a;/b;copy;--suffix ' '", row("/a", "/b", "copy", ["--suffix", " "])],
  ["\ufeff/a;/b", row("/a", "/b")],
  ["\u00a0/a;/b", row("\u00a0/a", "/b")],
  [":s3,provider=AWS:bucket;:memory:", row(":s3,provider=AWS:bucket", ":memory:")],
  ["münchen;ü:ö", row("münchen", "ü:ö")],
])("row %j", (text, expected) => expect(parseRows(text)).toEqual({ rows: [expected], malformed: [] }));

test.each<[string, string]>([
  ["/a", "SOURCE;DESTINATION is expected, and it has no ;"],
  [";/b", "the source is missing"],
  ["/a;", "the destination is missing"],
  ["/a; ;copy", "the destination is missing"],
  ["-a;/b", "the source begins with a dash, as flags do; write ./-a"],
  ["/a;--b", "the destination begins with a dash, as flags do; write ./--b"],
  ["/a\0;/b", "the source holds a NUL character"],
  ["/a;/\ufffd", "the destination is not UTF-8"],
  ["/a;/b;snyc", 'unknown mode "snyc" (bisync, sync, copy); did you mean sync?'],
  ["/a;/b;move", 'unknown mode "move" (bisync, sync, copy)'],
  ["/a;/b;--dry-run", 'unknown mode "--dry-run" (bisync, sync, copy)'],
  ["/a;/b;copy;--x;--y", "it has more than four fields; put a ; that belongs to EXTRA in quotes"],
  ["/a;/b;copy;;", "it has more than four fields; put a ; that belongs to EXTRA in quotes"],
  [
    "/a;/b;copy;--x 'y",
    "in EXTRA, the ' at character 5 is never closed: close it, or write \\' for a literal one",
  ],
])("malformed %j", (text, why) => {
  const { rows, malformed } = parseRows(`\n${text}\n/c;/d\n`);
  expect(rows).toEqual([{ ...row("/c", "/d"), line: 3 }]);
  expect(malformed).toEqual([{ line: 2, text: expect.any(String), why }]);
});

test.each(["", "\n\n", "# only\r\n  # comments\r\n", "\ufeff", " \t "])("no rows in %j", (text) =>
  expect(parseRows(text)).toEqual({ rows: [], malformed: [] }),
);

test.each(["\n", "\r\n", "\r"])("lines that end in %j", (end) => {
  const text = ["\ufeff# first", "/a;/b", "", "oops", "/c;/d;sync;--x"].join(end);
  expect(parseRows(text)).toEqual({
    rows: [
      { ...row("/a", "/b"), line: 2 },
      { ...row("/c", "/d", "sync", ["--x"]), line: 5 },
    ],
    malformed: [{ line: 4, text: "oops", why: "SOURCE;DESTINATION is expected, and it has no ;" }],
  });
});

test.each([
  ["/a;/b;--sftp-pass=supersecret", "unknown mode (bisync, sync, copy)"],
  ["/a;--sftp-pass 'super secret'", "the destination begins with a dash, as flags do; write ./ before it"],
  ['/b;:s3,pass="a,secret;with,more":b;copy', "unknown mode (bisync, sync, copy)"],
])("what is wrong with %j is said without credentials", (text, why) => {
  expect(parseRows(text).malformed[0]?.why).toBe(why);
});

test("a malformed row is shown without EXTRA and without credentials", () => {
  const text = ":s3,secret_access_key=topsecretvalue:b;/b;snyc;--s3-session-token anothersecret";
  expect(parseRows(text).malformed[0]?.text).toBe(":s3,secret_access_key=***:b;/b;snyc;…");
});
