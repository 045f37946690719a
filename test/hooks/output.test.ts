/** A hook's words on their way into the log. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { World } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

/** What the run logged under the hook's name, on stdout and in its own file. */
async function outputOf(body: string, env: Record<string, string> = {}, hookFile?: string) {
  using it = new World();
  it.restic();
  if (hookFile === undefined) it.hook("pre-backup", body);
  else it.file("hooks/pre-backup.sh", hookFile, 0o755);
  const { code, stdout, stderr } = await it.run("backup", [], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const log = it.read("log/backup-last.log");
  return { lines: said(stdout), inFile: said(log), log, stdout, hook: it.record().hooks[0] };
}

/** The hook's own words; each line of the log must be complete. */
function said(log: string): string[] {
  const lines = log.trimEnd().split("\n");
  for (const line of lines)
    expect(line).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d (INFO |WARN |ERROR) backup {2}/);
  return lines.flatMap((line) => /INFO {2}backup {2}pre-backup \| (.*)$/.exec(line)?.[1] ?? []);
}

test("stdout and stderr keep the order in which they were written", async () => {
  const { lines } = await outputOf(
    "i=0; while [ $i -lt 3000 ]; do echo $i; echo $((i+1)) >&2; i=$((i+2)); done",
  );
  expect(lines).toEqual(Array.from({ length: 3000 }, (_, i) => String(i)));
});

test("of several processes too, when each line is one write", async () => {
  const count = 'count() { n=0; while [ $n -lt 2000 ]; do echo "$1 $n"; n=$((n+1)); done; }';
  const { lines } = await outputOf(`${count}; for i in 1 2 3; do count out$i & count err$i >&2 & done; wait`);
  expect(lines.length).toBe(12_000);
  expect(new Set(lines).size).toBe(12_000);
});

describe("what is printed", () => {
  test.each<[string, string, string[]]>([
    ["no newline at the end", "printf 'one\\ntwo'", ["one", "two"]],
    ["empty lines", "printf '\\n\\nx\\n'", ["", "", "x"]],
    ["blanks", "printf ' \\t x \\n'", [" \t x "]],
    ["UTF-8", "echo 'ä € 😀'", ["ä € 😀"]],
    ["UTF-8 in pieces", "printf '\\360\\237'; sleep 0.2; printf '\\230\\200\\n'", ["😀"]],
    ["invalid UTF-8", "printf 'a\\377b\\303\\n'", ["a\ufffdb\ufffd"]],
    ["colours", "printf '\\033[31mred\\033[0m\\n'", ["\\x1b[31mred\\x1b[0m"]],
    ["a progress bar", "printf '10%%\\r20%%\\r\\n'", ["10%\\r20%"]],
    ["DOS lines", "printf 'one\\r\\ntwo\\r\\n'", ["one", "two"]],
    ["NUL, bell and delete", "printf '\\000\\007\\177\\n'", ["\\x00\\x07\\x7f"]],
    [
      "a line that imitates the log",
      "echo '2026-05-11 09:30:00 ERROR backup  all is lost'",
      ["2026-05-11 09:30:00 ERROR backup  all is lost"],
    ],
    [
      "two lines in one write",
      "printf 'one\\n2026-05-11 09:30:00 INFO  backup  forged\\n'",
      ["one", "2026-05-11 09:30:00 INFO  backup  forged"],
    ],
    ["nothing", ":", []],
  ])("%s", async (_, body, lines) => {
    const output = await outputOf(body);
    expect(output.lines).toEqual(lines);
    expect(output.inFile).toEqual(lines);
  });

  test("is counted in the bytes that the hook wrote", async () => {
    expect((await outputOf("printf '\\000\\377ä\\n'")).hook.output_bytes).toBe(5);
  });
});

test.each([16_383, 16_384, 16_385, 40_000])(
  "a line of %d characters is broken after 16 KiB each",
  async (length) => {
    const { lines } = await outputOf(`head -c ${length} /dev/zero | tr '\\0' x; echo; echo next`);
    expect(lines.map((line) => line.length)).toEqual([
      ...Array.from({ length: Math.ceil(length / 16_384) }, (_, i) => Math.min(16_384, length - i * 16_384)),
      "next".length,
    ]);
  },
);

describe("HOOK_LOG_MAX_BYTES", () => {
  /** Bytes of the log lines of `lines`. */
  const size = (log: string) =>
    Buffer.byteLength(
      log
        .split("\n")
        .filter((line) => line.includes("pre-backup |"))
        .join("\n"),
    ) + 1;

  test("bounds what the run's own log takes; stdout gets all of it, and the rest is counted in one line", async () => {
    const { lines, inFile, log, stdout } = await outputOf("seq 20000", { HOOK_LOG_MAX_BYTES: "50000" });
    expect(lines).toEqual(Array.from({ length: 20_000 }, (_, i) => String(i + 1)));
    expect(inFile).toEqual(lines.slice(0, inFile.length));
    expect(size(log)).toBeLessThanOrEqual(50_000);
    expect(size(log)).toBeGreaterThan(49_900);
    for (const text of [log, stdout]) {
      expect(text.match(/hook pre-backup: .* more of its lines went to stdout only.*/g)).toEqual([
        expect.stringMatching(/^hook pre-backup: \d+\.\d+ KiB more .* \(HOOK_LOG_MAX_BYTES=50000\)\.$/),
      ]);
    }
    // Only the hook's words are bounded.
    expect(log).toContain("backup finished: ok");
  });

  test("0 keeps all of it out, after a long line no short one slips in, and each hook has its own bound", async () => {
    const none = await outputOf("echo one", { HOOK_LOG_MAX_BYTES: "0" });
    expect({ lines: none.lines, inFile: none.inFile }).toEqual({ lines: ["one"], inFile: [] });
    const body = "echo one; head -c 3000 /dev/zero | tr '\\0' x; echo; echo two";
    expect((await outputOf(body, { HOOK_LOG_MAX_BYTES: "2000" })).inFile).toEqual(["one"]);
  });

  test.each([
    ["1000", "50000", 1000, 50_000],
    ["50000", "1000", 50_000, 1000],
    ["0", "0", 0, 0],
    ["100", "0", 100, 0],
  ])(
    "of %s bytes, HOOK_STDOUT_MAX_BYTES of %s: each place has its own bound, and all is accounted for",
    async (log, out, inLog, onStdout) => {
      const { inFile, lines, stdout } = await outputOf("seq 19000", {
        HOOK_LOG_MAX_BYTES: log,
        HOOK_STDOUT_MAX_BYTES: out,
      });
      const frame = "2026-05-11 09:30:00 INFO  backup  pre-backup | \n".length;
      const sizeOf = (words: readonly string[]) => words.reduce((sum, word) => sum + word.length + frame, 0);
      const all = Array.from({ length: 19_000 }, (_, n) => String(n + 1));
      expect(inFile).toEqual(all.slice(0, inFile.length));
      expect(lines).toEqual(all.slice(0, lines.length));
      for (const [kept, most] of [
        [inFile, inLog],
        [lines, onStdout],
      ] as const) {
        expect(sizeOf(kept)).toBeLessThanOrEqual(most);
        expect(sizeOf(kept)).toBeGreaterThan(most - frame - 6);
      }
      const left = ((sizeOf(all) - sizeOf(lines)) / 1024).toFixed(3);
      expect(stdout).toContain(`printed too much: ${left} KiB of its lines were left out on stdout`);
    },
  );

  test("a hook that stays below it is not spoken of", async () => {
    const { log } = await outputOf("seq 100");
    expect(log).not.toContain("of its lines");
  });
});
