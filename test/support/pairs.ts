/** Two folders, a job file, and an rclone: what replicate works on. */

import { existsSync, readdirSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { World } from "./world.ts";

/** A world with folders `a` and `b`, a job file, and an rclone, real or made of /bin/sh. */
export class Pairs extends World {
  readonly a = this.folder("a");
  readonly b = this.folder("b");

  constructor(rclone: string) {
    super();
    if (rclone.startsWith("/")) symlinkSync(rclone, join(this.bin, "rclone"));
    else this.program("rclone", rclone);
    Object.assign(this.env, {
      REPLICATE_JOB_FILE: join(this.dir, "jobs"),
      RCLONE_CONFIG: join(this.dir, "rclone.conf"),
    });
    this.file("rclone.conf", "");
  }

  jobs(...lines: string[]): void {
    this.file("jobs", `${lines.join("\n")}\n`);
  }

  /** Writes a file that was last changed so many seconds ago. */
  put(name: string, content: string, secondsAgo = 0): void {
    const path = this.file(name, content);
    const time = Date.now() / 1000 - secondsAgo;
    utimesSync(path, time, time);
  }

  /** The names in `a` and in `b`. */
  get sides(): string[][] {
    return [this.a, this.b].map((side) => readdirSync(side).sort());
  }

  get listings(): string[] {
    const folder = join(this.dir, ".cache/rclone/bisync");
    return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  }

  get job() {
    return this.record("replicate").replicate_jobs[0];
  }

  replicate(env: Record<string, string> = {}) {
    return this.run("replicate", [], { env });
  }
}
