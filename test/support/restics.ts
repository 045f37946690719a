/** The restics that behave differently, as test/tools/restics has fetched them. */

import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

export interface Tool {
  readonly version: string;
  readonly path: string;
}

const list = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "restic-backup-helper/tools/list");

function tools(program: string): Tool[] {
  if (!existsSync(list)) return [];
  return readFileSync(list, "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([name, , , path]) => name === program && path !== undefined && existsSync(path))
    .map(([, version = "", , path = ""]) => ({ version, path }));
}

/** Every restic that was fetched, oldest first; at least the one on PATH. */
export const restics: readonly Tool[] = (() => {
  const fetched = tools("restic").sort((a, b) => Bun.semver.order(a.version, b.version));
  const onPath = Bun.which("restic");
  return fetched.length > 0 || onPath === null ? fetched : [{ version: "installed", path: onPath }];
})();

/** The newest, where any restic will do. */
export const restic: Tool = restics.at(-1) ?? { version: "missing", path: "restic" };

/** rclone from Debian's sid, and the one on PATH. */
export const rclones: readonly Tool[] = [
  ...tools("rclone"),
  ...(Bun.which("rclone") === null ? [] : [{ version: "installed", path: Bun.which("rclone") ?? "" }]),
];
