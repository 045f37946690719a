/** Resolves paths, and tells how two of them relate. */

import { readdirSync, realpathSync } from "node:fs";
import { errnoOf } from "./errors.ts";
import { demandAnswer, linkAt, silent, wayOf } from "./files/mounts.ts";

/** The path without `.`, `..`, doubled and trailing slashes; a relative one starts at `folder`. */
export function absolute(path: string, folder = process.cwd()): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${folder}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** ENOTCONN: a FUSE mount whose server has died. */
const ABSENT = ["ENOENT", "ENOTCONN"];

/**
 * The path with every symbolic link in it resolved. The part that does not exist yet is appended as written to the
 * part that does; so is what lies in a mount that is known not to answer. Throws the errors of realpath(3) for a loop of
 * links or a folder that may not be searched.
 */
export function realPath(path: string): string {
  const way = silent.size > 0 ? wayOf(path) : undefined;
  if (way?.end !== undefined) return absolute(way.path);
  const missing: string[] = [];
  // Not passed through `absolute` first: `link/..` is the folder above the link's target.
  let there = path.startsWith("/") ? path : `${process.cwd()}/${path}`;
  for (;;) {
    try {
      // The native version resolves links before a `..` that follows them.
      return absolute(missing.join("/"), realpathSync.native(there || "/"));
    } catch (error) {
      if (!ABSENT.includes(errnoOf(error) ?? "")) throw error;
      const name = there.replace(/\/+$/, "");
      const folder = name.slice(0, name.lastIndexOf("/"));
      const link = linkAt(name);
      if (link === undefined) {
        missing.unshift(name.slice(folder.length + 1));
        there = folder;
      } else {
        // A dangling link: whatever creates the path creates the link's target.
        there = link.startsWith("/") ? link : `${folder}/${link}`;
      }
    }
  }
}

/** Where `path` is relative to `other`; both are real paths. undefined when neither contains the other. */
export function relation(path: string, other: string): "same" | "inside" | "above" | undefined {
  if (path === other) return "same";
  if (isBelow(path, other)) return "inside";
  return isBelow(other, path) ? "above" : undefined;
}

function isBelow(path: string, folder: string): boolean {
  return folder === "/" ? path !== "/" : path.startsWith(`${folder}/`);
}

/** Is there nothing at `path`, or an empty folder? Throws when it is not a folder or cannot be read. */
export function isVacant(path: string): boolean {
  if (silent.size > 0) demandAnswer(path);
  try {
    return readdirSync(path).length === 0;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return true;
    throw error;
  }
}
