// A restic that misbehaves in every way that a backup may meet.
import { fault } from "./fault.ts";
import { FLOOD_MS, misbehave } from "./misbehave.ts";
import { type Misbehaviour, misbehaviours } from "./misbehaviours.ts";

const say = (...lines: string[]) => `cat <<'EOF'\n${lines.join("\n")}\nEOF`;
const SUMMARY = '{"message_type":"summary","files_new":2,"data_added":10,"snapshot_id":"a1b2c3d4e5f6"}';
const deep = (depth: number) =>
  `{"message_type":"summary","files_new":${"[".repeat(depth)}${"]".repeat(depth)}}`;
const STANDS = "shown or passed over; exit 0 stands, the record is whole";

const messages: readonly Misbehaviour[] = [
  {
    name: "prints what is nearly JSON",
    script: say(
      '{"message_type":"status","percent_done":',
      "{{{{",
      "[1,2",
      "null",
      "{}",
      '{"message_type":5}',
      '{"message_type":"__proto__"}',
      '{"message_type":"constructor"}',
      SUMMARY,
    ),
    promised: STANDS,
    record: { snapshot_id: "a1b2c3d4", files_new: 2 },
  },
  {
    name: "prints JSON of wrong types",
    script: say(
      '{"message_type":"status","percent_done":"half","seconds_remaining":{},"bytes_done":[],"total_bytes":null}',
      '{"message_type":"error","error":5,"item":{}}',
      '{"message_type":"error","error":{"message":{}},"item":7,"during":[]}',
      '{"message_type":"verbose_status","action":{},"item":[]}',
      '{"message_type":"exit_error","code":"x","message":{}}',
      '{"message_type":"summary","files_new":"many","data_added":"much","snapshot_id":12345,"total_files_processed":{}}',
    ),
    promised: STANDS,
  },
  {
    name: "prints huge and negative numbers",
    script: say(
      '{"message_type":"status","percent_done":1e999,"seconds_remaining":1e300,"bytes_done":-1,"total_bytes":1e308}',
      '{"message_type":"status","percent_done":-5,"seconds_remaining":-1e300}',
      '{"message_type":"summary","files_new":1e999,"data_added":1e300,"total_bytes_processed":-1}',
    ),
    env: { PROGRESS_INTERVAL: "1" },
    promised: STANDS,
  },
  {
    name: "prints JSON a hundred thousand levels deep",
    script: say(deep(5000), deep(100_000), SUMMARY),
    promised: STANDS,
    record: { snapshot_id: "a1b2c3d4" },
  },
  {
    name: "prints keys of JavaScript's own",
    script: say(
      '{"message_type":"summary","__proto__":{"files_new":9},"constructor":1,"toString":2,"hasOwnProperty":3,"snapshot_id":"a1b2c3d4e5f6"}',
    ),
    promised: STANDS,
    record: { snapshot_id: "a1b2c3d4" },
  },
  {
    name: "names a snapshot that no environment can hold",
    script: say('{"message_type":"summary","snapshot_id":"a\\u0000b\\nRBH_STATUS=ok"}'),
    promised: STANDS,
  },
  {
    name: "prints a summary and fails",
    script: `${say(SUMMARY)}\nexit 1`,
    promised: "exit 1, failed; the snapshot is named",
    exit: 1,
    record: { snapshot_id: "a1b2c3d4" },
  },
  { name: "succeeds without a summary", script: "exit 0", promised: "exit 0, a record without a snapshot" },
];

const restic = { program: "restic", worker: "backup" };

for (const each of [...misbehaviours, ...messages]) {
  fault({ injected: `a restic that ${each.name}`, promised: each.promised, timeout: FLOOD_MS }, (world) =>
    misbehave(world, restic, each),
  );
}
