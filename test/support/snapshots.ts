/** A repository with snapshots of known dates, hosts and tags, made once and copied. */

import { cpSync } from "node:fs";
import { join } from "node:path";
import { restics } from "./restics.ts";
import { makeTree } from "./tree.ts";
import { World } from "./world.ts";

/** Times in UTC, oldest first. The first four are of testhost with the tag automated, and hold the whole tree. */
export const TIMES = [
  "2026-03-01 10:00:00",
  "2026-03-29 00:30:00",
  "2026-04-01 12:00:00",
  "2026-05-11 09:30:00",
] as const;
/** Of otherhost with the tags other and extra; holds the folder docs only. */
export const OTHER_TIME = "2026-06-01 08:00:00";

export class Snapshots {
  private readonly world = new World();
  /** The folder that was backed up; its path is in the snapshots. */
  readonly source = this.world.folder("data");
  /** Long ids, as TIMES and OTHER_TIME. */
  ids: string[] = [];

  /** Made with the oldest restic: newer ones can read it. */
  static async make(): Promise<Snapshots> {
    const made = new Snapshots();
    const { world, source } = made;
    makeTree(source);
    world.useRestic(restics[0]?.path ?? "restic");
    await world.exec(["restic", "init"]);
    const backup = (time: string, host: string, tags: string[], path: string) =>
      world.exec([
        ...["restic", "backup", "--quiet", "--time", time, "--host", host],
        ...tags.flatMap((tag) => ["--tag", tag]),
        path,
      ]);
    for (const time of TIMES) await backup(time, "testhost", ["automated"], source);
    await backup(OTHER_TIME, "otherhost", ["other", "extra"], join(source, "docs"));
    const { stdout } = await world.exec(["restic", "snapshots", "--json"]);
    const snapshots: { id: string; time: string }[] = JSON.parse(stdout);
    made.ids = snapshots.sort((a, b) => (a.time < b.time ? -1 : 1)).map(({ id }) => id);
    return made;
  }

  /** A world with a copy of the repository, and that restic. */
  open(restic: string): World {
    const world = new World();
    world.useRestic(restic);
    cpSync(join(this.world.dir, "repository"), join(world.dir, "repository"), { recursive: true });
    return world;
  }

  /** The short id of the snapshot made at TIMES[at]. */
  short(at: number): string {
    return this.ids.at(at)!.slice(0, 8);
  }

  [Symbol.dispose](): void {
    this.world[Symbol.dispose]();
  }
}
