import { afterAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdtempSync,
  promises,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Archive, verifyArchive } from "../../lib/export/archive.ts";
import { codecs, type Format } from "../../lib/export/compress.ts";
import { lacks } from "../support/needing.ts";

const dir = mkdtempSync(join(tmpdir(), "rbh-archive-"));
afterAll(() => rmSync(dir, { recursive: true }));

const MIB = 1024 * 1024;
/** Text, zeros and noise, so that blocks compress differently. */
const content = Buffer.concat([
  Buffer.from("words and words and words\n".repeat(60_000)),
  Buffer.alloc(2 * MIB),
  ...Array.from({ length: 20 }, () => crypto.getRandomValues(Buffer.alloc(65_536))),
]);

async function make(format: Format, bytes: Uint8Array, chunk: number) {
  const path = join(dir, `x.${format}`);
  const archive = await Archive.create(path, `${path}.part`, codecs[format]);
  for (let at = 0; at < bytes.length; at += chunk) await archive.write(bytes.subarray(at, at + chunk));
  await archive.finish();
  return { path, archive };
}

const readers: Record<Format, string[][]> = {
  "tar.gz": [
    ["gzip", "-dc"],
    ["busybox", "gunzip", "-c"],
    ["python3", "-c", "import gzip,sys; sys.stdout.buffer.write(gzip.open(sys.argv[1]).read())"],
  ],
  "tar.zst": [["zstd", "-dcq"]],
  tar: [["cat"]],
};

describe.each(Object.keys(readers) as Format[])("%s", (format) => {
  test.each([0, 1, MIB - 1, MIB, MIB + 1, content.length])(
    "%i bytes read back by every reader",
    async (size) => {
      const bytes = content.subarray(0, size);
      const { path, archive } = await make(format, bytes, 100_003);
      expect(archive.size).toBe(size);
      await verifyArchive(archive, format, () => false);
      await archive.publish();
      expect({ part: existsSync(`${path}.part`), mode: statSync(path).mode & 0o777 }).toEqual({
        part: false,
        mode: 0o600,
      });
      expect(statSync(path).size).toBe(archive.written);
      // Of nothing at all zstd makes an empty file, which is no archive of its; a tar stream has 1024 bytes at least.
      if (size === 0 && format === "tar.zst") return;
      for (const reader of readers[format].filter(([program = ""]) => !lacks(program))) {
        const { exitCode, stdout } = Bun.spawnSync([...reader, path]);
        expect({ exitCode, equal: stdout.equals(bytes) }).toEqual({ exitCode: 0, equal: true });
      }
      if (format === "tar.gz") expect(Bun.spawnSync(["gzip", "-t", path]).exitCode).toBe(0);
    },
  );

  test("a byte that changes on the disk is found", async () => {
    const { path, archive } = await make(format, content, MIB);
    const bytes = readFileSync(`${path}.part`);
    bytes[bytes.length >> 1]! ^= 0x40;
    writeFileSync(`${path}.part`, bytes);
    await expect(verifyArchive(archive, format, () => false)).rejects.toThrow(
      "The archive does not read back as it was written",
    );
    writeFileSync(`${path}.part`, bytes.subarray(0, bytes.length - 100));
    await expect(verifyArchive(archive, format, () => false)).rejects.toThrow(
      "The archive does not read back as it was written",
    );
  });

  test("discarded in the middle, nothing is left", async () => {
    const folder = mkdtempSync(join(dir, "discard-"));
    const path = join(folder, "x");
    const archive = await Archive.create(path, `${path}.part`, codecs[format]);
    for (let round = 0; round < 3; round++) await archive.write(content);
    await archive.discard();
    expect(readdirSync(folder)).toEqual([]);
  });
});

test("a full disk is a failure that says so, and stays one", async () => {
  const archive = await Archive.create("/the/archive", join(dir, "full"), codecs.tar);
  // /dev/full takes the place of the file: every write to it finds no room.
  const { file } = archive as unknown as { file: { close(): Promise<void> } };
  await file.close();
  Object.assign(archive, { file: await promises.open("/dev/full", "w") });
  const fill = async () => {
    for (let round = 0; round < 20; round++) await archive.write(content);
  };
  const words = "The archive /the/archive cannot be written: no space left on the device. Make room";
  await expect(fill()).rejects.toThrow(words);
  await expect(archive.finish()).rejects.toThrow(words);
  await archive.discard();
  expect(existsSync(join(dir, "full"))).toBe(false);
});

test("what is there already is never written over", async () => {
  writeFileSync(join(dir, "there"), "mine");
  await expect(Archive.create("/x", join(dir, "there"), codecs.tar)).rejects.toThrow(
    "The archive /x cannot be written: it exists already.",
  );
  expect(readFileSync(join(dir, "there"), "utf8")).toBe("mine");
});
