/** A hook that prints far more than anybody will read: memory stays flat, the run's own log bounded. */

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { statSync } from "node:fs";
import { needing } from "../support/needing.ts";
import { World } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

const MB = 1_000_000;
const MIB = 2 ** 20;

interface Flood {
  readonly print: string;
  readonly bytes: number;
  /** Where the worker's stdout goes: a path, or a file of the world. */
  readonly to: string;
}

/** Runs a backup whose pre-hook floods, and tells what it took. */
async function flooded({ print, bytes, to }: Flood) {
  using it = new World();
  it.restic();
  it.hook("pre-backup", print);
  // The worker is the hook's parent; VmHWM is the most memory that it has ever had.
  it.hook(
    "post-backup",
    `sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$PPID/status > ${it.dir}/peak`,
  );
  const { code, stderr } = await it.exec(["sh", "-c", 'exec "$0" > "$1"', it.link("backup"), to], {
    env: { HOOK_STDOUT_MAX_BYTES: String(1000 * MB) },
  });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  const record = it.record();
  expect(record.hooks[0]).toMatchObject({ exit_code: 0, timed_out: false, output_bytes: bytes });
  const log = it.read("log/backup-last.log");
  expect(log).toContain("backup finished: ok, exit 0");
  expect(log.match(/hook pre-backup: .* more of its lines went to stdout only/g)?.length).toBe(1);
  return {
    peak: Number(it.read("peak")) * 1024,
    logSize: statSync(`${it.log}/backup-last.log`).size,
    // Where it went to a file: how much and how many lines arrived there.
    ...(to.startsWith("/") ? {} : await arrived(it, to)),
  };
}

async function arrived(it: World, path: string) {
  const counted = await it.exec([
    "sh",
    "-c",
    `grep -c 'pre-backup |' ${path}; grep -o 'pre-backup | .*' ${path} | cut -c 14- | tr -d '\\n' | wc -c`,
  ]);
  const [lines, characters] = counted.stdout.trim().split(/\s+/).map(Number);
  return { lines, characters };
}

/** One line without end of `bytes` characters. */
const line = (bytes: number) => `head -c ${bytes} /dev/zero | tr '\\0' x`;

describe("memory stays below 100 MiB, the log below its bound and a page", () => {
  test.each<[string, Flood]>([
    [
      "300 MB, binary, one line without end",
      { print: `head -c ${300 * MB} /dev/urandom | tr '\\n' '\\0'`, bytes: 300 * MB, to: "/dev/null" },
    ],
    ["300 MB of text, one line without end", { print: line(300 * MB), bytes: 300 * MB, to: "/dev/null" }],
    [
      "100 MB of the shortest lines",
      { print: `yes | head -c ${100 * MB}`, bytes: 100 * MB, to: "/dev/null" },
    ],
    [
      "20 MB of progress bars",
      { print: `yes 'a bar' | tr '\\n' '\\r' | head -c ${20 * MB}`, bytes: 20 * MB, to: "/dev/null" },
    ],
  ])("%s", async (_, flood) => {
    const { peak, logSize } = await flooded(flood);
    expect(peak).toBeGreaterThan(10 * MIB);
    expect(peak).toBeLessThan(100 * MIB);
    expect(logSize).toBeLessThan(MIB + 4096);
  });

  test("300 MB in one line into a file: all of it arrives", async () => {
    const { peak, logSize, lines, characters } = await flooded({
      print: line(300 * MB),
      bytes: 300 * MB,
      to: "out",
    });
    expect({ lines, characters }).toEqual({ lines: Math.ceil((300 * MB) / 16_384), characters: 300 * MB });
    expect(peak).toBeLessThan(100 * MIB);
    expect(logSize).toBeLessThan(MIB + 4096);
  });

  test("20 MB of the shortest lines into a file: all of them arrive", async () => {
    const { peak, lines, characters } = await flooded({
      print: `yes | head -c ${20 * MB}`,
      bytes: 20 * MB,
      to: "out",
    });
    expect({ lines, characters }).toEqual({ lines: 10 * MB, characters: 10 * MB });
    expect(peak).toBeLessThan(100 * MIB);
  });
});

test("a hook that prints for ever fills no disk: stdout gets 64 MiB, and the last line about it says what was left out", async () => {
  using it = new World();
  it.restic();
  it.hook("pre-backup", "yes");
  it.env.HOOK_TIMEOUT_PRE_BACKUP = "3";
  const { code } = await it.exec(["sh", "-c", 'exec "$0" > out', it.link("backup")]);
  expect(code).toBe(0);
  expect(statSync(`${it.dir}/out`).size).toBeGreaterThan(63 * MIB);
  expect(statSync(`${it.dir}/out`).size).toBeLessThan(64 * MIB + 4096);
  const { stdout } = await it.exec(["sh", "-c", "grep -v 'pre-backup |' out"]);
  const said = stdout.split("\n").filter((line) => line.includes("of its lines"));
  expect(said).toEqual([
    expect.stringMatching(
      / INFO {2}backup {2}hook pre-backup: 63\.\d+ MiB more of its lines went to stdout only/,
    ),
    expect.stringMatching(
      / WARN {2}backup {2}hook pre-backup printed too much: \d+\.\d+ [MG]iB of its lines were left out on stdout \(HOOK_STDOUT_MAX_BYTES=67108864\)/,
    ),
  ]);
  expect(stdout).toContain("backup finished: ok, exit 0");
});

needing("python3").test("a slow reader of stdout slows the hook down, and nothing is lost", async () => {
  using it = new World();
  it.restic();
  it.hook("pre-backup", "seq 300000");
  const slowly = `import sys, time
lines = 0
while chunk := sys.stdin.buffer.read1(1 << 16):
    lines += chunk.count(10)
    time.sleep(0.002)
print(lines)`;
  const { code, stdout } = await it.exec(["sh", "-c", '"$0" | python3 -c "$1"', it.link("backup"), slowly]);
  const others = it
    .read("log/backup-last.log")
    .split("\n")
    .filter((line) => line !== "" && !line.includes("pre-backup | "));
  // One line more in its own log: no post-hook.
  expect({ code, lines: Number(stdout) }).toEqual({ code: 0, lines: 300_000 + others.length - 1 });
});

test("a reader of stdout that goes away costs neither the backup nor the run's own log", async () => {
  using it = new World();
  it.restic("exit 3");
  it.hook("pre-backup", "seq 100000");
  await it.exec([
    "sh",
    "-c",
    '{ "$0"; echo $? >"$1"; } | head -n 1 >/dev/null',
    it.link("backup"),
    `${it.dir}/code`,
  ]);
  expect(it.read("code")).toBe("3\n");
  expect(it.record()).toMatchObject({
    exit_code: 3,
    status: "warning",
    hooks: [{ exit_code: 0, output_bytes: 588_895 }],
  });
  expect(it.read("log/backup-last.log")).toContain("stdout cannot be written any more: ");
  expect(it.read("log/backup-last.log")).toContain("backup finished: warning, exit 3");
});
