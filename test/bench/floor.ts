// The floor of a tick: a program that has our modules loaded and starts the same four children, and does nothing else. No
// lock, log or record comes of it; what a tick costs beyond this is what it does.
import { closeSync, openSync } from "node:fs";
import { table } from "../../lib/workers/index.ts";
import "../../lib/cli/dispatch.ts";

const [folder = "", pre = "", post = ""] = process.argv.slice(2);
for (const { name, load } of table) if (name === "locked_run" || name === "backup") await load();

const run = (...command: string[]) => Bun.spawn(command, { stdio: ["ignore", "ignore", "ignore"] }).exited;

const lock = openSync(`${folder}/floor.lock`, "a");
await Bun.spawn(["flock", "-n", "3"], { stdio: ["ignore", "ignore", "ignore", lock] }).exited;
await run(pre);
await run("restic");
await run(post, "0");
closeSync(lock);
process.exit(0);
