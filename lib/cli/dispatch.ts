/**
 * From the name that the program was called by to an exit code: finds the command, parses its command line, runs it, and
 * reports its errors. The parsing is strict: what citty would accept (an unknown flag, a flag taken for a value, a
 * repeated flag) is an error here. The declarations are citty's own.
 */

import { engineVariable, environment, PROGRAM } from "../environment.ts";
import { bugReport, ConfigError, EXIT, Failure, UsageError } from "../errors.ts";
import { complain, isTerminal, writeAll } from "../log/stdout.ts";
import { didYouMean, nearest } from "../nearest.ts";
import {
  type Command,
  type Flag,
  type Flags,
  findLinked,
  findRow,
  type Invocation,
  type Operands,
  type Prepared,
  type Row,
} from "../run/command.ts";
import { visible } from "../text.ts";

/** `/bin/backup`, `backup.sh` and `./backup` all mean backup. */
export function commandName(argv0: string): string {
  return argv0
    .slice(argv0.lastIndexOf("/") + 1)
    .replace(/^-/, "")
    .replace(/\.sh$/, "");
}

/** Runs the command that `argv0`, or else the first of `args`, names. Resolves to the exit code. */
export async function dispatch(
  table: readonly Row[],
  argv0: string,
  args: readonly string[],
  prepared?: Prepared,
): Promise<number> {
  const called = commandName(argv0);
  const row = findLinked(table, called);
  if (row !== undefined) return run(table, row, called, args, prepared);
  const [first, ...rest] = args;
  const named = first === undefined ? undefined : findRow(table, commandName(first));
  if (first !== undefined && named !== undefined)
    return run(table, named, commandName(first), rest, prepared);
  return reported(PROGRAM, async () => {
    const { runBuiltin } = await import("./builtins.ts");
    return runBuiltin(table, args);
  });
}

async function run(
  table: readonly Row[],
  row: Row,
  called: string,
  args: readonly string[],
  prepared?: Prepared,
): Promise<number> {
  return reported(row.link === false ? `${PROGRAM} ${row.name}` : row.name, async () => {
    const command = await row.load();
    if (asksForHelp(command, args)) {
      const { commandHelp } = await import("./help.ts");
      // Nothing from outside stands in it, and on a terminal it has colours.
      writeAll(1, await commandHelp(row, command, isTerminal(1) && !environment.NO_COLOR));
      return EXIT.ok;
    }
    return command.main(await buildInvocation(table, row, called, command, args, prepared));
  });
}

async function buildInvocation(
  table: readonly Row[],
  row: Row,
  called: string,
  command: Command,
  args: readonly string[],
  prepared: Prepared | undefined,
): Promise<Invocation> {
  return {
    name: row.name,
    called,
    table,
    ...((await parseWords(command, args)) as Pick<Invocation, "flags" | "operands" | "rest">),
    ...(prepared === undefined ? {} : { prepared }),
    call: (name, words, preparedThen) => dispatch(table, name, words, preparedThen),
  };
}

/** Is --help among the words before `--`? For a command that takes another's command line: is it the first word? */
function asksForHelp(command: Command, args: readonly string[]): boolean {
  const cut = args.indexOf("--");
  const words = command.operands?.verbatim ? args.slice(0, 1) : cut < 0 ? args : args.slice(0, cut);
  return words.includes("--help") || words.includes("-h");
}

/** The one place where an expected error becomes a message on stderr and an exit code. */
async function reported(name: string, action: () => Promise<number>): Promise<number> {
  try {
    if (engineVariable !== undefined) {
      throw new ConfigError(
        `${engineVariable} is set, which changes the JavaScript engine inside of this program. Unset it.`,
      );
    }
    return await action();
  } catch (error) {
    if (!(error instanceof Failure)) return reportBug(name, error);
    // The message may repeat a secret from the command line: `backup "$RESTIC_PASSWORD"`.
    const { createMask } = await import("../mask.ts");
    complain(createMask(process.env)(`${name}: ${error.message}`));
    if (error instanceof UsageError) complain(`Try: ${name} --help`);
    return error.exitCode;
  }
}

/** Reports an unexpected error. Bun itself would print pages of source code and exit with 1. */
export function reportBug(name: string, error: unknown): number {
  writeAll(2, visible(`${name}: ${bugReport(error)}\n`));
  return EXIT.internal;
}

export interface Words {
  readonly flags: Readonly<Record<string, boolean | string | readonly string[] | undefined>>;
  readonly operands: readonly string[];
  readonly rest: readonly string[];
}

/** Throws a UsageError that names the word and what was expected. */
export async function parseWords(command: Command, args: readonly string[]): Promise<Words> {
  const { flags, operands, passThrough } = command;
  if (operands?.verbatim)
    return { flags: {}, operands: checkNumber(operands, verbatimOperands(flags, args)), rest: [] };

  const cut = args.indexOf("--");
  const beforeCut = cut < 0 ? args : args.slice(0, cut);
  const rest = cut < 0 ? [] : args.slice(cut + 1);
  if (rest.length > 0 && passThrough === undefined) {
    throw new UsageError(`Nothing may follow --, but "${rest[0]}" does.`);
  }
  const tokens = beforeCut.length === 0 ? [] : await tokenize(beforeCut, flags);
  const values: Record<string, boolean | string | readonly string[]> = {};
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const flag = flags[token.name];
    if (flag === undefined) throw unknownFlag(token.rawName, flags);
    const isFlag = !token.inlineValue && looksLikeFlag(token.value, flag, flags);
    values[token.name] = flagValue(flag, token.rawName, token.value, isFlag, values[token.name]);
  }
  return { flags: withDefaults(flags, values), operands: checkNumber(operands, words), rest };
}

/** Loads node:util, which takes 1.5 ms (measured): a tick has no words and never gets here. */
async function tokenize(args: readonly string[], flags: Flags) {
  const { parseArgs } = await import("node:util");
  const options = Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, toOption(flag)]));
  return parseArgs({ args: [...args], options, allowPositionals: true, strict: false, tokens: true }).tokens;
}

function toOption(flag: Flag) {
  const short = [flag.alias ?? []].flat().find((alias) => alias.length === 1);
  return {
    type: flag.type === "boolean" ? ("boolean" as const) : ("string" as const),
    ...(short && { short }),
  };
}

function flagValue(
  flag: Flag,
  shown: string,
  value: string | undefined,
  isFlag: boolean,
  before: boolean | string | readonly string[] | undefined,
): boolean | string | readonly string[] {
  if (flag.type === "boolean") {
    if (value !== undefined) throw new UsageError(`${shown} takes no value, but got "${value}".`);
    return true;
  }
  if (value === undefined || isFlag) {
    throw new UsageError(
      `${shown} needs a value${value === undefined ? "" : `; if ${value} is the value, write ${shown}=${value}`}.`,
    );
  }
  if (flag.type === "enum" && !flag.options?.includes(value)) {
    throw new UsageError(`${shown} must be one of ${flag.options?.join(", ")}, not "${value}".`);
  }
  if (flag.multiple) return [...(Array.isArray(before) ? before : []), value];
  if (before !== undefined) throw new UsageError(`${shown} was given twice: "${before}" and "${value}".`);
  return value;
}

/** In `--tag --dry-run` the second flag is not meant as a value; `--tag=--dry-run` makes it one. */
function looksLikeFlag(value: string | undefined, flag: Flag, flags: Flags): boolean {
  if (!value?.startsWith("-") || value === "-") return false;
  return !flag.words || Object.hasOwn(flags, value.replace(/^--|=.*$/gs, ""));
}

function withDefaults(flags: Flags, given: Words["flags"]): Words["flags"] {
  const absent = (flag: Flag) => (flag.multiple ? [] : flag.type === "boolean" ? false : undefined);
  return Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, given[name] ?? absent(flag)]));
}

/** Returns the words. Throws a UsageError when there are too many or too few. */
function checkNumber(operands: Operands | undefined, words: readonly string[]): readonly string[] {
  const { least, most, usage } = operands ?? { least: 0, most: 0, usage: "" };
  if (words.length > most) {
    const stray = words[most];
    throw new UsageError(
      most === 0 ? `"${stray}" is not expected.` : `"${stray}" is one argument too many after ${usage}.`,
    );
  }
  if (words.length < least) throw new UsageError(`An argument is missing: expected ${usage}.`);
  return words;
}

/** Everything from the first word that is not a flag is an operand. */
function verbatimOperands(flags: Flags, args: readonly string[]): readonly string[] {
  const [first] = args;
  if (first === "--") return args.slice(1);
  if (first?.startsWith("-")) throw unknownFlag(first, flags);
  return args;
}

function unknownFlag(shown: string, flags: Flags): UsageError {
  const known = [...Object.keys(flags), "help"].map((name) => `--${name}`);
  return new UsageError(`The flag ${shown} is unknown${didYouMean(nearest(shown, known))}`);
}
