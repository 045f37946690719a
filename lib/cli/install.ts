/** --install: makes a link for every command, like `busybox --install`. */

import { linkSync, lstatSync, readlinkSync, rmSync, statSync, symlinkSync } from "node:fs";
import { PROGRAM } from "../environment.ts";
import { EXIT, Failure, reasonOf } from "../errors.ts";
import { absolute } from "../paths.ts";
import { linkNames, type Row } from "../run/command.ts";

export interface InstallOptions {
  readonly folder: string;
  /** Symbolic links instead of hard ones. */
  readonly symbolic: boolean;
  /** Replace files that are not links to this program, too. */
  readonly force: boolean;
}

/**
 * Makes the links and returns their paths. Throws a Failure before it makes any when one of them would replace
 * another program's file and `force` is not set.
 */
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
    // A relative link in the program's own folder stays valid when that is moved (make install DESTDIR=…).
    if (symbolic)
      symlinkSync(folderOf(program) === folderOf(absolute(path)) ? nameIn(program) : program, path);
    else linkSync(program, path);
  } catch (error) {
    const hint = symbolic ? "" : " Hard links need one file system; -s makes symbolic ones.";
    throw new Failure(`${path} cannot be created: ${reasonOf(error)}.${hint}`, EXIT.failed);
  }
}

/** Is the path free, or a link to this program or to an older version of it elsewhere? */
function isReplaceable(path: string, program: string): boolean {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return true;
  if (there.isSymbolicLink()) return nameIn(readlinkSync(path)) === nameIn(program);
  const ours = statSync(program);
  return there.ino === ours.ino && there.dev === ours.dev;
}

// Without node:path, which the bundle would load for every command (0.3 ms of each tick, measured).
const nameIn = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const folderOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));
