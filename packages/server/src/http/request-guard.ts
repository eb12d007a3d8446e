/**
 * What a browser can be made to do by a page that is none of ours: send requests here (CSRF), or take this server for
 * the page's own (DNS rebinding). There are no passwords yet, so both must be refused.
 */
import type { IncomingMessage } from "node:http";
import { MeshkvError } from "@meshkv/core";
import { isLoopback } from "../config/address.ts";
import { quoteText } from "../handlers/quote-bytes.ts";

const SAFE_METHODS: ReadonlySet<string | undefined> = new Set(["GET", "HEAD", "OPTIONS"]);

/** What the guard goes by. */
export interface GuardOptions {
  /** The host that is listened on. On loopback, only names of loopback are ours. */
  readonly listenHost: string;
  /** Other origins whose pages may call, such as `https://admin.example.org`. */
  readonly origins: readonly string[];
}

/** Refuses requests that a foreign page makes; PERMISSION_DENIED. */
export function requireOwnPage(
  { method, headers }: IncomingMessage,
  { listenHost, origins }: GuardOptions,
): void {
  const host = headers.host ?? "";
  const isNamed = origins.some((origin) => hostOf(origin) === host);
  // Browsers always say whom they mean.
  if (host !== "" && isLoopback(listenHost) && !isNamed && !isLoopback(nameOf(host))) {
    throw denied(
      `this server listens on this machine only, and is not ${quoteText(host)}: call it by 127.0.0.1, or name the origin with --http-origin`,
    );
  }
  if (SAFE_METHODS.has(method)) return;
  const { origin } = headers;
  if (origin === undefined) {
    if (headers["sec-fetch-site"] !== "cross-site") return;
    throw denied("a page of another site may not write here: name its origin with --http-origin");
  }
  if (hostOf(origin) === host || origins.includes(origin)) return;
  throw denied(`pages of ${quoteText(origin)} may not write here: name the origin with --http-origin`);
}

/** What the pages of named origins are allowed (CORS); nothing for all others. */
export function crossOriginHeaders(
  { headers }: IncomingMessage,
  { origins }: GuardOptions,
): Readonly<Record<string, string>> {
  const { origin } = headers;
  if (origin === undefined || !origins.includes(origin)) return {};
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-methods": "GET, HEAD, PUT, POST, DELETE",
    "access-control-allow-headers":
      "Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Meshkv-Session",
    "access-control-expose-headers": "ETag, Meshkv-Conflicts, Meshkv-Expire-Time, Meshkv-Session",
    "access-control-max-age": "600",
    "cross-origin-resource-policy": "cross-origin",
    vary: "Origin",
  };
}

/** The host, and the port if there is one, of an origin; undefined: it is no origin. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

/** The host without port and brackets. */
function nameOf(host: string): string {
  const name = host.replace(/:\d*$/, "");
  return name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name;
}

function denied(text: string): MeshkvError {
  return new MeshkvError("PERMISSION_DENIED", text);
}
