import { expect, test } from "bun:test";
import { formatBytes, formatPart } from "../lib/text.ts";

test.each<[number, string]>([
  [0, "0 B"],
  [1, "1 B"],
  [512, "512 B"],
  [1023, "1023 B"],
  [1024, "1.000 KiB"],
  [1536, "1.500 KiB"],
  [1_293_942, "1.234 MiB"],
  [1_048_575, "1023.999 KiB"],
  [2 ** 20, "1.000 MiB"],
  [3_234_110_472, "3.012 GiB"],
  [2 ** 40, "1.000 TiB"],
  [5000 * 2 ** 40, "5000.000 TiB"],
  [2 ** 53, "8192.000 TiB"],
  [-1, "0 B"],
  [Number.NaN, "0 B"],
])("%d", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

test("a tie goes to the even digit, as in Go", () => {
  expect(formatBytes(1024 + 64)).toBe("1.062 KiB"); // 1.0625
  expect(formatBytes(1024 + 192)).toBe("1.188 KiB"); // 1.1875
});

test("three decimals are those of printf, which rounds as Go does", async () => {
  const sizes = Array.from({ length: 3000 }, (_, index) => 1024 + index * 8);
  const numbers = sizes.map((bytes) => String(bytes / 1024)); // exact: at most ten binary digits
  const child = Bun.spawn(["/usr/bin/printf", "%.3f KiB\n", ...numbers]);
  const wanted = (await new Response(child.stdout).text()).trimEnd().split("\n");
  expect(sizes.map(formatBytes)).toEqual(wanted);
});

test.each([
  [0, 0, "0 of 0 B"],
  [5, 512, "  5 of 512 B"],
  [0, 2 ** 20, "0.000 of 1.000 MiB"],
  [2 ** 20, 1.5 * 2 ** 30, "0.001 of 1.500 GiB"],
  [99 * 2 ** 20, 123.5 * 2 ** 20, " 99.000 of 123.500 MiB"],
  [2 ** 41, 2 ** 40, "2.000 of 1.000 TiB"],
  [-1, 10, " 0 of 10 B"],
])("formatPart(%d, %d) is %j", (part, whole, text) => {
  expect(formatPart(part, whole)).toBe(text);
});
