/** --help: the usage as citty renders it, then the environment and the exit status. */

import { defineCommand, renderUsage } from "citty";
import { declarations, type VariableName } from "../config/variables.ts";
import { PROGRAM, release, version } from "../environment.ts";
import type { Command, ExitStatus, Row } from "../run/command.ts";
import { SCHEMAS } from "../schema/index.ts";

/** The help of one command. `colour` keeps citty's escape codes. */
export async function commandHelp(row: Row, command: Command, colour: boolean): Promise<string> {
  const usage = await renderUsage(
    defineCommand({
      meta: { name: row.name, description: command.about },
      args: { ...command.flags, help: { type: "boolean", alias: "h", description: "show this help" } },
    }),
  );
  const { operands, passThrough } = command;
  const sections = [
    command.about,
    usageLine(row, command),
    section("ARGUMENTS", operands && [[operands.usage, operands.help]]),
    section("AFTER --", passThrough && [["…", passThrough]]),
    extractOptions(usage),
    section("ENVIRONMENT", command.environment.map(describe)),
    section("EXIT STATUS", [...command.exits].sort(byCode)),
    row.aliases && `Also called ${row.aliases.join(", ")}.`,
  ];
  const text = `${sections.filter(Boolean).join("\n\n")}\n`;
  return colour ? text : withoutColour(text);
}

/** The help of the program itself. */
export function programHelp(table: readonly Row[]): string {
  const of = (kind: Row["kind"]) =>
    table.filter((row) => row.kind === kind).map(({ name, summary }) => [name, summary] as const);
  return `${[
    `${PROGRAM} ${version} (release ${release})`,
    "One executable for every command of a restic backup container. Called through a link, it runs the command\n" +
      "of that name; called by its own name, it takes the command as its first argument.",
    section("USAGE", [
      [`${PROGRAM} <command> [options]`, ""],
      [`${PROGRAM} --list`, "print the names of the links that --install makes"],
      [`${PROGRAM} --install [-s] [--force] DIR`, "make a link in DIR for every command (-s: symbolic)"],
      [`${PROGRAM} completion bash|zsh|fish`, "print a completion script"],
      [`${PROGRAM} schema ${SCHEMAS.join("|")}`, "print the JSON Schema of that output"],
      [`${PROGRAM} --version`, "print the version and the release"],
    ]),
    section("RUNS (lock, hooks, record)", of("run")),
    section("TOOLS", of("tool")),
    "`<command> --help` shows the command's flags, environment and exit status.",
  ].join("\n\n")}\n`;
}

function usageLine(row: Row, command: Command): string {
  const name = row.link === false ? `${PROGRAM} ${row.name}` : row.name;
  const words = [name, "[options]", command.operands?.usage, command.passThrough && "[-- …]"];
  return `USAGE ${words.filter(Boolean).join(" ")}`;
}

/** Sorts by the first number; words such as "other" come last. */
function byCode([a]: ExitStatus, [b]: ExitStatus): number {
  const codeOf = (text: string) => (/^\d/.test(text) ? Number.parseInt(text, 10) : Number.POSITIVE_INFINITY);
  return codeOf(a) - codeOf(b) || 0;
}

/** The options of the usage that citty renders: the one section that we could not render better ourselves. */
function extractOptions(usage: string): string {
  const lines = usage.trimEnd().split("\n");
  const start = lines.findIndex((line) => withoutColour(line).startsWith("OPTIONS"));
  return lines
    .slice(start)
    .filter((line, at) => at === 0 || withoutColour(line).trim() !== "")
    .map((line) => line.trimEnd())
    .join("\n");
}

function describe(name: VariableName): readonly [string, string] {
  const { help, fallback } = declarations[name];
  return [name, fallback === undefined ? help : `${help} (default ${fallback})`];
}

function section(
  title: string,
  rows: readonly (readonly [string, string])[] | undefined | "",
): string | undefined {
  if (!rows || rows.length === 0) return undefined;
  const width = Math.min(34, Math.max(...rows.map(([name]) => name.length)));
  return [title, ...rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`.trimEnd())].join("\n");
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: it removes escape codes
const withoutColour = (text: string): string => text.replace(/\x1b\[[0-9;]*m/g, "");
