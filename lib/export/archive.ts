/**
 * An archive in the making: under another name until it is whole, compressed on all processors.
 *
 * Reads an archive back and holds it against what was written.
 */

import { createReadStream, promises as disk } from "node:fs";
import { EXIT, errnoOf, Failure, reasonOf } from "../errors.ts";
import { plural } from "../text.ts";
import { type Codec, crc32, type Format, unpacked } from "./compress.ts";

type FileHandle = Awaited<ReturnType<typeof disk.open>>;

/** Bytes of a block: large enough to compress as well as one long stream (measured: 0.7 % better than gzip's). */
const BLOCK = 1024 * 1024;
/** Sixteen compress faster than restic reads. */
const PROCESSORS_MOST = 16;
/** Backups hold what only their owner may read. */
const MODE = 0o600;

export class Archive {
  /** Of the tar stream, before compression. */
  size = 0;
  crc = 0;
  /** Bytes that the file has by now. */
  written = 0;
  private block = new Uint8Array(BLOCK);
  private filled = 0;
  private readonly spare: Uint8Array<ArrayBuffer>[] = [];
  /** Blocks that are being compressed or wait to be written, in order. */
  private readonly queue: Promise<void>[] = [];
  private error: unknown;

  private constructor(
    private readonly path: string,
    readonly temporary: string,
    private readonly file: FileHandle,
    private readonly codec: Codec,
    /** So many blocks at once: memory stays flat. */
    private readonly most: number,
  ) {
    this.enqueue(codec.head);
  }

  /** What will be the archive at `path`, begun as `temporary` in the same folder. Throws a Failure. */
  static async create(path: string, temporary: string, codec: Codec): Promise<Archive> {
    try {
      const file = await disk.open(temporary, "wx", MODE);
      // One block for each processor, though not for more than memory has room for, and one that is being written.
      return new Archive(
        path,
        temporary,
        file,
        codec,
        Math.min(navigator.hardwareConcurrency, PROCESSORS_MOST) + 1,
      );
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }

  /** Takes all of `bytes`, which may be used again once it has resolved. Throws a Failure. */
  async write(bytes: Uint8Array): Promise<void> {
    this.size += bytes.length;
    this.crc = crc32(bytes, this.crc);
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + BLOCK - this.filled);
      this.block.set(part, this.filled);
      this.filled += part.length;
      at += part.length;
      if (this.filled === BLOCK) await this.flush();
    }
  }

  /** All of it is on the disk once this has resolved. Throws a Failure. */
  async finish(): Promise<void> {
    if (this.filled > 0) await this.flush();
    this.enqueue(this.codec.tail(this.crc, this.size));
    await this.settle(0);
    try {
      await this.file.sync();
      await this.file.close();
    } catch (error) {
      throw cannotWrite(this.path, error);
    }
  }

  /** Takes the place of whatever is at its path. Throws a Failure. */
  async publish(): Promise<void> {
    const { path } = this;
    try {
      await disk.rename(this.temporary, path);
      const folder = await disk.open(path.slice(0, path.lastIndexOf("/")) || "/", "r");
      await folder.sync().finally(() => folder.close());
    } catch (error) {
      throw cannotWrite(path, error);
    }
  }

  /** Leaves nothing behind. */
  async discard(): Promise<void> {
    this.error ??= new Error("It was discarded.");
    await disk.rm(this.temporary, { force: true });
    await Promise.all(this.queue);
    // Closed already by finish(), or closing fails: of a file that is gone, nothing can be lost any more.
    await this.file.close().catch(() => {});
  }

  private async flush(): Promise<void> {
    const block = this.block;
    this.enqueue(this.codec.block(block.subarray(0, this.filled)), block);
    await this.settle(this.most - 1);
    this.block = this.spare.pop() ?? new Uint8Array(BLOCK);
    this.filled = 0;
  }

  /** Compressed whenever that is ready, written when all before it is; then `block` may be filled again. */
  private enqueue(compressed: Uint8Array | Promise<Uint8Array>, block?: Uint8Array<ArrayBuffer>): void {
    const before = this.queue.at(-1);
    const write = async () => {
      const [bytes] = await Promise.all([compressed, before]);
      if (this.error === undefined) await this.put(bytes);
      if (block !== undefined) this.spare.push(block);
    };
    this.queue.push(
      write().catch((error) => {
        this.error ??= error;
      }),
    );
  }

  private async put(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await this.file.write(bytes, at, bytes.length - at);
      at += bytesWritten;
      this.written += bytesWritten;
    }
  }

  /** Waits until at most `most` blocks are under way. Throws what went wrong with one. */
  private async settle(most: number): Promise<void> {
    while (this.queue.length > most) await this.queue.shift();
    if (this.error !== undefined) throw cannotWrite(this.path, this.error);
  }
}

function cannotWrite(path: string, error: unknown): Failure {
  const remedy = errnoOf(error) === "ENOSPC" ? " Make room, or choose an --output on another disk." : "";
  return new Failure(`The archive ${path} cannot be written: ${reasonOf(error)}.${remedy}`, EXIT.failed);
}

const CHUNK = 1024 * 1024;

/** Throws a Failure when the file does not give back the very stream that went into it. `enough` ends it early. */
export async function verifyArchive(archive: Archive, format: Format, enough: () => boolean): Promise<void> {
  let crc = 0;
  let size = 0;
  try {
    const file = createReadStream(archive.temporary, { highWaterMark: CHUNK });
    for await (const chunk of unpacked(format, file)) {
      const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      crc = crc32(bytes, crc);
      size += bytes.length;
      if (enough()) return;
    }
  } catch (error) {
    throw differs(reasonOf(error));
  }
  if (size !== archive.size || crc !== archive.crc) {
    throw differs(`${plural(size, "byte")} came back of ${archive.size}, or other ones`);
  }
}

const differs = (how: string) =>
  new Failure(`The archive does not read back as it was written: ${how}. It is not kept.`, EXIT.failed);
