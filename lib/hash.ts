/** The SHA-256 of a file of any size: read piece by piece, so that memory stays flat. */

import { constants, promises } from "node:fs";
import { builtin } from "./runtime.ts";

const crypto = () => builtin("node:crypto");

/** Bytes of a piece: hashed in a millisecond or two, so that signals find their turn in between. */
const PIECE = 1024 * 1024;

/**
 * In small hexadecimal digits; undefined when `enough` said so on the way. Throws what open(2) and read(2) say, and an
 * Error for what is no regular file: no link is followed, and no pipe waited for.
 */
export async function sha256Of(path: string | Buffer, enough: () => boolean): Promise<string | undefined> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await promises.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new Error("it is not a regular file");
    const hash = crypto().createHash("sha256");
    const piece = Buffer.allocUnsafe(PIECE);
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, PIECE, null);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(piece.subarray(0, bytesRead));
      if (enough()) return undefined;
    }
  } finally {
    await file.close();
  }
}
