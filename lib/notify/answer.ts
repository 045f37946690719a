/** What an answer, or its absence, means: in our own words, for an error's own text may hold the URL. Pure. */

import { errnoOf } from "../errors.ts";

/** What one attempt came to. */
export interface Answer {
  readonly ok: boolean;
  readonly words: string;
  readonly again: boolean;
}

/** From the status of an HTTP answer. */
export function answerOf(status: number): Answer {
  if (status >= 200 && status < 300) return { ok: true, words: String(status), again: false };
  const hint =
    status === 401 || status === 403
      ? " (its authorization is wrong or missing)"
      : status === 404 || status === 410
        ? " (it does not know this path)"
        : "";
  return { ok: false, words: `it answered ${status}${hint}`, again: status === 429 || status >= 500 };
}

/** No second attempt would change it. */
export const refused = (words: string): Answer => ({ ok: false, words, again: false });

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was closed before an answer had come",
  ENOTFOUND: "its host name is not known",
  EAI_AGAIN: "its host name cannot be looked up just now",
  EHOSTUNREACH: "its host cannot be reached",
  ENETUNREACH: "its network cannot be reached",
  EPROTO: "the TLS handshake failed",
  Malformed_HTTP_Response: "its answer was no HTTP",
};

/** From what fetch has thrown. */
export function failure(error: unknown): Answer {
  const code = errnoOf(error) ?? "";
  if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
    const remedy = "Name the CA's file in NODE_EXTRA_CA_CERTS, or correct the certificate";
    return refused(`its TLS certificate is not trusted (${code}). ${remedy}`);
  }
  const plain = /^[A-Za-z_]{1,60}$/.test(code) ? `the request failed (${code})` : "the request failed";
  return { ok: false, words: REASONS[code] ?? plain, again: true };
}
