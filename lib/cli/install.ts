/** --install: a link for every command, as busybox makes them. */

import { linkSync, lstatSync, readlinkSync, rmSync, statSync, symlinkSync } from "node:fs";
import { EXIT, Failure, reasonOf } from "../errors.ts";
import { absolute } from "../paths.ts";
import { linkNames, type Row } from "../run/command.ts";
import { PROGRAM } from "./help.ts";

export interface InstallOptions {
  readonly folder: string;
  /** Symbolic links instead of hard ones. */
  readonly symbolic: boolean;
  /** Replace what is not ours. */
  readonly force: boolean;
}

/** Makes the links, or none at all when one of them would replace a stranger's file. Returns their paths. */
export function install(table: readonly Row[], { folder, symbolic, force }: InstallOptions): string[] {
  const program = process.execPath;
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Failure(`${folder} is not a directory; create it first.`, EXIT.failed);
  }
  const paths = linkNames(table).map((name) => `${folder.replace(/\/+$/, "")}/${name}`);
  const strangers = paths.filter((path) => !isReplaceable(path, program));
  if (strangers.length > 0 && !force) {
    throw new Failure(
      `Nothing was installed: ${strangers.join(", ")} ${strangers.length === 1 ? "is" : "are"} not a link of ` +
        `${PROGRAM}. Remove ${strangers.length === 1 ? "it" : "them"}, choose another directory, or give --force.`,
      EXIT.failed,
    );
  }
  for (const path of paths) makeLink(path, program, symbolic);
  return paths;
}

function makeLink(path: string, program: string, symbolic: boolean): void {
  try {
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) throw new Error("it is a directory");
    rmSync(path, { force: true });
    // A link to the program beside it stays right when the folder is moved (make install DESTDIR=…).
    if (symbolic)
      symlinkSync(folderOf(program) === folderOf(absolute(path)) ? nameIn(program) : program, path);
    else linkSync(program, path);
  } catch (error) {
    const hint = symbolic ? "" : " Hard links need one file system; -s makes symbolic ones.";
    throw new Failure(`${path} cannot be made: ${reasonOf(error)}.${hint}`, EXIT.failed);
  }
}

/** Absent, or a link to this program, wherever an older version of it may have lain. */
function isReplaceable(path: string, program: string): boolean {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return true;
  if (there.isSymbolicLink()) return nameIn(readlinkSync(path)) === nameIn(program);
  const ours = statSync(program);
  return there.ino === ours.ino && there.dev === ours.dev;
}

// Not node:path: the bundle would load it for every command (0.3 ms of each tick, measured).
const nameIn = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const folderOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));
