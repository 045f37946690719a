/** The program's own commands: --list, --install, --version, --help, completion, schema. */

import { PROGRAM, release, version } from "../environment.ts";
import { EXIT, UsageError } from "../errors.ts";
import { print } from "../log/stdout.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { declaredFacts, linkNames, type Row } from "../run/command.ts";
import { SCHEMAS, schemaText } from "../schema/index.ts";
import { singleLine } from "../text.ts";
import { completion, SHELLS, type Shell } from "./completion.ts";
import { programHelp } from "./help.ts";
import { install } from "./install.ts";

/** Runs the built-in command that `args` name and resolves to its exit code. Throws a UsageError. */
export async function runBuiltin(table: readonly Row[], args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  switch (first) {
    case "--list":
      expectNothing(first, rest);
      print(`${linkNames(table).join("\n")}\n`);
      return EXIT.ok;
    case "--version":
      expectNothing(first, rest);
      print(`${PROGRAM} ${version} (release ${release})\n`);
      return EXIT.ok;
    case "--help":
    case "-h":
      expectNothing(first, rest);
      print(programHelp(table));
      return EXIT.ok;
    case "--install":
      print(`${install(table, parseInstallOptions(rest)).map(singleLine).join("\n")}\n`);
      return EXIT.ok;
    case "completion":
      print(await completion(parseShell(rest), table));
      return EXIT.ok;
    case "schema":
      print(await readSchema(table, rest));
      return EXIT.ok;
    case undefined:
      throw new UsageError(`A command is missing. ${listed(table)}`);
    default:
      throw unknown(table, first);
  }
}

function parseInstallOptions(words: readonly string[]) {
  const flags = words.filter((word) => word.startsWith("-"));
  const folders = words.filter((word) => !word.startsWith("-"));
  const stray = flags.find((flag) => flag !== "-s" && flag !== "--force");
  if (stray !== undefined)
    throw new UsageError(`The flag ${stray} is unknown; --install takes -s and --force.`);
  const [folder, ...more] = folders;
  if (folder === undefined || folder === "")
    throw new UsageError("--install needs the directory for the links.");
  if (more.length > 0) throw new UsageError(`"${more[0]}" is not expected: --install takes one directory.`);
  return { folder, symbolic: flags.includes("-s"), force: flags.includes("--force") };
}

function parseShell([shell, ...more]: readonly string[]): Shell {
  const known = SHELLS.find((each) => each === shell);
  if (known === undefined || more.length > 0)
    throw new UsageError(`completion takes one of ${SHELLS.join(", ")}.`);
  return known;
}

async function readSchema(table: readonly Row[], [name, ...more]: readonly string[]): Promise<string> {
  const known = SCHEMAS.find((each) => each === name);
  if (known === undefined || more.length > 0)
    throw new UsageError(`schema takes one of ${SCHEMAS.join(", ")}.`);
  return schemaText(known, await declaredFacts(table));
}

function expectNothing(flag: string, rest: readonly string[]): void {
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is not expected after ${flag}.`);
}

function unknown(table: readonly Row[], word: string): UsageError {
  const near = nearest(word, [
    ...namesOf(table),
    "--list",
    "--install",
    "--version",
    "--help",
    "completion",
    "schema",
  ]);
  return new UsageError(`There is no command ${word}${didYouMean(near)} ${listed(table)}`);
}

const namesOf = (table: readonly Row[]) => table.flatMap((row) => [row.name, ...(row.aliases ?? [])]);
const listed = (table: readonly Row[]) => `The commands are ${table.map(({ name }) => name).join(", ")}.`;
