/** Which snapshots a command means: by default those that backup makes here. */

import type { Settings } from "../config/settings.ts";
import { UsageError } from "../errors.ts";
import { systemHostname } from "../host.ts";

/** What is undefined or empty does not narrow them. */
export interface SnapshotFilter {
  readonly host: string | undefined;
  readonly tag: string | undefined;
  readonly paths: readonly string[];
}

/** The flags as they were given; an empty string means "any". */
export interface GivenFilter {
  readonly host: string | undefined;
  readonly tag: string | undefined;
  readonly paths: readonly string[];
  readonly repoWide: boolean;
}

/** Throws a UsageError for flags that contradict each other. */
export function filterOf(settings: Settings, { host, tag, paths, repoWide }: GivenFilter): SnapshotFilter {
  const relative = paths.find((path) => !path.startsWith("/"));
  if (relative !== undefined) throw new UsageError(`--path ${relative} is not absolute; begin it with /.`);
  if (repoWide && (host || tag)) {
    throw new UsageError("--repo-wide takes snapshots of any host and tag; leave out --host and --tag.");
  }
  if (repoWide) return { host: undefined, tag: undefined, paths };
  return {
    host: (host ?? backupHost(settings)) || undefined,
    tag: (tag ?? settings.text("RESTIC_TAG")) || undefined,
    paths,
  };
}

/** The host that backup's snapshots have. */
function backupHost(settings: Settings): string {
  return settings.env.RESTIC_HOST || settings.text("HOSTNAME") || systemHostname();
}

/** restic's words for it. Pure. */
export function filterArgs({ host, tag, paths }: SnapshotFilter): string[] {
  return [
    ...(host ? ["--host", host] : []),
    ...(tag ? ["--tag", tag] : []),
    ...paths.flatMap((path) => ["--path", path]),
  ];
}

/** `the snapshots of host larak with tag automated`. Pure. */
export function filterText({ host, tag, paths }: SnapshotFilter): string {
  const words = [
    host || tag || paths.length > 0 ? "the snapshots" : "all snapshots",
    host && `of host ${host}`,
    tag && `with tag ${tag}`,
    ...paths.map((path) => `holding ${path}`),
  ];
  return words.filter(Boolean).join(" ");
}
