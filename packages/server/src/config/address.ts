import { isIPv4, isIPv6 } from "node:net";

/** Where a replica listens or is reached. */
export interface Address {
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  /** 0 to 65535; 0 stands for "any free port" and is for listening only. */
  readonly port: number;
}

/** An address as it was read, or what is wrong with the text and what to write instead. */
export type AddressResult = { readonly address: Address } | { readonly problem: string };

const PORT_MAX = 65_535;
const NAME_LENGTH_MAX = 253;
const LABEL_LENGTH_MAX = 63;

/** Reads `host:port`, `[v6]:port` or `name:port`. Never throws. */
export function parseAddress(text: string): AddressResult {
  const refuse = (what: string, advice: string): AddressResult => ({
    problem: `${what} in ${quoteText(text)}: ${advice}`,
  });
  if (text.includes("://")) return refuse("a URL", "write host:port without a scheme");
  if (isIPv6(text)) return refuse("no port", `write [${text}]:4000`);
  const colon = text.lastIndexOf(":");
  if (colon < 0) {
    if (isDigits(text)) return refuse("no host", `write 127.0.0.1:${text}`);
    return refuse("no port", text === "" ? "write host:port, such as 127.0.0.1:4000" : `write ${text}:4000`);
  }
  const port = parsePort(text.slice(colon + 1));
  if (port === undefined) return refuse("no port from 0 to 65535", "write host:port, such as 127.0.0.1:4000");
  const hostText = text.slice(0, colon);
  if (hostText === "") return refuse("no host", `write 127.0.0.1:${port}`);
  if (hostText.startsWith("[") && hostText.endsWith("]")) {
    const host = hostText.slice(1, -1);
    return isIPv6(host)
      ? { address: { host, port } }
      : refuse("no IPv6 address in brackets", "write [::1]:4000");
  }
  if (hostText.includes(":")) return refuse("an IPv6 address without brackets", "write [::1]:4000");
  if (isIPv4(hostText) || isHostName(hostText)) return { address: { host: hostText, port } };
  return refuse("no valid host", "write a name, an IPv4 address, or an IPv6 address in brackets");
}

/** The text form of an address, which {@link parseAddress} reads. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Whether only this machine reaches the host. A name counts only if it is `localhost` or ends in `.localhost`: what
 * another name stands for is decided elsewhere, and may change.
 */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  if (isIPv4(name)) return name.startsWith("127.");
  if (isIPv6(name)) return name === "::1" || name === "0:0:0:0:0:0:0:1" || name.startsWith("::ffff:127.");
  return name === "localhost" || name.endsWith(".localhost");
}

/** Whether the host stands for every address of this machine, and so for none that others could dial. */
export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || (isIPv6(host) && /^[0:]+$/.test(host));
}

/** A text as it may stand in a message: quoted, escaped, and cut after 80 characters. */
export function quoteText(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return JSON.stringify(shown);
}

function parsePort(text: string): number | undefined {
  if (text.length > 5 || !isDigits(text)) return undefined;
  const port = Number(text);
  return port <= PORT_MAX ? port : undefined;
}

function isDigits(text: string): boolean {
  return /^[0-9]+$/.test(text);
}

function isHostName(text: string): boolean {
  if (text.length > NAME_LENGTH_MAX) return false;
  const labels = text.endsWith(".") ? text.slice(0, -1).split(".") : text.split(".");
  // A last label of digits is a mistyped IPv4 address: no such top level exists (RFC 3696, section 2).
  return labels.every(isLabel) && !isDigits(labels.at(-1) ?? "");
}

/** Letters, digits, hyphens inside; underscores too, since container platforms put them into service names. */
function isLabel(label: string): boolean {
  return label.length <= LABEL_LENGTH_MAX && /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?$/i.test(label);
}
