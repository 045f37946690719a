/**
 * Reads a tar stream as it passes, and writes the headers that restic's own stream lacks. Formats: POSIX.1-2001
 * (pax, ustar), which restic and GNU tar write, and the extensions of GNU, which busybox tar writes.
 */

const BLOCK = 512;
/** What is kept of a header's extension; attributes may be long, the records that are looked for are not. */
const EXTENSION_MOST = 1024 * 1024;

/** Follows a tar stream: counts its members, and knows whether it has come to its end. */
export class TarScan {
  /** Everything but folders. */
  files = 0;
  folders = 0;
  /** Of the files' content. */
  bytes = 0;
  private readonly header = new Uint8Array(BLOCK);
  private have = 0;
  /** Bytes of content, with its padding, that are still to come. */
  private left = 0;
  private extension: Extension | undefined;
  private next: Partial<Attributes> = {};
  /** Extensions that wait for the header that they are about. */
  private readonly held: Uint8Array[] = [];
  private closed = false;

  /** `onMember` is told the name of every member. Those in `leaveOut`, which have no content, are dropped. */
  constructor(
    private readonly leaveOut: ReadonlySet<string> = new Set(),
    private readonly onMember: (name: string) => void = () => {},
  ) {}

  /** Has the end of the archive been seen, and nothing since? */
  get complete(): boolean {
    return this.closed && this.have === 0 && this.left === 0;
  }

  /** The parts of `bytes` that belong to members: what marks the end of an archive is left out. */
  *members(bytes: Uint8Array): Generator<Uint8Array> {
    let at = 0;
    while (at < bytes.length) {
      if (this.left > 0) {
        const content = bytes.subarray(at, at + this.left);
        at += content.length;
        if (this.extension === undefined) yield content;
        else this.extend(this.extension, content);
        this.left -= content.length;
        continue;
      }
      const part = bytes.subarray(at, at + BLOCK - this.have);
      this.header.set(part, this.have);
      this.have += part.length;
      at += part.length;
      if (this.have < BLOCK) return;
      this.have = 0;
      this.closed = this.header.every((byte) => byte === 0);
      if (this.closed) continue;
      this.held.push(this.header.slice());
      if (this.begin()) yield* this.held.splice(0);
    }
  }

  /** Begins what the header announces; true for a member, false for an extension or what is left out. */
  private begin(): boolean {
    const type = String.fromCharCode(this.header[156] ?? 0);
    const size = numberAt(this.header, 124, 12);
    if (EXTENSIONS.includes(type)) {
      this.left = paddedSize(size);
      this.extension = new Extension(type, size);
      return false;
    }
    const { path = nameOf(this.header), size: contentSize = size } = this.next;
    this.next = {};
    if (this.leaveOut.has(path) && contentSize === 0) {
      this.held.length = 0;
      return false;
    }
    this.onMember(path);
    this.count(type, contentSize);
    return true;
  }

  private count(type: string, size: number): void {
    this.left = paddedSize(size);
    if (type === "5") this.folders++;
    else this.files++;
    // Links, devices, folders and pipes have no content, whatever their header says of what they point to.
    if (/[1-6]/.test(type)) this.left = 0;
    else this.bytes += size;
  }

  private extend(extension: Extension, content: Uint8Array): void {
    this.held.push(content.slice());
    extension.take(content, this.left);
    if (content.length < this.left) return;
    Object.assign(this.next, extension.attributes());
    this.extension = undefined;
  }
}

const paddedSize = (size: number): number => Math.ceil(size / BLOCK) * BLOCK;

/** Header types that say something about the member after them: pax, pax for all members, GNU's long names. */
const EXTENSIONS = ["x", "g", "L", "K"];

interface Attributes {
  readonly path: string;
  readonly size: number;
}

class Extension {
  private readonly content: Uint8Array[] = [];
  private kept = 0;

  constructor(
    private readonly type: string,
    private readonly size: number,
  ) {}

  take(bytes: Uint8Array, left: number): void {
    const padding = paddedSize(this.size) - this.size;
    const own = bytes.subarray(0, Math.max(0, left - padding));
    if (this.kept + own.length > EXTENSION_MOST) return;
    this.kept += own.length;
    this.content.push(own.slice());
  }

  attributes(): Partial<Attributes> {
    const text = Buffer.concat(this.content).toString();
    if (this.type === "L") return { path: text.replace(/\0+$/, "") };
    return this.type === "x" ? paxAttributes(text) : {};
  }
}

/** The records of a pax header that are of use here: `30 path=some/name\n`. */
function paxAttributes(text: string): Partial<Attributes> {
  const path = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(text)?.[1];
  const size = /(?:^|\n)\d+ size=(\d+)\n/.exec(text)?.[1];
  return { ...(path === undefined ? {} : { path }), ...(size === undefined ? {} : { size: Number(size) }) };
}

function nameOf(header: Uint8Array): string {
  const name = textAt(header, 0, 100);
  const prefix = textAt(header, 257, 6) === "ustar" ? textAt(header, 345, 155) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function textAt(header: Uint8Array, at: number, length: number): string {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  return Buffer.from(end < 0 ? field : field.subarray(0, end)).toString();
}

/** An octal number, or a binary one, where the first bit is set (GNU, for what octal digits cannot hold). */
function numberAt(header: Uint8Array, at: number, length: number): number {
  const field = header.subarray(at, at + length);
  if (((field[0] ?? 0) & 0x80) === 0) return Number.parseInt(textAt(header, at, length).trim() || "0", 8);
  return field.subarray(1).reduce((number, byte) => number * 256 + byte, (field[0] ?? 0) & 0x7f);
}
