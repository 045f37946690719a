/** `bun test` alone, in a tree where nothing has been built yet, builds it first: the tests drive the binary. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { binary } from "./world.ts";

if (!existsSync(binary)) {
  const { stdout, stderr } = Bun.spawnSync(["make", "-s"], { cwd: join(import.meta.dir, "../..") });
  if (!existsSync(binary))
    throw new Error(`There is no ${binary}, and make did not build it: ${stdout}${stderr}`);
}
