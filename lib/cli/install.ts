/** --install: makes a link for every command, like `busybox --install`. */

import { linkSync, lstatSync, readlinkSync, renameSync, rmSync, statSync, symlinkSync } from "node:fs";
import { PROGRAM } from "../environment.ts";
import { EXIT, Failure, reasonOf } from "../errors.ts";
import { discard, temporaryOf } from "../files/files.ts";
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
 * Makes all links and returns their paths, or makes none: whatever fails, each path is as it was. Throws a Failure, also
 * when a link would replace another program's file and `force` is not set, or a folder.
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
  const directory = strangers.find((path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory());
  if (directory !== undefined) throw cannot(directory, "it is a directory", symbolic);
  /** Takes back what was done, the last first. */
  const undo: (() => void)[] = [];
  /** What is removed once all links are there. */
  const replaced: string[] = [];
  for (const path of paths) {
    try {
      // Made beside its place first: that is where room, rights or another file system stop it.
      const made = temporaryOf(path);
      makeLink(made, path, program, symbolic);
      undo.push(() => rmSync(made, { force: true }));
      if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) {
        const old = temporaryOf(path);
        renameSync(path, old);
        undo.push(() => renameSync(old, path));
        replaced.push(old);
      } else undo.push(() => rmSync(path, { force: true }));
      renameSync(made, path);
    } catch (error) {
      takeBack(undo, path, error);
      throw cannot(path, reasonOf(error), symbolic);
    }
  }
  for (const old of replaced) discard(old);
  return paths;
}

/** Throws a Failure where even that is impossible. */
function takeBack(undo: readonly (() => void)[], path: string, error: unknown): void {
  try {
    for (const step of undo.toReversed()) step();
  } catch (second) {
    throw new Failure(
      `${path} cannot be created: ${reasonOf(error)}. Nor can what was there before be put back: ` +
        `${reasonOf(second)}. Look for *.tmp in that directory.`,
      EXIT.failed,
    );
  }
}

function makeLink(at: string, path: string, program: string, symbolic: boolean): void {
  // A relative link in the program's own folder stays valid when that is moved (make install DESTDIR=…).
  if (symbolic) symlinkSync(folderOf(program) === folderOf(absolute(path)) ? nameIn(program) : program, at);
  else linkSync(program, at);
}

function cannot(path: string, reason: string, symbolic: boolean): Failure {
  const hint = symbolic ? "" : " Hard links need one file system; -s makes symbolic ones.";
  return new Failure(`${path} cannot be created: ${reason}.${hint} Nothing was installed.`, EXIT.failed);
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
