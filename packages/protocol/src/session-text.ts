/** Session tokens as text, the way they travel. */
import { Buffer } from "node:buffer";
import { mergeSessionTokens as mergeBytes } from "@meshkv/core";

/**
 * The token of a session whose calls overlapped: it has seen what both tokens have. An empty token has seen nothing. Where
 * the two do not fit together the second is returned, so that a server may say what is wrong.
 */
export function mergeSessionTokens(first: string, second: string): string {
  if (first === "" || first === second) return second;
  if (second === "") return first;
  return Buffer.from(mergeBytes(bytesOf(first), bytesOf(second))).toString("base64url");
}

function bytesOf(token: string): Uint8Array {
  return new Uint8Array(Buffer.from(token, "base64url"));
}
