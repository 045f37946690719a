/**
 * Reads a tar stream as it passes, and writes the headers that restic's own stream lacks. Formats: POSIX.1-2001
 * (pax, ustar), which restic and GNU tar write, and the GNU extensions, which busybox tar writes. Pure.
 */

const BLOCK = 512;
/** Bytes kept of a header's extension: attributes may be long, but the records that are needed are not. */
const EXTENSION_MOST = 1024 * 1024;

/** Follows a tar stream: counts its members, and detects whether it is complete. */
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

  /** Calls `onMember` with the name of every member. Those in `leaveOut`, which have no content, are dropped. */
  constructor(
    private readonly leaveOut: ReadonlySet<string> = new Set(),
    private readonly onMember: (name: string) => void = () => {},
  ) {}

  /** Has the end of the archive been seen, and nothing since? */
  get complete(): boolean {
    return this.closed && this.have === 0 && this.left === 0;
  }

  /** The parts of `bytes` that belong to members, without the end-of-archive blocks. */
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
    const { path = parseName(this.header), size: contentSize = size } = this.next;
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
    // Links, devices, folders and pipes have no content, whatever size their header gives.
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

function parseName(header: Uint8Array): string {
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

export interface Member {
  /** Without a leading slash; a folder's gets its trailing one here. */
  readonly path: string;
  readonly type: "file" | "dir";
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Epoch seconds, whole. */
  readonly mtime: number;
  /** Bytes of content; 0 for a folder. */
  readonly size: number;
}

/** Two blocks of zeros end an archive. */
export const END = new Uint8Array(2 * BLOCK);

/** The zeros that fill a content of `size` bytes up to whole blocks. */
export const padding = (size: number): Uint8Array => new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);

/** One header, with an extended one before it where a value does not fit into the plain fields. */
export function tarHeader(member: Member): Uint8Array {
  const { type, mode, uid, gid, mtime, size } = member;
  const path = type === "dir" ? `${member.path}/` : member.path;
  const records: string[] = [];
  const plain = (key: string, value: number, digits: number) => {
    if (value >= 0 && value < 8 ** digits) return value;
    records.push(record(key, String(value)));
    return 0;
  };
  const fields = {
    type: type === "dir" ? "5" : "0",
    mode,
    uid: plain("uid", uid, 7),
    gid: plain("gid", gid, 7),
    mtime: plain("mtime", mtime, 11),
    size: plain("size", size, 11),
  };
  const fits = /^[\x20-\x7e]{0,100}$/.test(path);
  if (!fits) records.push(record("path", path));
  const header = block(fits ? path : "pax-path", fields);
  if (records.length === 0) return header;
  const text = Buffer.from(records.join(""));
  const before = block("pax-header", { type: "x", mode: 0o644, uid: 0, gid: 0, mtime: 0, size: text.length });
  return Buffer.concat([before, text, padding(text.length), header]);
}

interface Fields {
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly size: number;
}

function block(name: string, { type, mode, uid, gid, mtime, size }: Fields): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, digits: number) =>
    header.write(`${value.toString(8).padStart(digits, "0")}\0`, at, "latin1");
  header.write(name, 0, "latin1");
  octal(mode, 100, 7);
  octal(uid, 108, 7);
  octal(gid, 116, 7);
  octal(size, 124, 11);
  octal(mtime, 136, 11);
  header.write(type, 156, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  // The checksum is counted with blanks in its own place.
  header.write("        ", 148, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return header;
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts the whole record, itself included, in bytes. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  const bytes = Buffer.byteLength(rest);
  let length = bytes + String(bytes).length;
  length = bytes + String(length).length;
  return `${length}${rest}`;
}
