/**
 * Parses a command line strictly: what citty would accept (an unknown flag, a flag taken for a value, a repeated
 * flag) is an error here. The declarations are citty's own.
 */

import { UsageError } from "../errors.ts";
import { didYouMean, nearest } from "../nearest.ts";
import type { Command, Flag, Flags, Operands } from "../run/command.ts";

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
