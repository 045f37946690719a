/** An export straight from the repository with `restic dump`, which writes nothing to any disk but the archive. */

import { EXIT } from "../errors.ts";
import { type Node, permissionsOf, visitNodes } from "../restic/nodes.ts";
import type { Outcome } from "../run/run.ts";
import { ancestry, announce, type ExportJob, nothing, wouldBe } from "./export-plan.ts";
import { type Feed, makeArchive } from "./feed.ts";
import { END, type Member, padding, tarHeader } from "./tar.ts";

/** What is to be streamed. */
export interface Lineage {
  /** The file or folder itself, after the folders above it, from the first one down; none for all of a snapshot. */
  readonly nodes: readonly Node[];
  /** Special files that lie directly in the folder. */
  readonly specials: readonly Node[];
}

/** What is at `path`, which is "/" for all of the snapshot; undefined when there is no such path. */
export async function findLineage(
  { restic, snapshot }: ExportJob,
  path: string,
): Promise<Lineage | undefined> {
  const paths = ancestry(path);
  const found = new Map<string, Node>();
  const specials: Node[] = [];
  await visitNodes(restic, snapshot.id, path === "/" ? [path] : paths, (node) => {
    if (paths.includes(node.path)) found.set(node.path, node);
    if (isSpecial(node) && parentOf(node.path) === path) specials.push(node);
  });
  const nodes = paths.flatMap((each) => found.get(each) ?? []);
  return nodes.length === paths.length ? { nodes, specials } : undefined;
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/")) || "/";

function isSpecial({ type }: Node): boolean {
  return type !== "file" && type !== "dir" && type !== "symlink";
}

/** restic dumps files and folders. */
export function isDumpable({ nodes }: Lineage): boolean {
  const last = nodes.at(-1);
  return last === undefined || last.type === "file" || last.type === "dir";
}

export async function exportStreamed(job: ExportJob, lineage: Lineage): Promise<Outcome> {
  const { run, restic, flags, snapshot, output } = job;
  announce(job, "streamed");
  if (flags["keep-workdir"]) run.log.info("There is no work directory to keep.");
  if (flags["dry-run"]) return rehearse(job, lineage);
  const last = lineage.nodes.at(-1);
  const expected = last === undefined ? snapshot.summary?.total_bytes_processed : last.size;
  // restic omits special files, except at the top level, where it writes them as empty files (0.14 to 0.19).
  const leaveOut = new Set(lineage.specials.map(({ path }) => memberName(path)));
  const plan = { output, expected, leaveOut, verify: flags.verify, verbose: flags.verbose };
  const exitCode = await makeArchive(run, plan, async (feed) => {
    const code = await dumpInto(feed, job, lineage);
    if (code !== EXIT.ok) await restic.afterFailure("dump", code);
    return code === EXIT.ok && feed.scan.files + feed.scan.folders === 0 ? nothing(job) : code;
  });
  return { exitCode };
}

/** Resolves to restic's exit code. Throws what the feed throws. */
async function dumpInto(feed: Feed, { restic, snapshot }: ExportJob, { nodes }: Lineage): Promise<number> {
  // restic's stream begins below the folder: its mode and owner, and those of the folders above, would be lost.
  for (const node of nodes) await feed.take(tarHeader(memberOf(node)));
  const { path, type, size = 0 } = nodes.at(-1) ?? { path: "/", type: "dir" };
  const words = ["dump", "--archive", "tar", snapshot.id, path];
  const { exitCode } = await restic.call(words, { onBytes: feed.take });
  if (exitCode !== EXIT.ok || type === "dir") return exitCode;
  // For a single file restic prints its content, not an archive.
  await feed.take(padding(size));
  await feed.take(END);
  return exitCode;
}

/** Members are named as in restic's own archives: by their full path, without the leading slash. */
const memberName = (path: string): string => path.replace(/^\/+/, "");

function memberOf(node: Node): Member {
  const { path, uid, gid, mtime, type, size = 0 } = node;
  const isFolder = type === "dir";
  return {
    path: memberName(path),
    type: isFolder ? "dir" : "file",
    mode: permissionsOf(node),
    uid,
    gid,
    // As restic rounds it.
    mtime: Math.round(Date.parse(mtime) / 1000),
    size: isFolder ? 0 : size,
  };
}

async function rehearse(job: ExportJob, { nodes }: Lineage): Promise<Outcome> {
  let files = 0;
  let bytes = 0;
  const visit = ({ type, size = 0 }: Node) => {
    if (type === "file" || type === "symlink") files++;
    bytes += size;
  };
  const last = nodes.at(-1);
  await visitNodes(job.restic, job.snapshot.id, last === undefined ? [] : [last.path], visit, true);
  return wouldBe(job, files, bytes);
}
