/** An export straight from the repository: `restic dump`, with no file of it on any disk but the archive. */

import { EXIT } from "../errors.ts";
import { findNodes, type Node, permissionsOf, visitNodes } from "../restic/nodes.ts";
import type { Outcome } from "../run/run.ts";
import type { Feed } from "./feed.ts";
import { END, type Member, padding, tarHeader } from "./header.ts";
import { announce, type Job, nothing, wouldBe } from "./job.ts";
import { makeArchive } from "./make.ts";
import { ancestry } from "./names.ts";

/**
 * The nodes at `path` and above it, from the first folder down; none for "/", which is all of the snapshot.
 * undefined when there is no such path.
 */
export async function findLineage({ restic, snapshot }: Job, path: string): Promise<Node[] | undefined> {
  const paths = ancestry(path);
  if (paths.length === 0) return [];
  const found = await findNodes(restic, snapshot.id, paths);
  const nodes = paths.flatMap((each) => found.get(each) ?? []);
  return nodes.length === paths.length ? nodes : undefined;
}

/** restic dumps files and folders. */
export function isDumpable(nodes: readonly Node[]): boolean {
  const last = nodes.at(-1);
  return last === undefined || last.type === "file" || last.type === "dir";
}

export async function exportStreamed(job: Job, nodes: readonly Node[]): Promise<Outcome> {
  const { run, restic, flags, snapshot, output } = job;
  announce(job, "streamed");
  if (flags["keep-workdir"]) run.log.info("There is no work directory to keep.");
  if (flags["dry-run"]) return rehearse(job, nodes);
  const last = nodes.at(-1);
  const expected = last === undefined ? snapshot.summary?.total_bytes_processed : last.size;
  const plan = { output, expected, verify: flags.verify, verbose: flags.verbose };
  const exitCode = await makeArchive(run, plan, async (feed) => {
    const code = await dumpInto(feed, job, nodes);
    if (run.ending) return code;
    if (code !== EXIT.ok) await restic.afterFailure("dump", code);
    return code === EXIT.ok && feed.scan.files + feed.scan.folders === 0 ? nothing(job) : code;
  });
  return { exitCode };
}

/** Resolves to restic's exit code. Throws what the feed throws. */
async function dumpInto(feed: Feed, { restic, snapshot }: Job, nodes: readonly Node[]): Promise<number> {
  // restic's stream begins below the folder: its own mode and owner, and those above it, would be lost.
  for (const node of nodes) await feed.take(tarHeader(memberOf(node)));
  const { path, type, size = 0 } = nodes.at(-1) ?? { path: "/", type: "dir" };
  const words = ["dump", "--archive", "tar", snapshot.id, path];
  const { exitCode } = await restic.call(words, { onBytes: feed.take });
  if (exitCode !== EXIT.ok || type === "dir") return exitCode;
  // Of a single file restic gives the content and no archive.
  await feed.take(padding(size));
  await feed.take(END);
  return exitCode;
}

function memberOf(node: Node): Member {
  const { path, uid, gid, mtime, type, size = 0 } = node;
  const isFolder = type === "dir";
  return {
    path: path.replace(/^\/+/, ""),
    type: isFolder ? "dir" : "file",
    mode: permissionsOf(node),
    uid,
    gid,
    mtime: Math.floor(Date.parse(mtime) / 1000),
    size: isFolder ? 0 : size,
  };
}

async function rehearse(job: Job, nodes: readonly Node[]): Promise<Outcome> {
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
