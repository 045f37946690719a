/** Places where restored files or a mount must not go: one rule for every command that takes a --target. */

import { readdirSync, readlinkSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Settings } from "./config/settings.ts";
import { errnoOf } from "./errors.ts";

/** A place that a target must keep away from. Paths are real ones: absolute, without links. */
export interface Forbidden {
  readonly path: string;
  /** What it is, for the message: `a source of the backup (BACKUP_ROOT_DIR)`. */
  readonly what: string;
  /** Is all that lies inside of it forbidden too? What lies above it always is, for it would be covered. */
  readonly inside: boolean;
}

export interface Refusal {
  /** A caller may let --force pass the one rule and not the other. */
  readonly rule: "forbidden" | "not a directory" | "not empty";
  /** For use after "The target … is refused: ". */
  readonly reason: string;
}

/** What is known of a target. */
export interface Target {
  /** As the operator wrote it. */
  readonly given: string;
  /** Where that leads through every link; a part that is not there yet is taken as written. */
  readonly real: string;
  readonly kind: "missing" | "directory" | "other";
  /** A directory that cannot be read counts as not empty. */
  readonly empty: boolean;
}

/** Why `target` must not be used; undefined when nothing speaks against it. Pure. */
export function refusalOf({
  target,
  forbidden,
}: {
  readonly target: Target;
  readonly forbidden: readonly Forbidden[];
}): Refusal | undefined {
  const { given, real, kind, empty } = target;
  const found = forbidden
    .map((place) => ({ ...place, how: relation(real, place.path) }))
    .filter(({ how, inside }) => how !== undefined && (how !== "lies inside" || inside))
    // Itself before what is near, and the nearest says most: /usr/lib is refused as /usr/lib, then as /usr.
    .sort((a, b) => Number(b.how === "is") - Number(a.how === "is") || b.path.length - a.path.length)[0];
  if (found !== undefined) {
    const led = real === given ? "" : `${given} leads to ${real}, and `;
    const place = found.how === "is" ? found.what : `${found.path}, ${found.what}`;
    return { rule: "forbidden", reason: `${led}it ${found.how} ${place}` };
  }
  if (kind === "other") return { rule: "not a directory", reason: "it is not a directory" };
  if (kind === "directory" && !empty) return { rule: "not empty", reason: "it is not empty" };
  return undefined;
}

function relation(path: string, place: string): "is" | "lies inside" | "lies above" | undefined {
  if (path === place) return "is";
  if (isBelow(path, place)) return "lies inside";
  return isBelow(place, path) ? "lies above" : undefined;
}

const isBelow = (path: string, folder: string): boolean =>
  path.startsWith(folder === "/" ? "/" : `${folder}/`);

/** What must never be written over: the root, /data and each BACKUP_ROOT_DIR. */
export function sourcePlaces(settings: Settings): Forbidden[] {
  const what = "a source of the backup (BACKUP_ROOT_DIR)";
  const roots = settings.lines("BACKUP_ROOT_DIR").map((path) => realPath(path));
  return [
    { path: "/", what: "the root of the file system", inside: false },
    { path: realPath("/data"), what: "the place of the data to back up", inside: true },
    // Everything lies inside /: a backup of all the machine still leaves room for a target.
    ...roots.map((path) => ({ path, what, inside: path !== "/" })),
  ];
}

export function lookAtTarget(given: string): Target {
  const real = realPath(given);
  const stat = statSync(real, { throwIfNoEntry: false });
  if (stat === undefined) return { given, real, kind: "missing", empty: true };
  if (!stat.isDirectory()) return { given, real, kind: "other", empty: false };
  return { given, real, kind: "directory", empty: isEmpty(real) };
}

/** The path without links; what is not there (yet) is appended as it stands. */
export function realPath(path: string): string {
  const absolute = resolve(path);
  if (absolute === "/") return absolute;
  try {
    return realpathSync(absolute);
  } catch (error) {
    if (errnoOf(error) === "ELOOP") return absolute;
    // Missing, or a mount whose server has died (ENOTCONN): its place is known all the same.
    const folder = realPath(dirname(absolute));
    const link = linkAt(join(folder, basename(absolute)));
    return link === undefined ? join(folder, basename(absolute)) : realPath(resolve(folder, link));
  }
}

/** Where a link leads that leads nowhere yet; undefined for what is no link. */
function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // EINVAL: no link. ENOENT, ENOTCONN: nothing that could be one.
    return undefined;
  }
}

function isEmpty(folder: string): boolean {
  try {
    return readdirSync(folder).length === 0;
  } catch {
    // What cannot be looked into must not be taken for empty.
    return false;
  }
}
