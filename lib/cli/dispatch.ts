/** Finds the command by the name that the program was called by, runs it, and turns its errors into an exit code. */

import { environment, PROGRAM } from "../environment.ts";
import { bugReport, EXIT, Failure, UsageError } from "../errors.ts";
import { isTerminal, print, writeAll } from "../log/stdout.ts";
import {
  type Command,
  findLinked,
  findRow,
  type Invocation,
  type Prepared,
  type Row,
} from "../run/command.ts";
import { parseWords } from "./parse.ts";

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
      print(await commandHelp(row, command, isTerminal(1) && !environment.NO_COLOR));
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
    return await action();
  } catch (error) {
    if (!(error instanceof Failure)) return reportBug(name, error);
    const hint = error instanceof UsageError ? `Try: ${name} --help\n` : "";
    // The message may repeat a secret from the command line: `backup "$RESTIC_PASSWORD"`.
    const { createMask } = await import("../mask.ts");
    writeAll(2, createMask(process.env)(`${name}: ${error.message}\n${hint}`));
    return error.exitCode;
  }
}

/** Reports an unexpected error. Bun itself would print pages of source code and exit with 1. */
export function reportBug(name: string, error: unknown): number {
  writeAll(2, `${name}: ${bugReport(error)}\n`);
  return EXIT.internal;
}
