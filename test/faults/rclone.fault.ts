// An rclone that misbehaves in every way that replicate may meet.
import { fault } from "./fault.ts";
import { FLOOD_MS, misbehave } from "./misbehave.ts";
import { type Misbehaviour, misbehaviours } from "./misbehaviours.ts";

const say = (...lines: string[]) => `cat >&2 <<'EOF'\n${lines.join("\n")}\nEOF`;
const STATS =
  '{"level":"info","msg":"x","stats":{"bytes":10,"totalBytes":10,"transfers":2,"totalTransfers":2}}';
const STANDS = "shown or passed over; exit 0 stands, the record is whole";
const moved = { replicate_jobs: [{ files: 2, bytes: 10 }] };

const messages: readonly Misbehaviour[] = [
  {
    name: "prints what is nearly JSON",
    script: say(
      '{"level":"error","msg":',
      "{{{{",
      "[1,2",
      "null",
      "{}",
      '{"msg":5}',
      '{"msg":"shown","level":"__proto__"}',
      '{"msg":"shown","level":"constructor"}',
      STATS,
    ),
    promised: STANDS,
    says: /rclone \| shown$/m,
    record: moved,
  },
  {
    name: "prints JSON of wrong types",
    script: say(
      '{"msg":"shown","level":{"toString":5},"object":{"toString":5}}',
      '{"msg":"none","stats":null}',
      '{"msg":"list","stats":[]}',
      '{"msg":"word","stats":"x"}',
      '{"msg":"odd","stats":{"bytes":"many","totalBytes":{},"transfers":[],"eta":"soon","speed":null}}',
    ),
    promised: STANDS,
    says: /rclone \| shown$/m,
  },
  {
    name: "prints huge and negative numbers",
    script: say(
      '{"msg":"x","stats":{"bytes":1e999,"totalBytes":1e308,"transfers":-1,"speed":1e300,"eta":1e300}}',
      '{"msg":"x","stats":{"bytes":1e300,"totalBytes":-1,"eta":-5}}',
    ),
    env: { PROGRESS_INTERVAL: "1" },
    promised: STANDS,
  },
  {
    name: "prints JSON a hundred thousand levels deep",
    script: say(
      `{"msg":"x","stats":${"[".repeat(5000)}${"]".repeat(5000)}}`,
      `{"msg":"x","stats":${"[".repeat(100_000)}${"]".repeat(100_000)}}`,
      STATS,
    ),
    promised: STANDS,
    record: moved,
  },
  {
    name: "prints keys of JavaScript's own",
    script: say(
      '{"msg":"shown","__proto__":{"stats":{}},"constructor":1,"toString":2,"stats":{"__proto__":{"bytes":9},"hasOwnProperty":1,"bytes":10,"transfers":2}}',
    ),
    promised: STANDS,
    record: moved,
  },
];

const rclone = { program: "rclone", worker: "replicate" };

for (const each of [...misbehaviours, ...messages]) {
  fault(
    {
      injected: `an rclone that ${each.name}`,
      promised: each.promised,
      timeout: FLOOD_MS,
      worker: "replicate",
    },
    async (world) => {
      world.env.REPLICATE_JOB_FILE = world.file("jobs.txt", `${world.source};${world.folder("copy")};copy\n`);
      // It gets no password of restic's.
      world.env.RCLONE_CONFIG_PASS = String(world.env.RESTIC_PASSWORD);
      const seen = await misbehave(world, rclone, each);
      world.program("rclone", "exit 0");
      return seen;
    },
  );
}
