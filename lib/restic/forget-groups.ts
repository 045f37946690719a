/**
 * What `restic forget --json` prints: groups of snapshots, each with what is kept and what is removed. Pure, but for
 * GroupsOutput, which takes the bytes as they come.
 */

import { plural, tableLines } from "../text.ts";
import type { Zone } from "../time/zone.ts";
import { epochOf, isListOf, isSnapshot, isWord, type Snapshot, shortId, snapshotCells } from "./snapshots.ts";

/** Snapshots that the policy treats as a group. Checked with 0.14, 0.18 and 0.19. */
export interface ForgetGroup {
  readonly host: string;
  readonly paths: readonly string[] | null;
  readonly tags: readonly string[] | null;
  readonly keep: readonly Snapshot[] | null;
  readonly remove: readonly Snapshot[] | null;
  /** For the snapshots that are kept; in 0.14 without their ids. */
  readonly reasons: readonly { readonly snapshot: Snapshot; readonly matches: readonly string[] }[] | null;
}

/** Does the value have the fields, of the right types, that a decision is read from? */
export function isForgetGroup(value: unknown): value is ForgetGroup {
  if (typeof value !== "object" || value === null) return false;
  const {
    host = "",
    paths,
    tags,
    keep,
    remove,
    reasons,
  } = value as Partial<Record<keyof ForgetGroup, unknown>>;
  return (
    typeof host === "string" &&
    isListOf(paths, isWord) &&
    isListOf(tags, isWord) &&
    isListOf(keep, isSnapshot) &&
    isListOf(remove, isSnapshot) &&
    isListOf(reasons, isReason)
  );
}

function isReason(value: unknown): boolean {
  const { snapshot, matches } = (value ?? {}) as { snapshot?: { time?: unknown } | null; matches?: unknown };
  return typeof snapshot?.time === "string" && isListOf(matches, isWord);
}

/** The groups in an order of their own: restic gives them in any. */
export function sortedGroups(groups: readonly ForgetGroup[]): ForgetGroup[] {
  const key = ({ host, paths, tags }: ForgetGroup) => JSON.stringify([host, paths, tags]);
  return [...groups].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

export interface Tally {
  readonly kept: number;
  readonly removed: number;
}

export function tally(groups: readonly ForgetGroup[]): Tally {
  const count = (of: "keep" | "remove") => groups.reduce((sum, group) => sum + (group[of]?.length ?? 0), 0);
  return { kept: count("keep"), removed: count("remove") };
}

/** The groups of which nothing would be left. */
export const emptied = (groups: readonly ForgetGroup[]): ForgetGroup[] =>
  sortedGroups(groups).filter(({ keep, remove }) => !keep?.length && remove?.length);

/** `host larak, /data`: what the group has in common, by which it is one. */
export function groupText({ host, paths, tags }: ForgetGroup): string {
  const parts = [host && `host ${host}`, paths?.join(" "), tags?.length ? `tags ${tags.join(",")}` : ""];
  return parts.filter(Boolean).join(", ") || "all snapshots";
}

interface Decision {
  readonly snapshot: Snapshot;
  /** Why it is kept; undefined when it is to be removed. */
  readonly reasons: readonly string[] | undefined;
}

/** What happens to each snapshot of a group, oldest first. */
function decisionsOf({ keep, remove, reasons }: ForgetGroup): Decision[] {
  const why = new Map((reasons ?? []).map(({ snapshot, matches }) => [snapshot.time, matches]));
  const kept = (keep ?? []).map((snapshot) => ({ snapshot, reasons: why.get(snapshot.time) ?? [] }));
  const removed = (remove ?? []).map((snapshot) => ({ snapshot, reasons: undefined }));
  return [...kept, ...removed].sort((a, b) => epochOf(a.snapshot) - epochOf(b.snapshot));
}

export function decisionTable(groups: readonly ForgetGroup[], zone: Zone): string[] {
  const rows = sortedGroups(groups)
    .flatMap(decisionsOf)
    .map(({ snapshot, reasons }) => [
      reasons === undefined ? "remove" : "keep",
      ...snapshotCells(snapshot, zone),
      reasons?.join(", ") ?? "",
    ]);
  return tableLines([["", "ID", "TIME", "HOST", "TAGS", "PATHS", "KEPT AS"], ...rows]);
}

/** Ids that a line names; more are counted. */
const NAMED_MOST = 20;

/** `host larak, /data: 7 kept, 2 removed (1a2b3c4d, 5e6f7a8b).` */
export function removedText(group: ForgetGroup): string {
  const ids = (group.remove ?? []).map(shortId);
  const more = ids.length > NAMED_MOST ? ` and ${ids.length - NAMED_MOST} more` : "";
  return `${groupText(group)}: ${group.keep?.length ?? 0} kept, ${ids.length} removed (${ids.slice(0, NAMED_MOST).join(", ")}${more}).`;
}

export const tallyText = ({ kept, removed }: Tally): string =>
  `${plural(kept, "snapshot")} kept, ${removed} removed`;

/** Bytes of the longest list that is kept in memory: several hundred thousand snapshots. */
const LIST_MOST = 256 * 1024 * 1024;
const NEWLINE = 0x0a;

/**
 * Takes the stdout of `restic forget --json`: the list on one line, and around it the plain lines of --prune, which go
 * to `onLine` as they come.
 */
export class GroupsOutput {
  /** undefined before the list has come, and where restic prints none: then no snapshot matches. */
  groups: readonly ForgetGroup[] | undefined;
  /** Was there anything beside the list? */
  hasMore = false;
  private held: Uint8Array[] = [];
  private size = 0;

  constructor(private readonly onLine: (line: string) => void) {}

  readonly take = (bytes: Uint8Array): void => {
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      this.hold(bytes.subarray(from, end));
      this.endLine();
      from = end + 1;
    }
    if (from < bytes.length) this.hold(bytes.subarray(from));
  };

  /** There will be no more. */
  end(): void {
    if (this.size > 0) this.endLine();
  }

  private hold(bytes: Uint8Array): void {
    this.size += bytes.length;
    if (this.size <= LIST_MOST) this.held.push(bytes.slice());
  }

  private endLine(): void {
    const line = Buffer.concat(this.held).toString();
    this.held = [];
    this.size = 0;
    const list = line.startsWith("[{") ? listIn(line) : undefined;
    if (list?.every(isForgetGroup)) this.groups = list;
    else {
      this.hasMore = true;
      this.onLine(line);
    }
  }
}

function listIn(line: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return Array.isArray(value) ? value : undefined;
  } catch {
    // Not the list after all: the line is shown as it is.
    return undefined;
  }
}
