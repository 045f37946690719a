/** snapshot-export of a snapshot of 1 GiB, against a restore into a folder followed by `tar -czf` of it. */

import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { World } from "../support/world.ts";
import { type Contender, compare } from "./paired.ts";
import type { OurFigures, Row } from "./report.ts";

const MIB = 2 ** 20;
const FILES = 32;
/** Each of the 32 files. */
const FILE_MIB = 32;
/** What the issue asks for. */
const LIMIT = 0.6;

export async function exported(): Promise<Row[]> {
  using world = new World();
  for (let at = 0; at < FILES; at++) fill(join(world.source, `file-${at}`), at);
  await world.exec(["restic", "init"]);
  const { code } = await world.exec(
    ["restic", "backup", "--tag", "automated", "--host", "testhost", world.source],
    {
      timeout: 300_000,
    },
  );
  if (code !== 0) throw new Error(`restic backup ended with ${code}`);
  const restored = join(world.dir, "restored");
  const output = (name: string) => join(world.folder("out"), name);
  const remove = () => {
    for (const path of [restored, output("")]) rmSync(path, { recursive: true, force: true });
    world.folder("out");
  };
  const ours = (ending: string): Contender => ({
    name: ending,
    command: [world.link("snapshot-export"), "--output", output(`x.${ending}`)],
    // No work directory is made anywhere.
    env: { ...world.env, TMPDIR: "/nonexistent" },
    reset: remove,
  });
  const byHand = `restic restore latest --target ${restored} && tar -czf ${output("x.tar.gz")} -C ${restored} .`;
  const [gzip, zstd, floor] = await compare(
    [
      ours("tar.gz"),
      ours("tar.zst"),
      { name: "by hand", command: ["sh", "-c", byHand], env: world.env, reset: remove },
    ],
    1,
    0,
  );
  if (gzip === undefined || zstd === undefined || floor === undefined)
    throw new Error("nothing was measured");
  const row = (what: string, ours: OurFigures): Row => ({
    what: `snapshot-export of 1 GiB, ${what}: wall`,
    ours: ours.wallMs / 1000,
    before: ours.before === undefined ? undefined : ours.before.wallMs / 1000,
    floor: floor.wallMs / 1000,
    against: "restic restore, then tar -czf",
    unit: "s",
  });
  return [{ ...row(".tar.gz", gzip), limit: LIMIT }, row(".tar.zst", zstd)];
}

/** Three of four files are lines of a log, one is noise: what a backup holds compresses by half or so. */
function fill(path: string, at: number): void {
  const fd = openSync(path, "w");
  for (let mib = 0; mib < FILE_MIB; mib++) writeSync(fd, at % 4 === 0 ? noise() : lines(at * FILE_MIB + mib));
  closeSync(fd);
}

function noise(): Buffer {
  const bytes = Buffer.alloc(MIB);
  for (let at = 0; at < MIB; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

function lines(seed: number): Buffer {
  let state = seed * 2_654_435_761 + 1;
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
  const parts: string[] = [];
  for (let size = 0; size < MIB; ) {
    const words = Array.from({ length: 10 }, () => (random() % 6000).toString(36).repeat(1 + (random() % 3)));
    const line = `2026-05-${10 + (random() % 20)} 09:30:${10 + (random() % 50)} INFO  ${words.join(" ")}\n`;
    parts.push(line);
    size += line.length;
  }
  return Buffer.from(parts.join("")).subarray(0, MIB);
}
