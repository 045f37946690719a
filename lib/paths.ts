/** Where a path really leads, and how two paths lie to each other. */

import { readdirSync, realpathSync } from "node:fs";
import { errnoOf } from "./errors.ts";

/**
 * The path without `.`, `..`, doubled and trailing slashes, seen from `folder` when it is relative. By its text, as
 * restic does it: `link/..` is where the link lies.
 */
export function absolute(path: string, folder = process.cwd()): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${folder}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/**
 * Where a path leads once every symbolic link in it is followed. What does not exist yet is taken as it stands,
 * below the part that does. Throws what realpath(3) says of a loop of links or a folder that it may not search.
 */
export function realPath(path: string): string {
  let there = absolute(path);
  let missing = "";
  for (;;) {
    try {
      return absolute(realpathSync(there || "/") + missing);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
      const cut = there.lastIndexOf("/");
      missing = there.slice(cut) + missing;
      there = there.slice(0, cut);
    }
  }
}

/** How `path` lies to `other`; both are real paths. undefined when neither holds the other. */
export function relation(path: string, other: string): "same" | "inside" | "above" | undefined {
  if (path === other) return "same";
  if (isBelow(path, other)) return "inside";
  return isBelow(other, path) ? "above" : undefined;
}

function isBelow(path: string, folder: string): boolean {
  return folder === "/" ? path !== "/" : path.startsWith(`${folder}/`);
}

/** Is there nothing at `path`, or an empty folder? Throws when it is no folder or cannot be read. */
export function isVacant(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return true;
    throw error;
  }
}
