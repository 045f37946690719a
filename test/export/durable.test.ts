/** An archive is on the disk before it gets its name, and its name is on the disk before the export says so. */

import { expect } from "bun:test";
import { needing } from "../support/needing.ts";
import { withTemplate } from "../support/repository.ts";

const makeWorld = withTemplate();

needing("restic", "strace").test(
  "fsync of the file, rename, fsync of the folder, in this order",
  async () => {
    using world = makeWorld();
    const out = world.folder("out");
    const trace = [
      "-f",
      "-y",
      "-qq",
      "-o",
      `${world.dir}/trace`,
      "-e",
      "trace=/^(fsync|fdatasync|rename.*)$",
    ];
    const words = ["snapshot-export", "--output", `${out}/x.tar.gz`, "--host", "", "--tag", ""];
    world.link("snapshot-export");
    const { code, stdout } = await world.exec(["strace", ...trace, ...words]);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining("snapshot-export finished: ok"),
    });
    // Threads of a pool make the calls: a line that another one cut short is continued by its `resumed`.
    const calls = world
      .read("trace")
      .split("\n")
      .filter((line) => line.includes(out))
      .map((line) => line.replace(/^\d+ +/, ""));
    const isSync = (path: RegExp) => (line: string) => /^f(data)?sync\(/.test(line) && path.test(line);
    const file = calls.findIndex(isSync(/\/out\/[^>]+>/));
    const rename = calls.findIndex((line) => /^rename/.test(line) && line.includes(`${out}/x.tar.gz"`));
    const folder = calls.findIndex(isSync(/\/out>/));
    expect({ calls, order: [file, rename, folder] }).toEqual({ calls, order: [0, 1, 2] });
  },
);
