/** Writes the header of a tar member (POSIX.1-2001, pax). Pure. */

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

const BLOCK = 512;

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
