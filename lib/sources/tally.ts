/** What a walk counts. Pure. */

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

/** A folder that is told of by itself; what lies deeper counts to it. */
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
