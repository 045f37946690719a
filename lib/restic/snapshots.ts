/** The snapshots of a repository: listing them, choosing the one that is asked for, and describing them. */

import { EXIT, Failure, UsageError } from "../errors.ts";
import type { Run } from "../run/run.ts";
import type { Fields } from "../schema/fields.ts";
import { plural, tableLines } from "../text.ts";
import { stamp, type Zone } from "../time/zone.ts";
import type { Restic } from "./restic.ts";

/** A snapshot from `restic snapshots --json`, as far as this program uses it. */
export interface Snapshot {
  readonly id: string;
  /** RFC 3339 with up to nine decimals. */
  readonly time: string;
  readonly hostname: string;
  readonly paths?: readonly string[] | null;
  readonly tags?: readonly string[] | null;
  /** Since 0.17, for snapshots made by 0.17 or later. */
  readonly summary?: { readonly total_files_processed?: number; readonly total_bytes_processed?: number };
}

/** The fields of a worker that reads a snapshot. */
export const snapshotFacts = {
  snapshot: { type: "string", help: "the snapshot's short id" },
  snapshot_id: { type: "string", help: "the same" },
} as const satisfies Fields;

/** "" matches everything. */
export interface Filter {
  /** Tags separated by commas; a snapshot must have all of them. */
  readonly tag: string;
  readonly host: string;
}

/** Which snapshot is asked for. */
export interface SnapshotRequest {
  readonly filter: Filter;
  /** The beginning of an id, which overrides the filter; undefined for the latest. */
  readonly id?: string | undefined;
  /** The oldest one not before this instant (epoch milliseconds), instead of the latest. */
  readonly since?: number | undefined;
}

/** The flags that select a snapshot. */
export const snapshotFlags = {
  id: { type: "string", valueHint: "ID", description: "the snapshot; the latest that matches unless given" },
  tag: {
    type: "string",
    valueHint: "TAG",
    description: 'only snapshots with this tag; RESTIC_TAG unless given; "" for any',
  },
  host: {
    type: "string",
    valueHint: "HOST",
    description: 'only snapshots of this host; HOSTNAME unless given; "" for any',
  },
} as const;

/** The beginning of an id in small letters; undefined for the latest. Throws a UsageError. */
export function readId(text: string | undefined): string | undefined {
  if (text === undefined || text === "latest") return undefined;
  const id = text.toLowerCase();
  if (/^[0-9a-f]{1,64}$/.test(id)) return id;
  throw new UsageError(`--id ${text} is not a snapshot's ID; give hexadecimal digits, or latest.`);
}

/** The filter from the flags and the environment. backup gives its snapshots the same tag and host. */
export function filterOf(flags: { tag: string | undefined; host: string | undefined }, run: Run): Filter {
  const { settings } = run;
  return {
    tag: flags.tag ?? settings.text("RESTIC_TAG"),
    host: flags.host ?? (settings.env.RESTIC_HOST || run.context.hostname),
  };
}

/** All snapshots of the repository, oldest first. Throws a Failure with restic's exit code. */
export async function listSnapshots(restic: Restic): Promise<Snapshot[]> {
  // We filter ourselves, so that we can say what there is when nothing matches.
  const env = { RESTIC_HOST: undefined };
  const snapshots = await restic.ask(["snapshots", "--json"], "which snapshots there are", isSnapshot, env);
  return snapshots.sort((a, b) => epochOf(a) - epochOf(b));
}

/** Does the value have the fields, of the right types, that choosing and showing it need? */
export function isSnapshot(value: unknown): value is Snapshot {
  const { id, time, hostname = "", paths, tags } = (value ?? {}) as Partial<Record<keyof Snapshot, unknown>>;
  return (
    typeof id === "string" &&
    typeof time === "string" &&
    !Number.isNaN(Date.parse(time)) &&
    typeof hostname === "string" &&
    isListOf(paths, isWord) &&
    isListOf(tags, isWord)
  );
}

/** Go omits an empty list, or writes null for it. */
export const isListOf = (value: unknown, fits: (each: unknown) => boolean): boolean =>
  (value ?? undefined) === undefined || (Array.isArray(value) && value.every(fits));

export const isWord = (value: unknown): boolean => typeof value === "string";

/** Epoch milliseconds. */
export const epochOf = ({ time }: Snapshot): number => Date.parse(time);

/** The first eight digits, as restic shows it. */
export const shortId = ({ id }: Snapshot): string => id.slice(0, 8);

export function matches({ tags, hostname }: Snapshot, { tag, host }: Filter): boolean {
  const wanted = tag.split(",").filter((each) => each !== "");
  return (host === "" || hostname === host) && wanted.every((each) => tags?.includes(each));
}

/** The snapshot that is asked for. Throws a Failure (exit 1) that says what there is instead. */
export function chooseSnapshot(
  snapshots: readonly Snapshot[],
  request: SnapshotRequest,
  zone: Zone,
): Snapshot {
  const { id, filter, since } = request;
  if (id !== undefined) return byId(snapshots, id);
  const matching = snapshots.filter((each) => matches(each, filter));
  const found =
    since === undefined ? matching.at(-1) : matching.find((snapshot) => epochOf(snapshot) >= since);
  if (found !== undefined) return found;
  const newest = matching.at(-1);
  const snapshot = `snapshot ${filterText(filter)}`.trimEnd();
  throw new Failure(
    newest === undefined || since === undefined
      ? `There is no ${snapshot}. ${otherwise(snapshots)}`
      : `There is no ${snapshot} from ${stamp(since, zone)} or later; the newest is ${shortId(newest)} from ` +
          `${stamp(epochOf(newest), zone)}.`,
    EXIT.failed,
  );
}

function byId(snapshots: readonly Snapshot[], id: string): Snapshot {
  const [found, another] = snapshots.filter((snapshot) => snapshot.id.startsWith(id));
  if (found === undefined) {
    throw new Failure(
      `There is no snapshot ${id} among the ${snapshots.length} in this repository. ` +
        "`restore --list --all` shows them.",
      EXIT.failed,
    );
  }
  if (another !== undefined) {
    throw new Failure(
      `${id} is the beginning of more than one ID, such as ${found.id.slice(0, 12)} and ` +
        `${another.id.slice(0, 12)}. Give more of it.`,
      EXIT.failed,
    );
  }
  return found;
}

/** `with tag automated of host larak`, as part of a sentence; "" for a filter that matches everything. */
export function filterText({ tag, host }: Filter): string {
  return [tag && `with tag ${tag}`, host && `of host ${host}`].filter(Boolean).join(" ");
}

function otherwise(snapshots: readonly Snapshot[]): string {
  if (snapshots.length === 0) return "The repository is empty: run backup first.";
  const some = (names: readonly string[]) => [...new Set(names)].slice(0, 5).join(", ") || "none";
  return (
    `The repository holds ${plural(snapshots.length, "snapshot")}, of the hosts ${some(snapshots.map(({ hostname }) => hostname))} and ` +
    `with the tags ${some(snapshots.flatMap(({ tags }) => tags ?? []))}. Give --host and --tag, or "" for any.`
  );
}

/** `5ce8c2e7 of 2026-05-11 09:00:00 (host larak, tags automated, paths /data)`. */
export function describeSnapshot(snapshot: Snapshot, zone: Zone): string {
  const [id, time, host, tags, paths] = snapshotCells(snapshot, zone);
  return `${id} of ${time} (host ${host}, tags ${tags}, paths ${paths})`;
}

export function snapshotCells(snapshot: Snapshot, zone: Zone): [string, string, string, string, string] {
  const { hostname, tags, paths } = snapshot;
  return [
    shortId(snapshot),
    stamp(epochOf(snapshot), zone),
    hostname,
    tags?.join(",") || "none",
    paths?.join(" ") ?? "",
  ];
}

/** A table with a heading. `numbered` puts 1, 2, 3 … in front, for a person to choose from. */
export function snapshotTable(snapshots: readonly Snapshot[], zone: Zone, numbered = false): string[] {
  const rows = [
    ["ID", "TIME", "HOST", "TAGS", "PATHS"],
    ...snapshots.map((each) => snapshotCells(each, zone)),
  ];
  return tableLines(numbered ? rows.map((row, at) => [at === 0 ? "" : String(at), ...row]) : rows);
}
