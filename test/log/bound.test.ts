/** The run's own log takes so many bytes of what children print, whole lines only, and not one byte more. */

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Log } from "../../lib/log/log.ts";
import { createMask } from "../../lib/mask.ts";
import { World } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

/** Bytes of a log line: longer ones are broken. */
const LINE = 16 * 1024;
/** What restic and rclone may add to the run's own log. */
const BOUND = 64 * 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), "rbh-log-"));
const nowhere = openSync("/dev/null", "w");
afterAll(() => {
  closeSync(nowhere);
  rmSync(folder, { recursive: true });
});

/** A log with a file and no stdout. */
function logTo(path: string): Log {
  const log = new Log("backup", createMask({}));
  log.divert(nowhere);
  log.openFile(path);
  return log;
}

/** Bytes of a log line that are not the child's: stamp, level, worker, name and newline. */
const FRAME = "2026-05-11 09:30:00 INFO  backup  restic | \n".length;
const lineOf = (bytes: number) => "x".repeat(bytes - FRAME);

describe("64 MiB of what restic prints", () => {
  const said =
    /^\S+ \S+ WARN {2}backup {2}restic printed more than 64\.000 MiB; the rest is on stdout only\.$/;
  const warning = (line: string) => said.test(line);

  test.each([
    { over: -1, whole: true },
    { over: 0, whole: true },
    { over: 1, whole: false },
  ])("the last line ends $over bytes behind the bound: in the file $whole", ({ over, whole }) => {
    const path = join(folder, `log-${over}`);
    const log = logTo(path);
    for (let at = 1; at < BOUND / LINE; at++) log.childLine("restic", lineOf(LINE));
    log.childLine("restic", lineOf(LINE + over));
    const before = readFileSync(path, "latin1");
    expect(before.split("\n").filter(warning)).toHaveLength(whole ? 0 : 1);
    const kept = before.split("\n").filter((line) => line !== "" && !warning(line));
    expect(kept.reduce((sum, line) => sum + line.length + 1, 0)).toBe(whole ? BOUND + over : BOUND - LINE);
    // Whatever comes then is left out, and that is said once.
    for (const line of ["short", "x", ""]) log.childLine("restic", line);
    log.closeFile();
    const end = readFileSync(path, "latin1").slice(before.length);
    expect(end.split("\n").filter(warning)).toHaveLength(whole ? 1 : 0);
    expect(end).not.toContain("restic | ");
  });
});

test.each([
  { over: 0, kept: 3 },
  { over: 1, kept: 2 },
])(
  "HOOK_LOG_MAX_BYTES that $over bytes are missing from: $kept lines of 3 are kept",
  async ({ over, kept }) => {
    using world = new World();
    world.restic();
    world.hook("pre-backup", "echo one; echo two; echo three");
    const frame = FRAME + "pre-backup".length - "restic".length;
    const most = 3 * frame + "onetwothree".length - over;
    const { stdout } = await world.run("backup", [], { env: { HOOK_LOG_MAX_BYTES: String(most) } });
    const of = (text: string) => text.split("\n").filter((line) => line.includes("pre-backup | "));
    expect(of(stdout)).toHaveLength(3);
    expect(of(world.read("log/backup-last.log"))).toEqual(of(stdout).slice(0, kept));
    const left = /hook pre-backup: \d+ B more of its lines went to stdout only/;
    expect(left.test(world.read("log/backup-last.log"))).toBe(kept < 3);
  },
);
