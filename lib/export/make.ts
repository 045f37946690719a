/** Makes an archive that is there whole, or not at all. */

import { EXIT } from "../errors.ts";
import { count } from "../plural.ts";
import { ownMark } from "../run/leftovers.ts";
import type { Run } from "../run/run.ts";
import { formatBytes } from "../size.ts";
import { Archive } from "./archive.ts";
import { codecs } from "./codec.ts";
import { Feed, type FeedPlan } from "./feed.ts";
import { formatOf } from "./names.ts";
import { verifyArchive } from "./verify.ts";

export interface ArchivePlan extends FeedPlan {
  readonly output: string;
  readonly verify: boolean;
}

/**
 * `fill` feeds the tar stream and resolves to an exit code; with any but 0, and when the run is told to end, nothing
 * is left behind. Throws a Failure when the archive cannot be written or verified.
 */
export async function makeArchive(
  run: Run,
  plan: ArchivePlan,
  fill: (feed: Feed) => Promise<number>,
): Promise<number> {
  const { output, verify } = plan;
  const format = formatOf(output);
  const archive = await Archive.create(output, `${output}.${ownMark("part")}`, codecs[format]);
  let published = false;
  try {
    const feed = new Feed(run, archive, plan);
    const exitCode = await fill(feed);
    if (exitCode !== EXIT.ok || run.ending) return exitCode;
    await feed.end();
    await archive.finish();
    if (verify) await verifyArchive(archive, format, () => run.expired());
    if (run.ending) return exitCode;
    await archive.publish();
    published = true;
    tell(run, output, feed, archive, verify);
    return exitCode;
  } finally {
    if (!published) await archive.discard();
  }
}

function tell(run: Run, output: string, { scan }: Feed, { written }: Archive, verified: boolean): void {
  Object.assign(run.facts, { archive_size_bytes: written, files: scan.files, bytes: scan.bytes });
  run.log.info(
    `Exported ${count(scan.files, "file")} in ${count(scan.folders, "folder")}, ${formatBytes(scan.bytes)}, to ${output} ` +
      `(${formatBytes(written)}${verified ? ", verified" : ""}).`,
  );
}
