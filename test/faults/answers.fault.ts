// A restic that answers with nonsense where a worker asks it for its snapshots, a policy, a check or a list of files.
import { expect } from "bun:test";
import { fault } from "./fault.ts";

const ID = "a1b2c3d4".repeat(8);
const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
const snapshot = (fields: string) =>
  `[{"id":"${ID}","time":"2026-01-01T00:00:00Z","hostname":"testhost"${fields}}]`;

const ANSWERS: readonly string[] = [
  ...[
    '"x"',
    "5",
    "null",
    "{}",
    "[null]",
    "[1,2]",
    "[[[]]]",
    "[{}]",
    "}{",
    "\\u0000",
    deep(3000),
    deep(100_000),
  ],
  ...['[{"__proto__":{"id":"x"},"toString":1}]', '[{"id":5,"time":{},"hostname":7,"paths":"x","tags":"t"}]'],
  snapshot(""),
  snapshot(',"paths":null,"tags":["automated"]'),
  snapshot(',"paths":[5],"tags":[{}]'),
  snapshot(',"tags":["automated"]').replace("2026-01-01T00:00:00Z", "yesterday"),
  '[{"keep":5,"remove":"x","reasons":{}}]',
  '[{"keep":[null],"remove":[5],"host":{},"paths":5}]',
  '[{"reasons":[{"matches":5,"snapshot":null}]}]',
  '{"struct_type":"node","path":5,"type":{},"size":"x"}',
  '{"message_type":"summary","num_errors":"x","broken_packs":5,"files_restored":"x","bytes_restored":{}}',
];

for (const words of [
  ["forget-preview", "--policy", "--keep-last 3"],
  ["snapshot-export", "--id", "a1b2"],
  ["restore", "--target", "restored", "--force"],
  ["restore-test", "--sample", "3"],
  ["check"],
  ["unlock"],
]) {
  const [worker = ""] = words;
  fault(
    {
      injected: `a restic that gives ${worker} one of ${ANSWERS.length} nonsensical answers and exits with 0`,
      promised: "an exit code of its own and a sentence, never a bug report; a whole record",
    },
    async (world) => {
      world.restic("cat $HOME/answer");
      const codes = new Set<number>();
      for (const answer of ANSWERS) {
        world.file("answer", `${answer}\n`);
        const { code, stdout, stderr } = await world.exec(["restic-backup-helper", ...words]);
        codes.add(code);
        expect({ answer: answer.slice(0, 200), stdout: stdout + stderr }).toEqual({
          answer: answer.slice(0, 200),
          stdout: expect.not.stringContaining("This is a bug"),
        });
        expect([0, 1, 2, 3]).toContain(code);
        if (worker !== "unlock") expect(world.record(worker)).toMatchObject({ exit_code: code });
      }
      return `exit ${[...codes].sort().join(" or ")}, said in a sentence`;
    },
  );
}
