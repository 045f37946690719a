/** Where a path really leads, and how two paths lie to each other. */

import { readdirSync, readlinkSync, realpathSync } from "node:fs";
import { errnoOf } from "./errors.ts";

/** The path without `.`, `..`, doubled and trailing slashes, seen from `folder` when it is relative. */
export function absolute(path: string, folder = process.cwd()): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${folder}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** ENOTCONN: a FUSE mount whose server has died still has its place. */
const ABSENT = ["ENOENT", "ENOTCONN"];

/**
 * Where a path leads once every symbolic link in it is followed. What does not exist yet is taken as it stands,
 * below the part that does. Throws what realpath(3) says of a loop of links or a folder that it may not search.
 */
export function realPath(path: string): string {
  const missing: string[] = [];
  // Not made absolute by text first: `link/..` is the folder above what the link leads to.
  let there = path.startsWith("/") ? path : `${process.cwd()}/${path}`;
  for (;;) {
    try {
      // The native one goes by the links too where `..` follows them.
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
        // It leads to what is not there yet: who makes that, makes it there.
        there = link.startsWith("/") ? link : `${folder}/${link}`;
      }
    }
  }
}

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // EINVAL: it is no link. Anything else: there is nothing that could be one.
    return undefined;
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
