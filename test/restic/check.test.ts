import { expect, test } from "bun:test";
import { errorText } from "../../lib/restic/messages.ts";
import { checkAdvice, checkFacts, checkVerdict } from "../../lib/workers/check.ts";

test("checkFacts has restic's names, and names twenty packs at the most", () => {
  expect(checkFacts({ num_errors: 0, broken_packs: null, suggest_repair_index: false })).toEqual({
    num_errors: 0,
    broken_packs_count: 0,
    broken_packs: [],
    suggest_repair_index: false,
    suggest_prune: false,
  });
  const packs = Array.from({ length: 30 }, (_, index) => `pack${index}`);
  expect(checkFacts({ num_errors: 30, broken_packs: packs, suggest_prune: true })).toEqual({
    num_errors: 30,
    broken_packs_count: 30,
    broken_packs: packs.slice(0, 20),
    suggest_repair_index: false,
    suggest_prune: true,
  });
});

test.each([
  [{}, "no errors were found"],
  [{ num_errors: 1, broken_packs: null }, "1 error was found"],
  [{ num_errors: 1, broken_packs: ["a"] }, "1 error was found; 1 pack is damaged"],
  [{ num_errors: 3, broken_packs: ["a", "b"] }, "3 errors were found; 2 packs are damaged"],
])("checkVerdict %j", (summary, verdict) => expect(checkVerdict(summary)).toBe(verdict));

test("checkAdvice", () => {
  expect(checkAdvice({ suggest_repair_index: false, suggest_prune: false })).toEqual([]);
  expect(checkAdvice({ suggest_repair_index: true, suggest_prune: true })).toEqual([
    expect.stringContaining("repair index"),
    expect.stringContaining("prune"),
  ]);
});

test("the errors of check have their words in another place", () => {
  const message = "\nThe repository is damaged.\n\n";
  expect(errorText({ message_type: "error", message })).toBe("The repository is damaged.");
});
