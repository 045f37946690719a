/**
 * One walk over what a backup reads, as fast as `du -sk` and `find -type f` one after the other (measured, see make
 * bench). Its cost is an lstat(2) of each name, and the kernel's path lookup for it: so the walk changes into each
 * folder, as du does.
 */

import { lstatSync, promises, readdirSync, type Stats } from "node:fs";
import { errnoOf, reasonOf } from "../errors.ts";
import { isServed, noteAnswer, readMounts, SILENCE, silentAt } from "../files/mounts.ts";
import { answered } from "../files/within.ts";
import { eventLoopTurn } from "../process/stop.ts";
import { enableJit } from "../runtime.ts";
import {
  Counter,
  countType,
  DIRECTORY,
  isUnknown,
  type Level,
  PLAIN,
  PLAIN_MASK,
  sum,
  Tally,
  TYPE,
} from "./count.ts";

export interface WalkOptions {
  /** Are sizes wanted? Without them only folders are read, and files are not examined. */
  readonly sizes: boolean;
  /** Folders down to this depth below a source are reported separately. */
  readonly depth: number;
  readonly oneFileSystem: boolean;
  /** Called for every entry that cannot be read. */
  readonly onError: (path: string, reason: string) => void;
  /** Asked now and then whether to stop. */
  readonly enough: () => boolean;
}

interface Folder {
  /** A Buffer where the name is not UTF-8. */
  readonly path: string | Buffer;
  readonly level: Level;
}

/** Milliseconds of work after which signals get their turn. */
const TURN_MS = 50;
/** Folders after which a tree is large. */
const MANY = 50;
/** Names from which it is cheaper to go into the folder than to look each up from the root (measured on ext4). */
const WORTH_A_WAY = 8;
const SLASH = Buffer.from("/");
/** What stands in a string for bytes that are not UTF-8. */
const ODD = "\ufffd";
export class Walk {
  private readonly counter = new Counter();
  private rested = performance.now();
  private folders = 0;
  // Of the source that is walked now:
  private stack: Folder[] = [];
  /** Folders in mounts that others serve, and the points of all such mounts. */
  private readonly served: Folder[] = [];
  private points: readonly string[] = [];
  private levels: Level[] = [];
  /** The file system that is not to be left. */
  private device: number | undefined;
  /** Where to go back to; undefined when that would fail, and the walk must not go anywhere. */
  private home: string | undefined;

  constructor(private readonly options: WalkOptions) {}

  /** Walks the file or folder at `root`, whose stat is known. Returns the levels, the root's own first. */
  async run(root: string, stat: Stats): Promise<Level[]> {
    const top: Level = { path: root, parent: undefined, depth: 0, tally: new Tally() };
    this.levels = [top];
    if (!stat.isDirectory()) {
      this.take(root, stat, { path: root, level: top }, false);
      return this.levels;
    }
    top.tally.folders++;
    this.device = this.options.oneFileSystem ? stat.dev : undefined;
    this.home = root.startsWith("/") ? workingDirectory() : undefined;
    this.stack = [{ path: root, level: top }];
    this.points = readMounts()
      .filter(isServed)
      .map(({ at }) => at);
    for (;;) {
      this.stretch();
      const served = this.served.pop();
      if (served !== undefined) await this.weighServed(served);
      else if (this.stack.length === 0) break;
      await eventLoopTurn();
      this.rested = performance.now();
      if (this.options.enough()) break;
    }
    sum(this.levels);
    return this.levels;
  }

  /** Goes on until it is time to rest. Nothing else of the program runs meanwhile, so the working directory may change. */
  private stretch(): void {
    try {
      for (let folder = this.stack.pop(); folder !== undefined; folder = this.stack.pop()) {
        if (this.folders++ === MANY) enableJit();
        if (this.points.length > 0 && this.isServed(folder.path)) {
          this.served.push(folder);
          continue;
        }
        if (Buffer.isBuffer(folder.path)) this.weighBytes(folder);
        else if (this.options.sizes) this.weigh(folder, folder.path);
        else this.list(folder, folder.path);
        if (performance.now() - this.rested > TURN_MS) return;
      }
    } finally {
      if (this.home !== undefined && !goTo(this.home)) process.chdir("/");
    }
  }

  /**
   * Looks at every name of the folder. This is where all the time goes, so most files are counted on the spot, and the
   * compiler is given little to chew on.
   */
  private weigh(folder: Folder, path: string): void {
    const names = this.read(folder, () => readdirSync(path));
    const isIn = names.length >= WORTH_A_WAY && this.home !== undefined && goTo(path);
    const { tally } = folder.level;
    let isOdd = false;
    for (let at = 0; at < names.length; at++) {
      const name = names[at] as string;
      if (name.includes(ODD)) {
        isOdd = true;
        continue;
      }
      const where = isIn ? name : joined(path, name);
      try {
        const stat = lstatSync(where);
        if ((stat.mode & PLAIN_MASK) === PLAIN && stat.nlink === 1) {
          tally.files++;
          tally.bytes += stat.size;
        } else this.take(where, stat, folder, isIn);
      } catch (error) {
        this.lost(where, error, folder, isIn);
      }
    }
    if (isOdd) this.weighBytes(folder);
  }

  private isServed(path: string | Buffer): boolean {
    const at = path.toString();
    const below = at.endsWith("/") ? at : `${at}/`;
    // To look at a mount point is to ask the server, so that the folder around one is looked through with the same care.
    return this.points.some(
      (point) =>
        at === point ||
        at.startsWith(`${point}/`) ||
        (point.startsWith(below) && !point.slice(below.length).includes("/")),
    );
  }

  /** The mount point that the path lies in; itself where it lies in none. */
  private pointOf(path: string): string {
    return this.points.find((each) => path.startsWith(`${each}/`)) ?? path;
  }

  /** The same in a mount that others serve, which may die at any name: slower, one after the other, and never for long. */
  private async weighServed(folder: Folder): Promise<void> {
    const at = folder.path.toString();
    try {
      if (silentAt(at) !== undefined) throw new Error(SILENCE);
      const names = await answered(promises.readdir(folder.path, { encoding: "buffer" }));
      const above = Buffer.from(folder.path);
      for (const name of names ?? []) {
        if (this.options.enough()) return;
        const path = Buffer.concat([above, SLASH, name]);
        const where = path.toString().includes(ODD) ? path : path.toString();
        try {
          if (silentAt(path.toString()) !== undefined) throw new Error(SILENCE);
          const stat = await answered(promises.lstat(where));
          if (stat === undefined) noteAnswer(this.pointOf(where.toString()), false);
          else this.take(where, stat, folder, false);
        } catch (error) {
          this.lost(where, error, folder, false);
        }
        if (silentAt(at) !== undefined) break;
      }
      if (names === undefined) noteAnswer(this.pointOf(at), false);
      if (silentAt(at) !== undefined) throw new Error(SILENCE);
    } catch (error) {
      this.fail(folder.path, error, folder.level.tally);
    }
  }

  /** Looks at the names that are not UTF-8; below such a one at all names. */
  private weighBytes(folder: Folder): void {
    const { path } = folder;
    const above = Buffer.isBuffer(path) ? path : Buffer.from(path);
    for (const name of this.read(folder, () => readdirSync(path, { encoding: "buffer" }))) {
      if (above === path || name.toString().includes(ODD))
        this.look(Buffer.concat([above, SLASH, name]), folder);
    }
  }

  /** Takes the types that readdir(3) tells. */
  private list(folder: Folder, path: string): void {
    let isOdd = false;
    for (const entry of this.read(folder, () => readdirSync(path, { withFileTypes: true }))) {
      // With names as bytes Bun 1.4 gives no types.
      if (entry.name.includes(ODD)) isOdd = true;
      else if (entry.isDirectory()) this.enter(joined(path, entry.name), folder, undefined);
      else if (isUnknown(entry)) this.look(joined(path, entry.name), folder);
      else countType(entry, folder.level.tally);
    }
    if (isOdd) this.weighBytes(folder);
  }

  private read<T>({ path, level }: Folder, names: () => T[]): T[] {
    try {
      return names();
    } catch (error) {
      this.fail(path, error, level.tally);
      return [];
    }
  }

  /** `at`: the name, when we are in its folder; else its path. */
  private look(at: string | Buffer, from: Folder): void {
    try {
      this.take(at, lstatSync(at), from, false);
    } catch (error) {
      this.lost(at, error, from, false);
    }
  }

  private lost(at: string | Buffer, error: unknown, from: Folder, isIn: boolean): void {
    // Removed between the two calls: backup will not see it either.
    if (errnoOf(error) !== "ENOENT") this.fail(pathOf(at, from, isIn), error, from.level.tally);
  }

  private take(at: string | Buffer, stat: Stats, from: Folder, isIn: boolean): void {
    if ((stat.mode & TYPE) === DIRECTORY) this.enter(pathOf(at, from, isIn), from, stat.dev);
    else if (!this.counter.count(at, stat, from.level.tally))
      this.options.onError(pathOf(at, from, isIn).toString(), "permission denied");
  }

  private enter(path: string | Buffer, { level }: Folder, device: number | undefined): void {
    let own = level;
    if (level.depth < this.options.depth) {
      own = { path: path.toString(), parent: level, depth: level.depth + 1, tally: new Tally() };
      this.levels.push(own);
    }
    own.tally.folders++;
    if (this.device !== undefined && (device ?? deviceOf(path)) !== this.device) return;
    this.stack.push({ path, level: own });
  }

  private fail(path: string | Buffer, error: unknown, tally: Tally): void {
    tally.errors++;
    this.options.onError(path.toString(), reasonOf(error));
  }
}

const joined = (folder: string, name: string): string =>
  folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;
const pathOf = (at: string | Buffer, { path }: Folder, isIn: boolean): string | Buffer =>
  isIn ? joined(path as string, at as string) : at;
const deviceOf = (path: string | Buffer): number | undefined =>
  lstatSync(path, { throwIfNoEntry: false })?.dev;

/** undefined when it is gone, or not ours to enter. */
export function workingDirectory(): string | undefined {
  try {
    const here = process.cwd();
    return goTo(here) ? here : undefined;
  } catch {
    // It was removed.
    return undefined;
  }
}

export function goTo(folder: string): boolean {
  try {
    process.chdir(folder);
    return true;
  } catch {
    // What is wrong, reading it says, too.
    return false;
  }
}
