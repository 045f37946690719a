/** What the program does under its own name: --list, --install, --version, --help, completion, schema. */

import { release, version } from "../environment.ts";
import { EXIT, UsageError } from "../errors.ts";
import { print } from "../log/stdout.ts";
import { nearest } from "../nearest.ts";
import { linkNames, type Row } from "../run/command.ts";
import { SCHEMAS, schemaText } from "../schema/index.ts";
import { completion, SHELLS, type Shell } from "./completion.ts";
import { PROGRAM, programHelp } from "./help.ts";
import { install } from "./install.ts";

export async function ownCommand(table: readonly Row[], args: readonly string[]): Promise<number> {
  const [first, ...rest] = args;
  switch (first) {
    case "--list":
      print(`${alone(first, rest, linkNames(table)).join("\n")}\n`);
      return EXIT.ok;
    case "--version":
      print(`${PROGRAM} ${alone(first, rest, version)} (release ${release})\n`);
      return EXIT.ok;
    case "--help":
    case "-h":
      print(alone(first, rest, programHelp(table)));
      return EXIT.ok;
    case "--install":
      print(`${install(table, installOptions(rest)).join("\n")}\n`);
      return EXIT.ok;
    case "completion":
      print(await completion(shellOf(rest), table));
      return EXIT.ok;
    case "schema":
      print(await schemaOf(rest));
      return EXIT.ok;
    case undefined:
      throw new UsageError(`A command is missing. ${listed(table)}`);
    default:
      throw unknown(table, first);
  }
}

function installOptions(words: readonly string[]) {
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

function shellOf([shell, ...more]: readonly string[]): Shell {
  const known = SHELLS.find((each) => each === shell);
  if (known === undefined || more.length > 0)
    throw new UsageError(`completion takes one of ${SHELLS.join(", ")}.`);
  return known;
}

async function schemaOf([name, ...more]: readonly string[]): Promise<string> {
  const known = SCHEMAS.find((each) => each === name);
  if (known === undefined || more.length > 0)
    throw new UsageError(`schema takes one of ${SCHEMAS.join(", ")}.`);
  return schemaText(known);
}

function alone<T>(flag: string, rest: readonly string[], value: T): T {
  if (rest.length > 0) throw new UsageError(`"${rest[0]}" is not expected after ${flag}.`);
  return value;
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
  const guess = near === undefined ? "" : `; is ${near} meant?`;
  return new UsageError(`There is no command ${word}${guess || "."} ${listed(table)}`);
}

const namesOf = (table: readonly Row[]) => table.flatMap((row) => [row.name, ...(row.aliases ?? [])]);
const listed = (table: readonly Row[]) => `The commands are ${table.map(({ name }) => name).join(", ")}.`;
