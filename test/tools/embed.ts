/**
 * Makes the copy of Bun that a build embeds: `bun test/tools/embed.ts FILE [TARGET]`. Without a target it is the Bun that runs this,
 * which `npm ci` has checked; for linux-x64, linux-arm64-musl … npm fetches it, and its checksum must be that of
 * package-lock.json.
 *
 * In the copy the variables that make another program of it get names that no shell can set: `BUN_OPTIONS=--preload …`
 * would run anything at all in our place, and under BUN_BE_BUN `status` would print Bun's help and exit with 0.
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DISARMED } from "../../lib/environment.ts";

const ROOT = join(import.meta.dir, "../..");

/** The bytes of Bun for a platform. Throws when the package is not the one of package-lock.json. */
export function fetchRuntime(target: string): Buffer {
  const name = `@oven/bun-${target.replace("arm64", "aarch64")}`;
  const lock = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const { version, integrity } = lock.packages[`node_modules/${name}`] ?? {};
  if (!integrity?.startsWith("sha512-"))
    throw new Error(`package-lock.json has no sha512 checksum of ${name}.`);
  const folder = mkdtempSync(join(tmpdir(), "rbh-runtime-"));
  try {
    const pack = ["pack", "--silent", "--prefer-offline", "--pack-destination", folder, `${name}@${version}`];
    const file = execFileSync("npm", pack, { cwd: ROOT, encoding: "utf8" }).trim().split("\n").at(-1) ?? "";
    const archive = readFileSync(join(folder, file));
    const found = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
    if (found !== integrity) {
      throw new Error(
        `${name} ${version} is not the package of package-lock.json: ${found} instead of ${integrity}. Nothing is built of it.`,
      );
    }
    execFileSync("tar", ["-xzf", "-", "-C", folder, "package/bin/bun"], { input: archive });
    return readFileSync(join(folder, "package/bin/bun"));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Renames the variables, in place. Throws when this Bun has none of such a name: then it may read another. */
export function disarm(runtime: Buffer): Buffer {
  for (const name of DISARMED) {
    let count = 0;
    for (let at = runtime.indexOf(`BUN_${name}`); at >= 0; at = runtime.indexOf(`BUN_${name}`, at + 1)) {
      // In Bun's own JavaScript (process.env.BUN_…) another name would not parse; what it does there is no matter.
      if (runtime[at - 1] === ".".charCodeAt(0)) continue;
      runtime[at + "BUN".length] = "=".charCodeAt(0);
      count++;
    }
    if (count === 0)
      throw new Error(
        `This Bun knows no BUN_${name}. Find out what has taken its place, for lib/environment.ts.`,
      );
  }
  return runtime;
}

if (import.meta.main) {
  const [file = "", target] = process.argv.slice(2);
  try {
    const runtime = target === undefined ? readFileSync(process.execPath) : fetchRuntime(target);
    writeFileSync(file, disarm(runtime), { mode: 0o755 });
  } catch (error) {
    process.exitCode = 1;
    process.stderr.write(`embed.ts: ${error instanceof Error ? error.message : error}\n`);
  }
}
