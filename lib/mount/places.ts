/** Where a mount must not go: it would cover what the system, the backup or this program needs. */

import { repositoryOf } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { type Place, place, sourcePlaces } from "../targets.ts";

const SYSTEM = ["/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr"];
/** Others put folders into these, so that a mount may lie inside; on top of one it would cover them all. */
const SHARED = ["/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var"];
const OWN = ["HOOKS_DIR", "LOG_DIR", "LOCK_DIR", "METRICS_DIR", "RESTIC_CACHE_DIR", "TMPDIR"] as const;

export function placesToKeepFree(settings: Settings): Place[] {
  const own = OWN.filter((name) => settings.text(name) !== "");
  const repository = localRepository(repositoryOf(settings));
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
