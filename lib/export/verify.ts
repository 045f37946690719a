/** Reads an archive back and holds it against what was written. */

import { createReadStream } from "node:fs";
import { EXIT, Failure, reasonOf } from "../errors.ts";
import type { Archive } from "./archive.ts";
import { crc32, type Format, unpacked } from "./codec.ts";

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
    throw differs(`${size} bytes came back of ${archive.size}, or other ones`);
  }
}

const differs = (how: string) =>
  new Failure(`The archive does not read back as it was written: ${how}. It is not kept.`, EXIT.failed);
