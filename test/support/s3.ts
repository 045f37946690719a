/** As much of S3 as restic uses, in memory. It stands in for one that no package of the test machine brings. */

export class S3 implements Disposable {
  /** The objects of each bucket, by their keys. */
  readonly buckets = new Map<string, Map<string, Uint8Array>>();
  private readonly server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) => this.answer(request),
  });

  get url(): string {
    return `http://127.0.0.1:${this.server.port}`;
  }

  [Symbol.dispose](): void {
    this.server.stop(true);
  }

  private async answer(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const [, name = "", rest = ""] = /^\/([^/]*)\/?(.*)$/.exec(decodeURIComponent(pathname)) ?? [];
    const bucket = this.buckets.get(name);
    const { method } = request;
    if (method === "PUT" && rest === "") {
      this.buckets.set(name, bucket ?? new Map());
      return new Response();
    }
    if (bucket === undefined) return fault("NoSuchBucket", "The specified bucket does not exist");
    if (searchParams.has("location"))
      return xml('<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>');
    if (rest === "") return method === "HEAD" ? new Response() : list(name, bucket, searchParams);
    if (method === "PUT") {
      bucket.set(rest, decoded(new Uint8Array(await request.arrayBuffer()), request));
      return new Response(null, { headers: { ETag: '"1"' } });
    }
    if (method === "DELETE") {
      bucket.delete(rest);
      return new Response(null, { status: 204 });
    }
    const object = bucket.get(rest);
    if (object === undefined) return fault("NoSuchKey", "The specified key does not exist.");
    return read(object, request);
  }
}

const MODIFIED = "2026-01-01T00:00:00.000Z";

function read(object: Uint8Array, { method, headers }: Request): Response {
  const [, from = "0", to = ""] = /^bytes=(\d+)-(\d*)$/.exec(headers.get("range") ?? "") ?? [];
  const part = object.slice(Number(from), to === "" ? undefined : Number(to) + 1);
  return new Response(method === "HEAD" ? null : part, {
    status: headers.has("range") ? 206 : 200,
    headers: {
      ETag: '"1"',
      "Last-Modified": new Date(MODIFIED).toUTCString(),
      "Content-Length": String(part.length),
      "Content-Range": `bytes ${from}-${Number(from) + part.length - 1}/${object.length}`,
    },
  });
}

function list(name: string, bucket: ReadonlyMap<string, Uint8Array>, query: URLSearchParams): Response {
  const prefix = query.get("prefix") ?? "";
  const delimiter = query.get("delimiter") ?? "";
  const found = [...bucket].filter(([key]) => key.startsWith(prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
  const isDeep = (key: string) => delimiter !== "" && key.slice(prefix.length).includes(delimiter);
  const contents = found
    .filter(([key]) => !isDeep(key))
    .map(
      ([key, { length }]) =>
        `<Contents><Key>${key}</Key><LastModified>${MODIFIED}</LastModified><ETag>"1"</ETag><Size>${length}</Size></Contents>`,
    );
  return xml(
    `<ListBucketResult><Name>${name}</Name><Prefix>${prefix}</Prefix><IsTruncated>false</IsTruncated>${contents.join("")}</ListBucketResult>`,
  );
}

/** A body in chunks with a signature each (`<hex>;chunk-signature=…\r\n<bytes>\r\n`), as it is sent without TLS. */
function decoded(body: Uint8Array, { headers }: Request): Uint8Array {
  if (!headers.get("x-amz-content-sha256")?.startsWith("STREAMING-")) return body;
  const parts: Uint8Array[] = [];
  for (let at = 0; at < body.length; ) {
    const end = body.indexOf(0x0a, at);
    const size = Number.parseInt(new TextDecoder().decode(body.subarray(at, end)), 16);
    if (!(size > 0)) break;
    parts.push(body.subarray(end + 1, end + 1 + size));
    at = end + 1 + size + 2;
  }
  return new Uint8Array(Buffer.concat(parts));
}

const xml = (text: string, status = 200): Response =>
  new Response(`<?xml version="1.0" encoding="UTF-8"?>\n${text}`, {
    status,
    headers: { "Content-Type": "application/xml" },
  });

const fault = (code: string, message: string): Response =>
  xml(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`, 404);
