/**
 * What a command is: a row of the table (lib/workers/index.ts) names it, its file declares the rest. Help,
 * completion, strict parsing and the README are made from these declarations.
 */

import type { BooleanArgDef, EnumArgDef, StringArgDef } from "citty";
import type { VariableName } from "../config/variables.ts";
import type { Context } from "../context.ts";
import type { Fields } from "../schema/fields.ts";
import type { Lock } from "../state/lock.ts";

/** A flag as citty declares it, and what we add. */
export type Flag = (BooleanArgDef | StringArgDef | EnumArgDef) & {
  /** May be given again. */
  readonly multiple?: true;
  /** Its value is words for another program, which may begin with a dash. */
  readonly words?: true;
};
export type Flags = Readonly<Record<string, Flag>>;

/** The parsed value of each flag; undefined when it was not given. */
export type FlagValues<F extends Flags> = {
  readonly [N in keyof F]: F[N] extends { multiple: true }
    ? readonly string[]
    : F[N] extends { type: "boolean" }
      ? boolean
      : string | undefined;
};

/** Words that are no flags. */
export interface Operands {
  /** As the usage line has them: `<phase> [<argument>]`. */
  readonly usage: string;
  readonly help: string;
  readonly least: number;
  readonly most: number;
  /** From the first operand on nothing is a flag of ours any more (locked_run). */
  readonly verbatim?: true;
}

/** A row of `EXIT STATUS`. */
export type ExitStatus = readonly [code: string, meaning: string];

export interface Command<F extends Flags = Flags> {
  /** A paragraph for --help. */
  readonly about: string;
  readonly flags: F;
  readonly operands?: Operands;
  /** What words after `--` are for; without it there must be none. */
  readonly passThrough?: string;
  readonly environment: readonly VariableName[];
  readonly exits: readonly ExitStatus[];
  /** The fields that a run of it adds to the record. */
  readonly facts?: Fields;
  /** Resolves to the exit code. */
  main(invocation: Invocation<F>): Promise<number>;
}

/** One call of a command. */
export interface Invocation<F extends Flags = Flags> {
  readonly name: string;
  /** The word that it was called by: its name, or an alias of it. */
  readonly called: string;
  readonly flags: FlagValues<F>;
  readonly operands: readonly string[];
  /** The words after `--`, as they are. */
  readonly rest: readonly string[];
  readonly table: readonly Row[];
  /** What locked_run holds for this command, in this process. */
  readonly prepared?: Prepared;
  /** Runs this program in this process, as if it had been called by the name `argv0`. */
  call(argv0: string, args: readonly string[], prepared?: Prepared): Promise<number>;
}

/** What locked_run has taken and prepared for the command that it runs in its own process. */
export interface Prepared {
  readonly lock: Lock;
  /** Of the job that it was called with; a worker of another name sets its own. */
  readonly context: Context;
}

/** A row of the table. */
export interface Row {
  readonly name: string;
  readonly aliases?: readonly string[];
  /** A run has a lock, hooks and a record; a tool has none of them. */
  readonly kind: "run" | "tool";
  /**
   * The name is the system's, too, which would be hidden or replaced by a link: the command can only be called as
   * `restic-backup-helper <name>`.
   */
  readonly link?: false;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Loaded when called, so that a tick reads no more code than it runs. */
  load(): Promise<Command>;
}

/** The row of a name or an alias. */
export function findRow(table: readonly Row[], name: string): Row | undefined {
  return table.find((row) => row.name === name || row.aliases?.includes(name));
}

/** The names that links are made for, in the order of the table. */
export function linkNames(table: readonly Row[]): string[] {
  return table.filter((row) => row.link !== false).flatMap((row) => [row.name, ...(row.aliases ?? [])]);
}

/** The row of a name that the program may be called by itself. */
export function findLinked(table: readonly Row[], name: string): Row | undefined {
  const row = findRow(table, name);
  return row?.link === false ? undefined : row;
}

/** The names of the runs, in the order of the table. */
export function workerNames(table: readonly Row[]): string[] {
  return table.filter((row) => row.kind === "run").map(({ name }) => name);
}

/** The phases that hooks can be written for, in the order of the table. */
export function hookPhases(table: readonly Row[]): string[] {
  return workerNames(table).flatMap((name) => [`pre-${name}`, `post-${name}`]);
}

/** What each worker declares of the records of its runs. Loads all workers. */
export async function declaredFacts(table: readonly Row[]): Promise<Map<string, Fields>> {
  const workers = table.filter((row) => row.kind === "run");
  return new Map(
    await Promise.all(workers.map(async (row) => [row.name, (await row.load()).facts ?? {}] as const)),
  );
}
