// A compiled zone file, as zic writes it: RFC 8536. Read where it lies, so that loading one costs next to nothing.
import { type Period, type PosixRule, parsePosixRule, rulePeriod } from "./posix-rule.ts";

interface Block {
  readonly version: number;
  readonly timeSize: 4 | 8;
  readonly timeCount: number;
  readonly typeCount: number;
  readonly times: number;
  readonly indices: number;
  readonly types: number;
  readonly end: number;
}

const MAGIC = 0x545a6966; // "TZif"
const HEADER_SIZE = 44;
const TYPE_SIZE = 6;

/**
 * Makes a function from epoch seconds to the period that holds them. Versions 1 to 4; leap seconds are not
 * applied (the `right/` zones). Before the first change the first type counts, after the last the footer's
 * rule. Bytes that are no zone file: undefined.
 */
export function parseTzif(bytes: Uint8Array): ((epochSeconds: number) => Period) | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let block = readBlock(view, 0, 4);
  const hasFooter = block !== undefined && block.version >= 2;
  if (block && hasFooter) block = readBlock(view, block.end, 8);
  if (!block || block.typeCount === 0 || block.end > bytes.length) return undefined;
  const { indices, types, typeCount } = block;
  if (bytes.subarray(indices, types).some((type) => type >= typeCount)) return undefined;

  const found = block;
  let rule: PosixRule | undefined;
  let isFooterRead = !hasFooter;
  return (epochSeconds) => {
    const period = findPeriod(view, found, epochSeconds);
    if (period.until < Infinity) return period;
    // Read when first needed: many files list their changes up to 2037, and a rule costs 0.2 ms to parse cold.
    if (!isFooterRead) rule = readFooter(bytes.subarray(found.end));
    isFooterRead = true;
    if (!rule) return period;
    const ruled = rulePeriod(rule, epochSeconds);
    return { ...ruled, from: Math.max(ruled.from, period.from) };
  };
}

function readBlock(view: DataView, at: number, timeSize: 4 | 8): Block | undefined {
  if (view.byteLength < at + HEADER_SIZE || view.getUint32(at) !== MAGIC) return undefined;
  const version = view.getUint8(at + 4);
  const count = (index: number) => view.getUint32(at + 20 + index * 4);
  const [utcFlags, standardFlags, leaps] = [count(0), count(1), count(2)];
  const [timeCount, typeCount, letters] = [count(3), count(4), count(5)];

  const times = at + HEADER_SIZE;
  const indices = times + timeCount * timeSize;
  const types = indices + timeCount;
  const end = types + typeCount * TYPE_SIZE + letters + leaps * (timeSize + 4) + standardFlags + utcFlags;
  return {
    version: version === 0 ? 1 : version - 0x30,
    timeSize,
    timeCount,
    typeCount,
    times,
    indices,
    types,
    end,
  };
}

/** The rule between the two newlines that follow the second block; there may be none. */
function readFooter(rest: Uint8Array): PosixRule | undefined {
  const text = new TextDecoder().decode(rest);
  return parsePosixRule(text.slice(1, text.indexOf("\n", 1)));
}

function findPeriod(view: DataView, block: Block, epochSeconds: number): Period {
  const passed = countPassed(view, block, epochSeconds);
  const from = passed === 0 ? -Infinity : timeAt(view, block, passed - 1);
  const until = passed === block.timeCount ? Infinity : timeAt(view, block, passed);
  const type = passed === 0 ? 0 : view.getUint8(block.indices + passed - 1);
  return { from, until, offset: view.getInt32(block.types + type * TYPE_SIZE) };
}

/** How many changes lie at or before an instant, by halving. */
function countPassed(view: DataView, block: Block, epochSeconds: number): number {
  let low = 0;
  let high = block.timeCount;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (timeAt(view, block, middle) <= epochSeconds) low = middle + 1;
    else high = middle;
  }
  return low;
}

function timeAt(view: DataView, { times, timeSize }: Block, index: number): number {
  const at = times + index * timeSize;
  if (timeSize === 4) return view.getInt32(at);
  return view.getInt32(at) * 2 ** 32 + view.getUint32(at + 4); // exact to 2^53, without BigInt
}
