// Every command, as --list names them: its help, and what it does with a command line that makes no sense.
import { describe, expect, test } from "bun:test";
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { variables } from "../../lib/config/variables.ts";
import { type Command, findRow } from "../../lib/run/command.ts";
import { table } from "../../lib/workers/index.ts";
import { binary, type RunOptions, World } from "../support/world.ts";

const listed = Bun.spawnSync([binary, "--list"]).stdout.toString().split("\n").filter(Boolean);

async function commandOf(name: string): Promise<Command> {
  const row = findRow(table, name);
  if (row === undefined) throw new Error(`--list names ${name}, and the table does not know it`);
  return row.load();
}

const call = (world: World, name: string, words: readonly string[], options: RunOptions = {}) =>
  world.run("restic-backup-helper", [name, ...words], options);

/** Everything below a world with what a change of it would change. */
function parseMetrics({ dir }: World): string[] {
  return ["", ...(readdirSync(dir, { recursive: true }) as string[])].sort().map((name) => {
    const { ino, mode, size, mtimeMs } = lstatSync(join(dir, name));
    return [name, ino, mode, size, mtimeMs].join(" ");
  });
}

/** A world in which the work would leave something behind, and so would each hook. */
function newWorld(): World {
  const world = new World();
  for (const program of ["restic", "rclone"]) world.program(program, `touch ${world.dir}/${program}-ran`);
  return world;
}

test("the list is there", () => {
  expect(listed).toContain("backup");
  expect(new Set(listed).size).toBe(listed.length);
});

describe.each(listed)("%s --help", (name) => {
  test("shows its flags, ENVIRONMENT and EXIT STATUS", async () => {
    using world = newWorld();
    const before = parseMetrics(world);
    const { code, stdout, stderr } = await call(world, name, ["--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(parseMetrics(world)).toEqual(before);

    const { about, flags, operands, environment, exits } = await commandOf(name);
    expect(stdout).toStartWith(`${about}\n\nUSAGE `);
    const sections = stdout.split("\n\n");
    const section = (title: string) => sections.find((each) => each.startsWith(`${title}\n`)) ?? "";
    for (const [flag, { description }] of Object.entries(flags)) {
      expect(section("OPTIONS")).toMatch(new RegExp(`^ .*--${flag}\\b.*`, "m"));
      expect(description?.length ?? 0).toBeGreaterThan(0);
    }
    expect(section("OPTIONS")).toContain("--help");
    expect(section("ARGUMENTS").includes(operands?.usage ?? "")).toBe(true);
    expect(environment.length).toBeGreaterThan(0);
    for (const variable of environment) {
      expect(section("ENVIRONMENT")).toContain(`  ${variable} `);
      expect(section("ENVIRONMENT")).toContain(variables[variable].help);
    }
    for (const [code, meaning] of exits)
      expect(section("EXIT STATUS")).toMatch(
        new RegExp(`^ {2}${code.replace("+", "\\+")} +${meaning.slice(0, 10)}`, "m"),
      );
    expect(exits.map(([code]) => code)).toContain("2");
  });

  test("is short for a line of it, plain in a pipe, and answers to -h", async () => {
    using world = newWorld();
    const { stdout } = await call(world, name, ["--help"]);
    expect(stdout).toMatch(/^[\n -~…–→]*$/);
    expect(stdout).toEndWith("\n");
    expect((await call(world, name, ["-h"])).stdout).toBe(stdout);
    world.link(name);
    expect((await world.run(name, ["--help"])).stdout).toBe(stdout);
  });
});

/** Command lines that make no sense to this command, each with what its message must say. */
function nonsense(command: Command): (readonly [words: string[], said: RegExp])[] {
  const { flags, operands, passThrough } = command;
  const { least, most, verbatim } = operands ?? { least: 0, most: 0, verbatim: undefined };
  const needed = Array.from({ length: least }, () => "word");
  const lines: (readonly [string[], RegExp])[] = [
    [["--no-such-flag"], /The flag --no-such-flag is unknown/],
    [["-Z"], /The flag -Z is unknown/],
  ];
  if (least > 0) lines.push([needed.slice(1), /An argument is missing: expected /]);
  if (Number.isFinite(most)) {
    lines.push([
      Array.from({ length: most + 1 }, () => "word"),
      /"word" is (not expected|one argument too many)/,
    ]);
  }
  if (verbatim) return lines;
  if (passThrough === undefined)
    lines.push([[...needed, "--", "word"], /Nothing may follow --, but "word" does/]);
  for (const [name, flag] of Object.entries(flags)) {
    const shown = `--${name}`;
    if (flag.type === "boolean")
      lines.push([[...needed, `${shown}=yes`], new RegExp(`${shown} takes no value`)]);
    else {
      lines.push([[...needed, shown], new RegExp(`${shown} needs a value`)]);
      if (!flag.words)
        lines.push([[...needed, shown, "--no-such-flag"], new RegExp(`${shown} needs a value`)]);
      if (!flag.multiple)
        lines.push([
          [...needed, shown, flag.type === "enum" ? (flag.options?.[0] ?? "") : "1", `${shown}=2`],
          /was given twice|must be one of/,
        ]);
      if (flag.type === "enum")
        lines.push([[...needed, `${shown}=no-such-value`], new RegExp(`${shown} must be one of`)]);
    }
  }
  return lines;
}

describe.each(listed)("%s, a command line that makes no sense", (name) => {
  test("exit 2, a message and a hint on stderr, nothing on stdout, nothing touched", async () => {
    using world = newWorld();
    for (const phase of ["pre", "post"]) world.hook(`${phase}-${name}`, `touch ${world.dir}/hook-ran`);
    const before = parseMetrics(world);
    const command = await commandOf(name);
    const row = findRow(table, name)?.name ?? "";
    for (const [words, said] of nonsense(command)) {
      const { code, stdout, stderr } = await call(world, name, words);
      expect({ words, code, stdout }).toEqual({ words, code: 2, stdout: "" });
      expect(stderr).toStartWith(`${row}: `);
      expect(stderr).toMatch(said);
      expect(stderr).toEndWith(`\nTry: ${row} --help\n`);
      expect(stderr.trimEnd().split("\n")).toHaveLength(2);
    }
    expect(parseMetrics(world)).toEqual(before);
  });
});

test("the nearest flag is named", async () => {
  using world = newWorld();
  const { code, stderr } = await call(world, "doctor", ["--hoks"]);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: "doctor: The flag --hoks is unknown; did you mean --hooks?\nTry: doctor --help\n",
  });
});

test("--help among the words of another command is not ours", async () => {
  using world = newWorld();
  const { code, stdout } = await call(world, "locked_run", [
    "some-job",
    "sh",
    "-c",
    'echo "$1"',
    "sh",
    "--help",
  ]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "--help\n" });
});
