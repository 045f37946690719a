/**
 * Where restored files or a mount must not go: one rule for every command that takes a --target.
 *
 * Where a mount must not go: it would cover what the system, the backup or this program needs.
 */

import type { Context } from "../context.ts";
import { reasonOf } from "../errors.ts";
import { absolute, isVacant, realPath, relation } from "../paths.ts";

/** A place that a target must keep away from. */
export interface Place {
  /** Its real path. */
  readonly path: string;
  /** As messages name it: `BACKUP_ROOT_DIR /srv`. */
  readonly name: string;
  /** Must a target keep out of what lies inside it, too? What lies above always covers it. */
  readonly inside: boolean;
}

/** Why a target is refused. */
export interface Refusal {
  /** For use in a sentence: `it is not empty`. */
  readonly why: string;
  /** Would it harm the system or the sources, rather than only what lies in the target? */
  readonly grave: boolean;
}

/** The data volume of the image. */
const DATA = "/data";
const ROOT: Place = { path: "/", name: "the root of the file system", inside: false };

export const place = (path: string, name: string, inside: boolean): Place => ({
  path: realPath(path),
  name,
  inside,
});

/** What is backed up: /data, each of `roots` (BACKUP_ROOT_DIR), and the root of all. Throws as realPath does. */
export function sourcePlaces(roots: readonly string[]): Place[] {
  const sources = [
    place(DATA, DATA, true),
    ...roots.map((root) => place(root, `BACKUP_ROOT_DIR ${root}`, true)),
  ];
  // Everything is inside of /: who backs up all of a system must restore somewhere.
  return [ROOT, ...sources.filter(({ path }) => path !== "/")];
}

/**
 * Why `path`, a real one, is refused as a target; undefined when it is not. Pure, but for what `isVacant` looks at
 * when no place speaks against it.
 */
export function refusalOf(
  path: string,
  places: readonly Place[],
  isVacant: () => boolean,
): Refusal | undefined {
  const found = places
    .map((each) => ({ ...each, how: relation(path, each.path) }))
    .filter(({ how, inside }) => how !== undefined && (how !== "inside" || inside))
    // The place itself says more than what is near, and the nearest more than the others.
    .sort((a, b) => Number(b.how === "same") - Number(a.how === "same") || b.path.length - a.path.length)[0];
  if (found !== undefined) {
    return {
      why: found.how === "same" ? `it is ${found.name}` : `it is ${found.how} ${found.name}`,
      grave: true,
    };
  }
  return isVacant() ? undefined : { why: "it is not empty", grave: false };
}

/**
 * Why nothing may be restored to `target`; undefined when it may be. `roots` are BACKUP_ROOT_DIR's paths. Compares
 * real paths, so that no symbolic link leads past it.
 */
export function restoreRefusal(
  target: string,
  roots: readonly string[],
  mayHold: boolean,
): Refusal | undefined {
  try {
    const places = sourcePlaces(roots);
    // restic shortens `link/..` by its text, the kernel goes where the link leads: neither may be a wrong place.
    const found = [target, absolute(target)].map((each) => {
      const path = realPath(each);
      return refusalOf(path, places, () => mayHold || isVacant(path));
    });
    return found.find((refusal) => refusal?.grave) ?? found.find((refusal) => refusal !== undefined);
  } catch (error) {
    return { why: `it cannot be looked at: ${reasonOf(error)}`, grave: true };
  }
}

const SYSTEM = ["/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr"];
/** Others put folders into these, so that a mount may lie inside; on top of one it would cover them all. */
const SHARED = ["/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var"];
const OWN = ["HOOKS_DIR", "LOG_DIR", "LOCK_DIR", "METRICS_DIR", "RESTIC_CACHE_DIR", "TMPDIR"] as const;

export function placesToKeepFree({ settings, repository: named }: Context): Place[] {
  const own = OWN.filter((name) => settings.text(name) !== "");
  const repository = localRepository(named);
  return [
    ...sourcePlaces(settings.lines("BACKUP_ROOT_DIR")),
    ...SYSTEM.map((path) => place(path, `${path}, a directory of the system`, true)),
    ...SHARED.map((path) => place(path, `${path}, which others share`, false)),
    ...own.map((name) => place(settings.text(name), `${name} ${settings.text(name)}`, false)),
    // restic would wait for itself.
    ...(repository === undefined ? [] : [place(repository, `the repository ${repository}`, true)]),
  ];
}

/** The folder of a repository on a file system; undefined for one behind a protocol. Pure. */
export function localRepository(repository: string): string | undefined {
  if (repository.startsWith("local:")) return repository.slice("local:".length);
  return /^[a-z0-9]+:/.test(repository) ? undefined : repository;
}
