// What others name (files, hosts, tags, arguments, variables, lines of our own files) does nothing to a terminal.
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readStat } from "../../lib/process/proc.ts";
import { table } from "../../lib/workers/index.ts";
import { Random } from "../support/property.ts";
import { canConverse, converse } from "../support/terminal.ts";
import { World } from "../support/world.ts";

setDefaultTimeout(60_000);

/** By Unicode's own table: controls, separators of lines and paragraphs, marks of direction. */
const HARMFUL = /(?![\t\n])(\p{Cc}|\p{Zl}|\p{Zp}|\p{Bidi_Control}|\ufeff)/u;
/** What a name must not be able to begin a line with. */
const FORGED = "FORGED LINE";

const PIECES = [
  "\x1b[2J",
  "\x1b]0;title\x07",
  "\x9b31m",
  "\r",
  "\x7f",
  "\x08",
  "\u202e",
  "\u2066",
  "\u2028",
  "\x85",
];
/** A name that takes the screen in several ways; as text that no environment and no file name refuses. */
function hostile(random: Random): string {
  const pieces = PIECES.slice().sort(() => random.share() - 0.5);
  return `x${pieces.join("y")}\n${FORGED}${random.pick(pieces)}`;
}

/** Prints what a shell's printf can, whatever it is. */
const printed = (path: string) => `cat ${path}`;

/** A world in which everything that can have a name has this one. */
function hostileWorld(name: string): World {
  const world = new World();
  const at = "2026-05-11T09:30:00Z";
  const id = "0123456789abcdef".repeat(4);
  const snapshot = {
    id,
    short_id: id.slice(0, 8),
    time: at,
    hostname: name,
    username: name,
    tags: [name],
    paths: [`/${name}`],
  };
  const json = (file: string, value: unknown) => world.file(file, `${JSON.stringify(value)}\n`);
  const snapshots = json("snapshots.json", [snapshot]);
  const hits = json("hits.json", [
    { hits: 1, snapshot: id, matches: [{ path: `/${name}`, type: "file", size: 1, mtime: at }] },
  ]);
  const groups = json("groups.json", [
    { host: name, paths: [`/${name}`], tags: [name], keep: [snapshot], remove: [snapshot], reasons: [] },
  ]);
  const words = world.file(
    "words.txt",
    [
      JSON.stringify({ message_type: "error", item: `/${name}`, during: "scan", error: { message: name } }),
      JSON.stringify({ message_type: "exit_error", code: 1, message: name }),
      name,
      "",
    ].join("\n"),
  );
  world.restic(
    `case " $* " in *" snapshots "*) ${printed(snapshots)} ;; *" find "*) ${printed(hits)} ;; *" forget "*) ${printed(groups)} ;; ` +
      `*" version "*) echo "restic 0.18.0 compiled with go" ;; *) ${printed(words)}; ${printed(words)} >&2; exit 1 ;; esac`,
  );
  world.hook("pre-backup", `${printed(words)}; ${printed(words)} >&2`);
  writeFileSync(join(world.source, name.replaceAll("/", "_")), "content\n");
  // Lines of our own files, of which others may have written some.
  const record = {
    job: name,
    worker: "backup",
    hostname: name,
    status: name,
    exit_code: 1,
    started_epoch: 1_780_000_000,
    finished_epoch: 1_780_000_001,
    duration_seconds: 1,
    alerts: [{ kind: name, message: name }],
    reasons: [name],
  };
  json("log/last-backup.json", record);
  json("log/history.jsonl", record);
  world.file("log/cron.log", `${name}\n`);
  json("lock/check.run.json", {
    pid: process.pid,
    ticks: readStat(process.pid)?.ticks,
    run_id: name,
    started_epoch: 1_780_000_000,
    phase: name,
  });
  world.file("crontabs/root", `0 1 * * * backup ${name}\n* ${name}\n1 2 3 ${name.replace("\n", " ")} * x\n`);
  return world;
}

/** Variables that hold it, but for those that no process can be given. */
const environmentOf = (world: World, name: string) => ({
  HOSTNAME: name,
  RESTIC_TAG: name,
  CRONTAB_DIR: join(world.dir, "crontabs"),
  BACKUP_CRON: name,
  CHECK_CRON: `0 ${name} * * *`,
  RESTIC_JOB_ARGS: `--tag '${name}'`,
  RESTIC_FORGET_ARGS: `--keep-last '${name}'`,
  REPLICATE_JOB_FILE: world.file("jobs.txt", `/${name};/b;${name}\n`),
  RESTIC_PASSWORD_FILE: `/no/${name}`,
  RESTIC_PASSWORD: undefined,
  MAILX_ON_ERROR: name,
  BACKUP_TIMEOUT: name,
  WEBHOOK_URL: `ftp://${name}`,
  TZ: name,
});

const COMMANDS: readonly (readonly [string, ...string[]])[] = [
  ["status"],
  ["status", "--history"],
  ["status", "--alive"],
  ["cron-list"],
  ["config-check"],
  ["env"],
  ["doctor"],
  ["doctor", "--hooks"],
  ["restore", "--list"],
  ["find", "x"],
  ["hook-test", "pre-backup"],
  ["sources-report"],
  ["forget-preview"],
  ["unlock"],
  ["backup"],
  ["check"],
  ["notify-test"],
  ["replicate"],
  ["init-repo"],
  ["mount-snapshot", "/no/where"],
  ["snapshot-export", "--output", "/no/where/x.tar"],
];
const JSONS: readonly (readonly [string, ...string[]])[] = [
  ["status", "--json"],
  ["config-check", "--json"],
  ["env", "--json"],
  ["doctor", "--json"],
];

/** What stands in a text that must not: a character, or a line that a name has begun. */
function harmIn(text: string): string | undefined {
  const character = HARMFUL.exec(text);
  if (character !== null) {
    const code = character[0].codePointAt(0)?.toString(16);
    return `U+${code} in ${JSON.stringify(text.slice(Math.max(0, character.index - 120), character.index + 40))}`;
  }
  const forged = text.split("\n").find((line) => line.startsWith(FORGED));
  return forged === undefined ? undefined : `the line ${forged}`;
}

const harmBy = ({ stdout, stderr }: { stdout: string; stderr: string }) => harmIn(stdout) ?? harmIn(stderr);

const random = new Random("hostile names");

describe.each([
  ["all of its environment", true],
  ["nothing but what it finds", false],
] as const)("a hostile name in %s", (_, everywhere) => {
  test.each(COMMANDS)("%s %s", async (command, ...words) => {
    const name = hostile(random);
    using world = hostileWorld(name);
    const env = everywhere ? environmentOf(world, name) : { CRONTAB_DIR: join(world.dir, "crontabs") };
    const answer = await world.run("restic-backup-helper", [command, ...words], { env });
    expect(harmBy(answer)).toBeUndefined();
    expect(answer.stdout + answer.stderr).not.toBe("");
  });

  test.each(JSONS)("%s %s stays JSON", async (command, ...words) => {
    const name = hostile(random);
    using world = hostileWorld(name);
    const env = everywhere ? environmentOf(world, name) : { CRONTAB_DIR: join(world.dir, "crontabs") };
    const { stdout, stderr } = await world.run("restic-backup-helper", [command, ...words], { env });
    expect(harmBy({ stdout, stderr })).toBeUndefined();
    expect(JSON.parse(stdout)).toBeObject();
  });
});

describe("a hostile argument", () => {
  test.each(table.map(({ name }) => name))("%s", async (command) => {
    const name = hostile(random);
    using world = new World();
    world.restic();
    for (const words of [
      [`--${name}`],
      [name, name, name, name],
      [`--tag=${name}`, "--", name],
      [`-${name}`],
    ]) {
      // A command of another's is started, and fails in its own words.
      if (command === "locked_run" && words[0] === name) continue;
      if (command === "entry" && words[0] === name) continue;
      const answer = await world.run("restic-backup-helper", [command, ...words]);
      expect(harmBy(answer)).toBeUndefined();
    }
  });

  test.each([
    ["unknown command", (name: string) => [name]],
    ["schema", (name: string) => ["schema", name]],
    ["--install", (name: string) => ["--install", name, name]],
    ["completion", (name: string) => ["completion", name]],
  ] as const)("%s", async (_, words) => {
    const name = hostile(random);
    using world = new World();
    const answer = await world.run("restic-backup-helper", words(name));
    expect(answer.code).not.toBe(0);
    expect(harmBy(answer)).toBeUndefined();
  });
});

describe.skipIf(!canConverse)("at a terminal (needs python3, for its pty)", () => {
  test("restore asks in one line each, whatever hosts, tags and paths are called", async () => {
    using world = hostileWorld(hostile(random));
    world.env.NO_COLOR = "1";
    const { screen } = await converse(
      world,
      "restore",
      ["--host", "", "--tag", ""],
      [["[1, q to cancel]:", "q\n"]],
    );
    expect(screen).toContain("Which snapshot, 1 to 1");
    expect(harmIn(screen.replaceAll("\r\n", "\n"))).toBeUndefined();
  });

  /** What we ourselves write to a terminal: colours, and the clearing of a line that a bar stands on. */
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those that we write ourselves
  const OWN = /\x1b\[(?:0|0;2|2|1|3[1-3])?m|\r\x1b\[K/g;

  test.each(COMMANDS)("%s %s: nothing but our own colours", async (command, ...words) => {
    const name = hostile(random);
    using world = hostileWorld(name);
    const env = environmentOf(world, name);
    const { screen } = await converse(world, "restic-backup-helper", [command, ...words], [], env);
    expect(harmIn(screen.replaceAll("\r\n", "\n").replaceAll(OWN, ""))).toBeUndefined();
  });
});
