import { describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  appendHistory,
  historyPath,
  newestRuns,
  readHistoryEnd,
  trimHistory,
} from "../../lib/state/history.ts";
import { World, waitFor } from "../support/world.ts";

// As long as `make test` gives every test: a busy machine needs more than five seconds here.
setDefaultTimeout(60_000);

class Folder {
  readonly path = mkdtempSync(join(tmpdir(), "rbh-history-"));

  get text(): string {
    return readFileSync(historyPath(this.path), "utf8");
  }

  /** Every line, parsed: one that does not parse fails the test. */
  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects of a line
  get lines(): any[] {
    expect(this.text).toEndWith("\n");
    return this.text
      .slice(0, -1)
      .split("\n")
      .map((line) => JSON.parse(line));
  }

  fill(count: number): void {
    const lines = Array.from({ length: count }, (_, n) => `${JSON.stringify({ id: `old-${n}` })}\n`);
    writeFileSync(historyPath(this.path), lines.join(""));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

describe("trimming", () => {
  test.each([
    [5, 1, 5, 1],
    [5, 5, 5, 5],
    [5, 6, 5, 5],
    [5, 300, 5, 5],
    [0, 3, 1, 1],
    [499, 500, 499, 499],
    // A fiftieth late where it is long, then down to the limit.
    [1000, 1020, 1000, 1020],
    [1000, 1021, 1000, 1000],
  ])("HISTORY_MAX_RUNS=%p with %p lines", async (most, there, _, left) => {
    using folder = new Folder();
    folder.fill(there);
    await trimHistory(folder.path, most, process.env);
    const newest = Array.from({ length: left }, (_, n) => ({ id: `old-${there - left + n}` }));
    expect(folder.lines).toEqual(newest);
    expect(readdirSync(folder.path).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("skips take no run's place, and have the same bound of their own", async () => {
    using folder = new Folder();
    const line = (id: number, status: string) =>
      `${JSON.stringify({ id, status, rows: [{ status: "skipped" }] })}\n`;
    const lines = Array.from({ length: 300 }, (_, n) => line(n, n % 30 === 0 ? "ok" : "skipped"));
    writeFileSync(historyPath(folder.path), lines.join(""));
    await trimHistory(folder.path, 5, process.env);
    expect(folder.lines.map(({ id }) => id)).toEqual([150, 180, 210, 240, 270, 295, 296, 297, 298, 299]);
    // A run that died counts as one, what is torn as none.
    appendFileSync(historyPath(folder.path), `{"id":1,"st\n${line(300, "died")}`);
    await trimHistory(folder.path, 5, process.env);
    expect(folder.lines.map(({ id }) => id)).toEqual([180, 210, 240, 270, 295, 296, 297, 298, 299, 300]);
  });

  test("a history of 300 MB takes little memory, to trim it and to read its end", async () => {
    using world = new World();
    world.restic();
    // A short history is counted by every run.
    world.env.HISTORY_MAX_RUNS = "100";
    const status = world.link("status");
    const peakOf = async (words: readonly string[]) => {
      const child = Bun.spawn([...words], { env: world.env, stdout: "pipe", stderr: "pipe" });
      expect(await child.exited).toBe(0);
      return (child.resourceUsage()?.maxRSS ?? Number.POSITIVE_INFINITY) / 2 ** 20;
    };
    const backup = world.link("backup");
    const [bare, bareStatus] = [await peakOf([backup]), await peakOf([status, "--history"])];
    const [line = ""] = world.read("log/history.jsonl").split("\n");
    const block = `${line}\n`.repeat(Math.ceil(1_000_000 / line.length));
    const path = join(world.log, "history.jsonl");
    for (let n = 0; n < 300; n++) appendFileSync(path, block);
    expect(await peakOf([status, "--history"])).toBeLessThan(bareStatus + 100);
    expect(await peakOf([status])).toBeLessThan(bareStatus + 100);
    expect(statSync(path).size).toBeGreaterThan(300_000_000);
    expect(await peakOf([backup])).toBeLessThan(bare + 100);
    expect(world.history()).toHaveLength(100);
  });

  test("a long one is counted when it has grown into another block of 16 KiB", async () => {
    using folder = new Folder();
    folder.fill(2000);
    const size = statSync(historyPath(folder.path)).size;
    await trimHistory(folder.path, 1000, process.env, size - (size % 16_384));
    expect(folder.lines).toHaveLength(2000);
    await trimHistory(folder.path, 1000, process.env, size - (size % 16_384) - 1);
    expect(folder.lines).toHaveLength(1000);
  });

  test("drops what a full disk has left of a line, and keeps a line of its own for the next", async () => {
    using folder = new Folder();
    writeFileSync(historyPath(folder.path), '{"id":1}\n{"id":2,"a":{"b":3}');
    await appendHistory(folder.path, { id: 4 }, process.env);
    expect(folder.text).toBe('{"id":1}\n{"id":2,"a":{"b":3}\n{"id":4}\n');
    await trimHistory(folder.path, 2, process.env);
    expect(folder.lines).toEqual([{ id: 1 }, { id: 4 }]);
  });

  test("a trimmer that was killed: its file is removed, the line stands once, nothing waits", async () => {
    using folder = new Folder();
    folder.fill(3);
    writeFileSync(join(folder.path, "history.jsonl.tmp"), '{"id":"old-2"}\n{"id":"ol');
    await appendHistory(folder.path, { id: "new" }, process.env);
    expect(folder.lines.map(({ id }) => id)).toEqual(["old-0", "old-1", "old-2", "new"]);
    expect(readdirSync(folder.path)).not.toContain("history.jsonl.tmp");
  });

  test("a history that cannot be cut is not damaged", async () => {
    using folder = new Folder();
    folder.fill(9);
    mkdirSync(join(folder.path, "history.jsonl.tmp"));
    const before = folder.text;
    await expect(trimHistory(folder.path, 3, process.env)).rejects.toThrow();
    expect(folder.text).toBe(before);
  });
});

test("the newest of it", () => {
  using folder = new Folder();
  expect(newestRuns(folder.path, 10)).toEqual([]);
  expect(readHistoryEnd(folder.path, 1000)).toEqual([]);
  folder.fill(3);
  expect(newestRuns(folder.path, 2)).toEqual(['{"id":"old-1"}', '{"id":"old-2"}']);
  expect(newestRuns(folder.path, 9)).toHaveLength(3);
  expect(readHistoryEnd(folder.path, 30)).toEqual(['{"id":"old-2"}']);
  const skip = '{"id":"skip","status":"skipped"}\n';
  appendFileSync(historyPath(folder.path), skip.repeat(50_000));
  expect(newestRuns(folder.path, 2)).toEqual(['{"id":"old-1"}', '{"id":"old-2"}']);
  expect(readHistoryEnd(folder.path, 10 * skip.length)).toHaveLength(9);
});

describe("many at once", () => {
  test("two hundred lines of ten writers that are killed at random while everybody trims", async () => {
    using folder = new Folder();
    // More than the last 200 noted: a line may be noted long after others that were appended behind it.
    const most = 480;
    folder.fill(most);
    const notes = join(folder.path, "notes");
    writeFileSync(notes, "");
    let writers = 0;
    let kills = 0;
    const noted = () => readFileSync(notes, "utf8").split("\n").filter(Boolean);
    const enough = () => noted().length >= 200;

    const keepWriting = async () => {
      while (!enough()) {
        const name = `w${writers++}`;
        const writer = Bun.spawn(
          [
            process.execPath,
            join(import.meta.dir, "../support/history-writer.ts"),
            folder.path,
            name,
            "20",
          ].concat([String(most), notes]),
          { stdout: "inherit", stderr: "inherit" },
        );
        // Two in three are killed, somewhere in their work.
        if (Math.random() < 0.66) {
          const lines = Math.floor(Math.random() * 20);
          await waitFor(
            () =>
              noted().filter((id) => id.startsWith(`${name}-`)).length >= lines || writer.exitCode !== null,
            `${lines} lines of ${name}`,
            30_000,
          );
          await Bun.sleep(Math.random() * 10);
          if (writer.exitCode === null) kills++;
          writer.kill("SIGKILL");
          await writer.exited;
        } else {
          expect(await writer.exited).toBe(0);
        }
      }
    };
    await Promise.all(Array.from({ length: 10 }, keepWriting));

    await appendHistory(folder.path, { id: "last" }, process.env);
    await trimHistory(folder.path, most, process.env);
    const ids: string[] = folder.lines.map(({ id }) => id);
    expect(kills).toBeGreaterThan(3);
    expect(ids.length).toBe(most);
    expect(new Set(ids).size).toBe(most);
    expect(
      noted()
        .slice(-200)
        .filter((id) => !ids.includes(id)),
    ).toEqual([]);
    expect(ids.at(-1)).toBe("last");
  });

  test("two hundred runs of the binary in ten processes, a third of them killed", async () => {
    using world = new World();
    world.restic("echo busy");
    const finished: string[] = [];
    let killed = 0;
    const envOf = (n: number) => ({ LOCK_DIR: world.folder(`lock-${n}`), HISTORY_MAX_RUNS: "150" });
    const live = async (n: number) => {
      const env = envOf(n);
      for (let turn = 0; turn < 20; turn++) {
        const child = world.start("backup", [], { env });
        const id = new Response(child.stdout).text().then((text) => /run (backup-\S+-\d+),/.exec(text)?.[1]);
        if (Math.random() < 0.33) {
          await Bun.sleep(Math.random() * 60);
          child.kill("SIGKILL");
        }
        const code = await child.exited;
        if (code === 0) finished.push((await id) ?? "no run id");
        else killed++;
        if (code !== 0) expect(child.signalCode).toBe("SIGKILL");
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, n) => live(n)));

    // Whoever was killed last in a folder is found dead by the run after it.
    for (let n = 0; n < 10; n++) {
      const { code } = await world.run("backup", [], { env: envOf(n) });
      expect(code).toBe(0);
    }
    const lines = world.history();
    const ok = lines.filter(({ status }) => status === "ok").map(({ run_id }) => run_id);
    const died = lines.filter(({ status }) => status === "died").map(({ run_id }) => run_id);
    expect(killed).toBeGreaterThan(5);
    expect(new Set(ok).size).toBe(ok.length);
    expect(new Set(died).size).toBe(died.length);
    expect(died.filter((id) => ok.includes(id))).toEqual([]);
    // Of the newest hundred that ended by themselves none is missing.
    expect(finished.slice(-100).filter((id) => !ok.includes(id))).toEqual([]);
    expect(lines.length).toBeLessThanOrEqual(150);
  });
});

test("HISTORY_MAX_RUNS holds for real runs and skips, and the newest is the last line", async () => {
  using world = new World();
  world.restic();
  for (let n = 0; n < 4; n++) await world.run("backup", [], { env: { HISTORY_MAX_RUNS: "3" } });
  expect(world.history().map(({ run_id }) => run_id)).toEqual(
    expect.arrayContaining([world.record().run_id]),
  );
  expect(world.history()).toHaveLength(3);
  expect(world.history().at(-1)).toEqual(world.record());
});

test("a history that cannot be written is said and changes nothing", async () => {
  using world = new World();
  world.restic();
  world.folder("log/history.jsonl");
  const { code, stdout, stderr } = await world.run("backup");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain(`WARN  backup  ${world.log}/history.jsonl cannot be written: it is a directory.`);
  expect(world.record()).toMatchObject({ status: "ok" });
});

test("a run that was killed after its last word did not die without a record", async () => {
  using world = new World();
  world.restic("exit 1");
  const METRICS_DIR = world.folder("metrics");
  const mark = {
    pid: 2 ** 22 - 1,
    ticks: 1,
    run_id: "backup-20260511-093000-77",
    started_epoch: 1_778_484_600,
  };
  world.file("lock/backup.run.json", JSON.stringify({ ...mark, phase: "post-hooks" }));
  appendFileSync(
    join(world.log, "history.jsonl"),
    `${JSON.stringify({ run_id: mark.run_id, status: "ok" })}\n`,
  );
  const { code, stdout } = await world.run("backup", [], { env: { METRICS_DIR } });
  expect(code).toBe(1);
  expect(stdout).not.toContain("died");
  expect(world.read("metrics/restic_backup.testhost.prom")).toContain(
    'restic_backup_consecutive_failures{hostname="testhost"} 1\n',
  );
  expect(world.history().map(({ status }) => status)).toEqual(["ok", "failed"]);
});
