/** A file of 5 GiB that restic has really saved and restored: half a minute, most of which is restic's and the disk's. */

import { expect } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync, statfsSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { needing } from "../support/needing.ts";
import { restic } from "../support/restics.ts";
import { World } from "../support/world.ts";

const { test } = needing("restic");

const GIB = 2 ** 30;
const SIZE = 5 * GIB;
const { bavail, bsize } = statfsSync(tmpdir());
/** The restored file takes its whole size; the source is a hole, and the repository a few blocks. */
const hasRoom = bavail * bsize > SIZE + 2 * GIB;
const PATIENCE = { timeout: 300_000 };

test.skipIf(!hasRoom)(
  `memory is flat while a file of 5 GiB comes back (needs ${SIZE / GIB + 2} GiB in TMPDIR)`,
  async () => {
    using world = new World();
    world.useRestic(restic.path);
    const large = join(world.source, "large");
    writeFileSync(large, "");
    truncateSync(large, SIZE);
    await world.exec(["restic", "init"]);
    const saved = await world.exec(
      ["restic", "backup", "--tag", "automated", "--host", "testhost", world.source],
      PATIENCE,
    );
    expect(saved.code).toBe(0);
    // The worker is the hook's parent; what the system tells of a child counts from its fork, and so counts us.
    world.hook(
      "post-restore-test",
      `sed -n 's/^VmHWM:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/$PPID/status >${world.dir}/peak`,
    );
    const temporary = world.folder("tmp");
    const { code, stdout, stderr } = await world.run(
      "restore-test",
      ["--canary", `${large}=${sha256OfZeros(SIZE)}`],
      { ...PATIENCE, env: { TMPDIR: temporary } },
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("Restored 2 files, 5.000 GiB.");
    expect(stdout).toContain("Canaries: 1 of 1 passed.");
    expect(world.record("restore-test")).toMatchObject({ verification: "passed", cleanup_status: "removed" });
    expect(Number(world.read("peak")) / 1024).toBeWithin(20, 100);
    expect(readdirSync(temporary)).toEqual([]);
  },
  900_000,
);

function sha256OfZeros(size: number): string {
  const hash = createHash("sha256");
  const piece = Buffer.alloc(8 * 2 ** 20);
  for (let left = size; left > 0; left -= piece.length) hash.update(piece);
  return hash.digest("hex");
}
