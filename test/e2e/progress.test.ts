// Progress of a real restic: a bar on a terminal, a line now and then in a log.
import { afterAll, describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasPython, onTerminal, screen, WIPE } from "../support/pseudo-terminal.ts";
import { equip } from "../support/ready-repository.ts";
import { restics, type Tool } from "../support/restics.ts";
import { World } from "../support/world.ts";

/** 48 MiB that do not compress, stored in five seconds. restic reads some 20 MiB ahead of what it stores. */
const source = mkdtempSync(join(tmpdir(), "rbh-source-"));
for (let file = 0; file < 48; file++) writeFileSync(join(source, String(file)), randomBytes(1024 * 1024));
afterAll(() => rmSync(source, { recursive: true }));

function slow(restic: Tool): World {
  const world = new World();
  equip(world, restic);
  Object.assign(world.env, {
    BACKUP_ROOT_DIR: source,
    RESTIC_JOB_ARGS: "--limit-upload 10000 --pack-size 4",
  });
  world.hook("post-backup", "echo hello");
  return world;
}

const BAR = new RegExp(
  String.raw`^\[#*-*\] +\d+%  *[\d.]+ of [\d.]+ ([KM]i)?B` +
    String.raw`(  +[\d.]+ ([KM]i)?B/s)?(  [\dm]+s left)?(  storing the rest)?$`,
);
const LOG_LINE = /^\d{4}-\d\d-\d\d [\d:]{8} (INFO |WARN |ERROR) backup {2}\S/;
const plain = (text: string) => Bun.stripANSI(text);

describe.each(restics.map((restic) => [restic.version, restic] as const))("restic %s", (_, restic) => {
  // A terminal takes python3's pty module.
  test.skipIf(!hasPython)(
    "draws a bar with rate and time left, and no line of the log is glued to it",
    async () => {
      using world = slow(restic);
      const child = onTerminal(world, ["backup"], { columns: 100 });
      const shown = await new Response(child.stdout).text();
      expect(await child.exited).toBe(0);
      const bars = shown
        .split(WIPE)
        .slice(1)
        .map((bar) => plain(bar.split(/\r?\n/)[0] ?? ""));
      const drawn = bars.filter((bar) => !LOG_LINE.test(bar));
      expect(drawn.length).toBeGreaterThan(3);
      expect(drawn.filter((bar) => !BAR.test(bar))).toEqual([]);
      expect(drawn.some((bar) => bar.includes("iB/s"))).toBe(true);
      expect(Math.max(...drawn.map((bar) => bar.length))).toBeLessThan(100);
      expect(shown).toContain("\x1b[32m#");
      // What remains on the screen is the log, line by line, and its file has no trace of the bar.
      const lines = screen(shown).map(plain).filter(Boolean);
      expect(lines.filter((line) => !LOG_LINE.test(line))).toEqual([]);
      expect(world.read("log/backup-last.log").replace(/^.*: none in .*\n/gm, "")).toBe(
        `${lines.join("\n")}\n`,
      );
    },
  );

  test("says a line every PROGRESS_INTERVAL in a log, and none with 0", async () => {
    const logOf = async (PROGRESS_INTERVAL: string) => {
      using world = slow(restic);
      const { code, stdout } = await world.run("backup", [], { env: { PROGRESS_INTERVAL } });
      expect(code).toBe(0);
      expect(stdout).not.toContain("message_type");
      return stdout.split("\n").filter((line) => line.includes("% done, "));
    };
    const [said, nothing] = await Promise.all([logOf("1"), logOf("0")]);
    expect(said.length).toBeGreaterThan(0);
    // The first may come before restic has counted all that there is to do.
    for (const line of said) {
      expect(line).toMatch(/ INFO {2}backup {2}\d+% done, [\d.]+ of [\d.]+ MiB(, .*)?, \d+ of \d+ files?$/);
    }
    expect(said.at(-1)).toMatch(/ of 48\.000 MiB(, .*)?, \d+ of 48 files$/);
    expect(nothing).toEqual([]);
  });
});

describe.skipIf(!hasPython)("on a terminal", () => {
  const restic = restics.at(-1)!;

  test("NO_COLOR takes the colour and leaves the bar", async () => {
    using world = slow(restic);
    world.hook("pre-backup", "exit 1");
    const child = onTerminal(world, ["backup"], { env: { NO_COLOR: "1" } });
    const shown = await new Response(child.stdout).text();
    expect(await child.exited).toBe(0);
    expect(shown.replaceAll(WIPE, "")).not.toContain("\x1b");
    expect(shown).toContain(`${WIPE}[#`);
    expect(shown).toContain("ERROR backup  hook pre-backup failed");
  });

  test("WARN and ERROR have a colour, which the file has not", async () => {
    using world = slow(restic);
    world.hook("pre-backup", "exit 1");
    world.env.BACKUP_ROOT_DIR = `${world.source}\n/no/such`;
    const child = onTerminal(world, ["backup"]);
    const shown = await new Response(child.stdout).text();
    expect(await child.exited).toBe(3);
    expect(shown).toContain("\x1b[31mERROR\x1b[0m backup  hook pre-backup failed");
    expect(shown).toContain("\x1b[33mWARN \x1b[0m backup  restic | could not read /no/such");
    expect(world.read("log/backup-last.log")).not.toContain("\x1b");
  });

  test("Ctrl-C stops the run as SIGINT does", async () => {
    using world = slow(restic);
    const child = onTerminal(world, ["backup"]);
    let shown = "";
    let typed = false;
    for await (const bytes of child.stdout) {
      shown += Buffer.from(bytes).toString();
      if (typed || !shown.includes("%")) continue;
      typed = true;
      child.stdin.write("\x03");
      child.stdin.flush();
    }
    expect(await child.exited).toBe(130);
    expect(
      screen(shown)
        .map(plain)
        .filter((line) => line !== "" && !LOG_LINE.test(line)),
    ).toEqual([]);
    expect(world.record()).toMatchObject({ status: "interrupted", signal: "SIGINT", exit_code: 130 });
  });
});
