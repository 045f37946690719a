/**
 * What the ENV lines of the image set. To us a variable of the image looks like one that the container was given; so
 * the image's build notes them (`RUN restic-backup-helper env --image`), and they are named nowhere else.
 */

import { mkdirSync } from "node:fs";
import { readIfThere, replaceFile } from "./files.ts";

export type ImageDefaults = Readonly<Record<string, string>>;

/** Beside the program, as hier(7) has it: /usr/local/share/… for /usr/local/bin/restic-backup-helper. */
const FOLDER = `${process.execPath.replace(/\/[^/]*\/[^/]*$/, "")}/share/restic-backup-helper`;
const FILE = `${FOLDER}/image.json`;

/** Nothing where nobody has noted any, or where the note cannot be read: then everything counts as given. */
export function readImageDefaults(): ImageDefaults {
  try {
    return (JSON.parse(readIfThere(FILE) ?? "{}") ?? {}) as ImageDefaults;
  } catch {
    // Half a file, or not ours to read: as if nobody had noted any.
    return {};
  }
}

/** Returns the path of the file. Throws what mkdir(2), open(2) and rename(2) say. */
export function writeImageDefaults(defaults: ImageDefaults): string {
  mkdirSync(FOLDER, { recursive: true });
  replaceFile(FILE, `${JSON.stringify(defaults, null, 2)}\n`);
  return FILE;
}
