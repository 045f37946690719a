import { describe, expect, test } from "bun:test";
import { CronError, parseCron } from "../../lib/schedule/cron.ts";

/** The indices that match, as short text: `0,15,30,45`. */
function matching(values: readonly boolean[]): string {
  return values.flatMap((value, index) => (value ? [index] : [])).join();
}

describe("one field", () => {
  test.each<[string, string]>([
    ["0", "0"],
    ["007", "7"],
    ["59", "59"],
    ["1,2,1", "1,2"],
    ["58-1", "0,1,58,59"],
    ["*/20", "0,20,40"],
    ["10-50/20", "10,30,50"],
    ["50-10/10", "0,10,50"],
    ["0,30-31,*/25", "0,25,30,31,50"],
    ["7/1", "7"],
    ["7-7", "7"],
  ])("minute %s", (text, wanted) => expect(matching(parseCron(`${text} * * * *`).minutes)).toBe(wanted));

  test("months count from January as 0, weekdays from Sunday", () => {
    expect(matching(parseCron("0 0 * 1,DEC,mar-May *").months)).toBe("0,2,3,4,11");
    expect(matching(parseCron("0 0 * * sun,Tue-THU").weekdays)).toBe("0,2,3,4");
  });

  test("* steps through days from 0, as crond does", () => {
    expect(matching(parseCron("0 0 */10 * *").days)).toBe("0,10,20,30");
  });
});

describe("which of the day fields counts", () => {
  test.each<[string, number, number]>([
    ["0 0 * * *", 32, 7],
    ["0 0 1 * *", 1, 0],
    ["0 0 * * 1", 0, 1],
    ["0 0 1 * 1", 1, 1],
    ["0 0 1-31 * 1", 31, 1],
    ["0 0 1-31 * *", 31, 0],
    ["0 0 1 * 0-6", 1, 0],
    ["0 0 */1 * 1", 0, 1],
    ["0 0 */2 * */2", 16, 4],
  ])("%s: %i days, %i weekdays", (text, days, weekdays) => {
    const cron = parseCron(text);
    const count = (values: readonly boolean[]) => values.filter(Boolean).length;
    expect([count(cron.days), count(cron.weekdays)]).toEqual([days, weekdays]);
  });
});

test.each([
  ["0 3 * * *", "0 3 * * *"],
  ["\t0   3 *\t* MON ", "0 3 * * MON"],
  ["@hourly", "0 * * * *"],
  [" @daily ", "0 0 * * *"],
  ["@weekly", "0 0 * * 0"],
])("text for the crontab: %j", (text, wanted) => expect(parseCron(text).text).toBe(wanted));

describe("refused", () => {
  test.each<[string, string, string, string]>([
    ["", "expression", "", "0 fields, not 5"],
    ["   ", "expression", "", "0 fields, not 5"],
    ["0", "expression", "0", "1 field, not 5"],
    ["0 3 * *", "expression", "0 3 * *", "4 fields, not 5"],
    ["0 3 * * * root", "expression", "0 3 * * * root", "6 fields, not 5"],
    ["0 3 * * *\n* * * * * evil", "expression", "0 3 * * *\n* * * * * evil", "line break"],
    ["0 3 * * *\r", "expression", "0 3 * * *\r", "line break"],
    ["0 3 * * %", "expression", "0 3 * * %", "%"],
    ["@reboot", "expression", "@reboot", "names no time: write five fields"],
    [
      "@dayly",
      "expression",
      "@dayly",
      "not a shortcut that crond knows: write five fields, such as 0 3 * * *",
    ],
    ["@Daily", "expression", "@Daily", "not a shortcut"],
    ["@toString", "expression", "@toString", "not a shortcut"],
    ["60 * * * *", "minute", "60", "outside of 0 to 59"],
    ["0,75 * * * *", "minute", "75", "outside of 0 to 59"],
    ["0-60 * * * *", "minute", "60", "outside of 0 to 59"],
    ["99999999999999999999 * * * *", "minute", "99999999999999999999", "outside"],
    ["-1 * * * *", "minute", "-1", "cannot read"],
    ["+1 * * * *", "minute", "+1", "cannot read"],
    ["1.5 * * * *", "minute", "1.5", "cannot read"],
    ["1- * * * *", "minute", "1-", "cannot read"],
    ["1-2-3 * * * *", "minute", "1-2-3", "cannot read"],
    ["1-* * * * *", "minute", "1-*", "cannot read"],
    ["** * * * *", "minute", "**", "cannot read"],
    ["*/ * * * *", "minute", "*/", "cannot read"],
    ["*/-5 * * * *", "minute", "*/-5", "cannot read"],
    ["*/0 * * * *", "minute", "*/0", "step is 1 or more"],
    ["1, * * * *", "minute", "1,", "a value is missing"],
    [",1 * * * *", "minute", ",1", "a value is missing"],
    ["? * * * *", "minute", "?", "cannot read"],
    ["H * * * *", "minute", "H", "cannot read"],
    ["mon * * * *", "minute", "mon", "cannot read"],
    ["# * * * *", "minute", "#", "cannot read"],
    ["0 24 * * *", "hour", "24", "outside of 0 to 23"],
    ["0 3am * * *", "hour", "3am", "cannot read"],
    ["0 0 0 * *", "day of month", "0", "outside of 1 to 31"],
    ["0 0 32 * *", "day of month", "32", "outside of 1 to 31"],
    ["0 0 L * *", "day of month", "L", "cannot read"],
    ["0 0 15W * *", "day of month", "15W", "cannot read"],
    ["0 0 * 0 *", "month", "0", "outside of 1 to 12"],
    ["0 0 * 13 *", "month", "13", "outside of 1 to 12"],
    ["0 0 * january *", "month", "january", "a name (jan to dec)"],
    ["0 0 * mon *", "month", "mon", "a name (jan to dec)"],
    ["0 0 * * 7", "day of week", "7", "write 0 or sun"],
    ["0 0 * * 5-7", "day of week", "7", "write 0 or sun"],
    ["0 0 * * 8", "day of week", "8", "outside of 0 to 6"],
    ["0 0 * * sunday", "day of week", "sunday", "a name (sun to sat)"],
    ["0 0 * * 5#2", "day of week", "5#2", "cannot read"],
    ["0 0 * * mo", "day of week", "mo", "a name (sun to sat)"],
  ])("%j", (text, field, value, message) => {
    let error: unknown;
    try {
      parseCron(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CronError);
    expect(error).toMatchObject({ name: "CronError", field, value });
    expect((error as CronError).message).toContain(message);
    expect((error as CronError).message).toStartWith(`${field} ${JSON.stringify(value)}`);
    expect((error as CronError).message).not.toContain("\n");
  });
});

describe("notes", () => {
  test.each<[string, string[]]>([
    ["0 */6 * * *", []],
    ["0-59/30 * * * *", []],
    ["5/15 * * * *", ['minute "5/15" means 5 alone to crond: write 5, or a range with a step']],
    ["*/90 * * * *", ['minute "*/90" means 0 alone to crond: write 0, or a range with a step']],
    ["0 0 1 JAN/3 *", ['month "JAN/3" means 1 alone to crond: write 1, or a range with a step']],
  ])("%s", (text, notes) => expect(parseCron(text).notes).toEqual(notes));
});
