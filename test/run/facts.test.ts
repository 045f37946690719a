// What a worker declares of its record is all that it can put there. That these do not compile is seen by `make check`.
import { expect, test } from "bun:test";
import type { Run } from "../../lib/run/run.ts";
import { defineWorker } from "../../lib/run/worker.ts";

test("a fact that is not declared, or of another type, does not compile", () => {
  const declared = defineWorker({
    about: "",
    flags: {},
    environment: [],
    exits: [],
    facts: {
      found: { type: "count", help: "what was found" },
      kind: { type: "choice", options: ["new", "old"], help: "which kind" },
      list: { type: "rows", help: "each", fields: { name: { type: "string", help: "its name" } } },
    },
    subject: ({ found }) => (found === undefined ? undefined : `${found} found`),
    work: async (run) => {
      run.addFacts({ found: 1, kind: "new", list: [{ name: "a" }] });
      run.facts.found = 2;
      // @ts-expect-error a number
      run.facts.found = "2";
      // @ts-expect-error not declared
      run.facts.lost = 2;
      // @ts-expect-error not declared
      run.addFacts({ lost: 2 });
      // @ts-expect-error none of the options
      run.addFacts({ kind: "odd" });
      // @ts-expect-error not declared of a row
      run.addFacts({ list: [{ size: 1 }] });
      return { exitCode: 0 };
    },
  });
  const bare = defineWorker({
    about: "",
    flags: {},
    environment: [],
    exits: [],
    work: async (run) => {
      // @ts-expect-error it declares none
      run.facts.found = 1;
      // @ts-expect-error it declares none
      run.addFacts({ found: 1 });
      return { exitCode: 0 };
    },
  });
  const around = (run: Run) => {
    // @ts-expect-error who does not know the worker knows none of its fields
    run.addFacts({ found: 1 });
  };
  expect([Object.keys(declared.facts ?? {}), bare.facts, around.length]).toEqual([
    ["found", "kind", "list"],
    undefined,
    1,
  ]);
  expect(declared.subject?.({ found: 3 })).toBe("3 found");
});
