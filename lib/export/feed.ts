/**
 * Makes an archive from a tar stream, completely or not at all: the stream passes through the scan that counts its
 * members, into the archive, while its progress is shown.
 */

import { EXIT, Failure } from "../errors.ts";
import { Progress } from "../restic/progress.ts";
import type { Run } from "../run/run.ts";
import { ownMark } from "../run/workdir.ts";
import { formatBytes, plural } from "../text.ts";
import { Archive, verifyArchive } from "./archive.ts";
import { codecs } from "./compress.ts";
import { type ExportRun, formatOf } from "./export-plan.ts";
import { END, TarScan } from "./tar.ts";

export interface FeedPlan {
  /** Bytes of content, if known, for the progress. */
  readonly expected: number | undefined;
  /** Names of members that are dropped; they have no content. */
  readonly leaveOut?: ReadonlySet<string>;
  /** Name every member in the log. */
  readonly verbose: boolean;
}

export class Feed {
  readonly scan: TarScan;
  private readonly meter: Meter;

  constructor(
    run: Run,
    private readonly archive: Archive,
    { expected, leaveOut, verbose }: FeedPlan,
  ) {
    const show = (name: string) => run.log.childLine("tar", name.replaceAll("\n", "\\n"));
    this.scan = new TarScan(leaveOut, verbose ? show : undefined);
    this.meter = new Meter(run, expected);
  }

  /** Takes the next bytes of the stream. */
  readonly take = async (bytes: Uint8Array): Promise<void> => {
    for (const part of this.scan.members(bytes)) await this.archive.write(part);
    this.meter.show(this.scan.bytes, this.archive);
  };

  /** Ends the archive. Throws a Failure when the stream was incomplete. */
  async end(): Promise<void> {
    if (!this.scan.complete) {
      throw new Failure(
        "The stream of files broke off before its end; the archive is not kept.",
        EXIT.failed,
      );
    }
    await this.archive.write(END);
  }
}

/** Milliseconds between updates of the bar on a terminal. */
const REDRAW_MS = 250;

class Meter {
  private readonly progress: Progress;
  private readonly begun = performance.now();
  private readonly intervalMs: number;
  private drawn = 0;
  private said = performance.now();

  constructor(
    private readonly run: Run,
    private readonly expected: number | undefined,
  ) {
    this.progress = new Progress(run);
    this.intervalMs = run.settings.seconds("PROGRESS_INTERVAL") * 1000;
  }

  show(done: number, archive: Archive): void {
    const now = performance.now();
    if (now - this.drawn < REDRAW_MS) return;
    this.drawn = now;
    if (this.expected !== undefined && this.expected > 0)
      this.bar(done, this.expected, (now - this.begun) / 1000);
    else this.line(`${formatBytes(archive.size)} read, ${formatBytes(archive.written)} written`, now);
  }

  private bar(done: number, expected: number, seconds: number): void {
    const percent_done = Math.min(1, done / expected);
    this.progress.show({
      message_type: "status",
      percent_done,
      seconds_elapsed: Math.round(seconds),
      seconds_remaining: percent_done > 0 ? Math.round((seconds * (1 - percent_done)) / percent_done) : 0,
      bytes_done: done,
      total_bytes: expected,
    });
  }

  /** For a stream of unknown length. */
  private line(text: string, now: number): void {
    const { log } = this.run;
    if (log.onTerminal) log.status(text);
    else if (this.intervalMs > 0 && now - this.said >= this.intervalMs) {
      this.said = now;
      log.info(text);
    }
  }
}

export interface ArchivePlan extends FeedPlan {
  readonly output: string;
  readonly verify: boolean;
}

/**
 * `fill` feeds the tar stream and resolves to an exit code; with any but 0, and when the run is to end, nothing is left
 * behind. Throws a Failure when the archive cannot be written or verified.
 */
export async function makeArchive(
  run: ExportRun,
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
    if (exitCode !== EXIT.ok) return exitCode;
    await feed.end();
    await archive.finish();
    if (verify) await verifyArchive(archive, format, () => run.stopping);
    run.throwIfStopping();
    await archive.publish();
    published = true;
    tell(run, output, feed, archive, verify);
    return exitCode;
  } finally {
    if (!published) await archive.discard();
  }
}

function tell(run: ExportRun, output: string, { scan }: Feed, { written }: Archive, verified: boolean): void {
  const { files, bytes } = scan;
  run.addFacts({ archive_size_bytes: written, files, bytes, files_restored: files, bytes_restored: bytes });
  run.log.info(
    `Exported ${plural(scan.files, "file")} in ${plural(scan.folders, "folder")}, ${formatBytes(scan.bytes)}, to ${output} ` +
      `(${formatBytes(written)}${verified ? ", verified" : ""}).`,
  );
}
