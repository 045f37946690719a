// The least that a compiled Bun program can do for a tick: the same four children, a lock, a log and a record that is
// forced to the disk. No settings, no masking, no time-outs, no signals, no history: what our own tick is held against.
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";

const [folder = "", pre = "", post = ""] = process.argv.slice(2);

async function run(log: number, command: string[]): Promise<number> {
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: log });
  writeSync(log, await new Response(child.stdout).text());
  return child.exited;
}

const lock = openSync(`${folder}/least.lock`, "a");
await Bun.spawn(["flock", "-n", "3"], { stdio: ["ignore", "ignore", "ignore", lock] }).exited;
const log = openSync(`${folder}/least.log`, "w");
await run(log, [pre]);
const code = await run(log, ["restic"]);
const record = openSync(`${folder}/least.json.tmp`, "w");
writeSync(record, JSON.stringify({ exit_code: code }));
fsyncSync(record);
closeSync(record);
renameSync(`${folder}/least.json.tmp`, `${folder}/least.json`);
await run(log, [post, String(code)]);
process.exit(code);
