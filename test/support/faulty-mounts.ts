/** File systems with a fault, mounted for one test: full ones and read-only ones. Needs root. */

import { rmSync, writeFileSync } from "node:fs";

export const canMount = process.getuid?.() === 0;

export class Mount {
  private constructor(readonly path: string) {}

  /** A tmpfs of `size` on the folder `path`. */
  static tmpfs(path: string, size = "64k"): Mount {
    mount("-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path);
    return new Mount(path);
  }

  /** The folder `path` mounted on itself, with its content. */
  static bind(path: string): Mount {
    mount("--bind", path, path);
    return new Mount(path);
  }

  makeReadOnly(): void {
    mount("-o", "remount,bind,ro", this.path);
  }

  /** Leaves no byte free. Returns a function that makes room again. */
  fill(): () => void {
    const path = `${this.path}/filler`;
    let size = 4096;
    try {
      for (;;) writeFileSync(path, new Uint8Array(size), { flag: "a" });
    } catch {
      // Full, as intended; the smaller pieces fill what is left of the last page.
    }
    for (size = 512; size > 0; size = Math.floor(size / 2)) {
      try {
        writeFileSync(path, new Uint8Array(size), { flag: "a" });
      } catch {
        // Smaller pieces may still fit.
      }
    }
    return () => rmSync(path);
  }

  [Symbol.dispose](): void {
    Bun.spawnSync(["umount", "-l", this.path]);
  }
}

function mount(...words: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["mount", ...words]);
  if (exitCode !== 0) throw new Error(`mount ${words.join(" ")}: ${stderr}`);
}
