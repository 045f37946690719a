/** What a walk counts, and how each entry that is not a folder is counted. */

import { accessSync, constants, type Dirent, type Stats } from "node:fs";

/** Of inode(7). Stats has methods for the types, which cost ten times as much. */
export const TYPE = 0o170000;
export const DIRECTORY = 0o040000;
const [REGULAR, LINK, READ_BY_ALL] = [0o100000, 0o120000, 0o004];
/** A file that all may read. */
export const PLAIN_MASK = TYPE | READ_BY_ALL;
export const PLAIN = REGULAR | READ_BY_ALL;

export class Counter {
  private readonly isRoot = process.getuid?.() === 0;
  /** Inodes with more than one name, by device. */
  private readonly seen = new Map<number, Set<number>>();

  /** `at`: where it is, as seen from here. Returns false when it cannot be read, which it counts too. */
  count(at: string | Buffer, stat: Stats, tally: Tally): boolean {
    const { mode, size } = stat;
    if ((mode & TYPE) !== REGULAR) {
      if ((mode & TYPE) === LINK) tally.links++;
      else tally.specials++;
      return true;
    }
    tally.files++;
    tally.bytes += size;
    if (stat.nlink > 1 && this.isKnown(stat)) tally.hardLinkBytes += size;
    // Root, unless deprived of that capability, may read everything; for others the mode decides, or else access(2).
    if ((mode & READ_BY_ALL) !== 0 || this.mayRead(at, stat)) return true;
    tally.errors++;
    return false;
  }

  private mayRead(at: string | Buffer, { mode, uid }: Stats): boolean {
    if (!this.isRoot && uid === process.getuid?.() && (mode & 0o400) !== 0) return true;
    try {
      accessSync(at, constants.R_OK);
      return true;
    } catch {
      // That is the answer.
      return false;
    }
  }

  private isKnown({ dev, ino }: Stats): boolean {
    let inodes = this.seen.get(dev);
    if (inodes === undefined) {
      inodes = new Set();
      this.seen.set(dev, inodes);
    }
    const isKnown = inodes.has(ino);
    inodes.add(ino);
    return isKnown;
  }
}

/** Some file systems do not report types. */
export const isUnknown = (entry: Dirent): boolean =>
  !entry.isFile() && !entry.isSymbolicLink() && !isSpecial(entry);
const isSpecial = (entry: Dirent): boolean =>
  entry.isFIFO() || entry.isSocket() || entry.isCharacterDevice() || entry.isBlockDevice();

export function countType(entry: Dirent, tally: Tally): void {
  if (entry.isFile()) tally.files++;
  else if (entry.isSymbolicLink()) tally.links++;
  else tally.specials++;
}

/** What a source, or a folder of it, holds. */
export class Tally {
  files = 0;
  folders = 0;
  links = 0;
  /** Named pipes, sockets and devices. */
  specials = 0;
  /** Of all names of a file: restic reads each of them. */
  bytes = 0;
  /** What of it is a further name of a file that was counted before. */
  hardLinkBytes = 0;
  errors = 0;
}

/** A folder that is reported by itself; everything deeper counts towards it. */
export interface Level {
  readonly path: string;
  readonly parent: Level | undefined;
  readonly depth: number;
  readonly tally: Tally;
}

export function addTo(all: Tally, more: Tally): void {
  for (const key of Object.keys(all) as (keyof Tally)[]) all[key] += more[key];
}

/** Adds each level to the one above it. A level stands behind its parent. */
export function sum(levels: readonly Level[]): void {
  for (let at = levels.length - 1; at > 0; at--) {
    const { parent, tally } = levels[at] as Level;
    if (parent !== undefined) addTo(parent.tally, tally);
  }
}
