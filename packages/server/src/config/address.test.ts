import { describe, expect, it } from "vitest";
import { formatAddress, isLoopback, isWildcard, parseAddress, quoteText } from "./address.ts";

function problemOf(text: string): string {
  const result = parseAddress(text);
  return "problem" in result ? result.problem : `accepted ${formatAddress(result.address)}`;
}

describe("parseAddress", () => {
  it.each([
    ["127.0.0.1:4000", "127.0.0.1", 4000],
    ["0.0.0.0:0", "0.0.0.0", 0],
    ["localhost:65535", "localhost", 65_535],
    ["kv-1.example.org.:4000", "kv-1.example.org.", 4000],
    ["my_service:4000", "my_service", 4000],
    ["[::1]:4000", "::1", 4000],
    ["[fe80::1%eth0]:4000", "fe80::1%eth0", 4000],
  ])("reads %s and writes it again", (text, host, port) => {
    expect(parseAddress(text)).toEqual({ address: { host, port } });
    expect(formatAddress({ host, port })).toBe(text);
  });

  it.each([
    ["127.0.0.1", 'no port in "127.0.0.1": write 127.0.0.1:4000'],
    ["4000", 'no host in "4000": write 127.0.0.1:4000'],
    [":4001", 'no host in ":4001": write 127.0.0.1:4001'],
    ["", 'no port in "": write host:port, such as 127.0.0.1:4000'],
    ["::1", 'no port in "::1": write [::1]:4000'],
    ["[::1]", 'no port from 0 to 65535 in "[::1]": write host:port, such as 127.0.0.1:4000'],
    ["::1:4000x", 'no port from 0 to 65535 in "::1:4000x": write host:port, such as 127.0.0.1:4000'],
    ["a:b:1", 'an IPv6 address without brackets in "a:b:1": write [::1]:4000'],
    ["[127.0.0.1]:1", 'no IPv6 address in brackets in "[127.0.0.1]:1": write [::1]:4000'],
    ["http://localhost:4000", 'a URL in "http://localhost:4000": write host:port without a scheme'],
  ])("explains %j", (text, problem) => {
    expect(problemOf(text)).toBe(problem);
  });

  it.each(["h:65536", "h:-1", "h:", "h:4 ", "h:0x10", "h:99999", "h:000001"])(
    "refuses the port of %j",
    (text) => {
      expect(problemOf(text)).toContain("no port from 0 to 65535");
    },
  );

  it.each([
    "127.0.0.256:1",
    "127.1:1",
    "a b:1",
    "-a:1",
    "a-:1",
    "a..b:1",
    `${"a".repeat(64)}:1`,
    "ä:1",
    "a/b:1",
  ])("refuses the host of %j", (text) => {
    expect(problemOf(text)).toContain("no valid host");
  });

  it("refuses a name that no name server takes", () => {
    expect(problemOf(`${"a.".repeat(127)}b:1`)).toContain("no valid host");
  });
});

describe("isLoopback", () => {
  it.each(["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost", "LocalHost", "kv.localhost"])(
    "%s is",
    (host) => {
      expect(isLoopback(host)).toBe(true);
    },
  );

  it.each(["0.0.0.0", "::", "10.0.0.1", "192.168.1.1", "example.org", "localhost.example.org", "::2"])(
    "%s is not",
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});

describe("isWildcard", () => {
  it("knows both families", () => {
    const hosts = ["0.0.0.0", "::", "0:0:0:0:0:0:0:0", "::1", "127.0.0.1", "localhost"];
    expect(hosts.filter((host) => isWildcard(host))).toEqual(["0.0.0.0", "::", "0:0:0:0:0:0:0:0"]);
  });
});

describe("quoteText", () => {
  it("escapes and cuts", () => {
    expect(quoteText('a"\n\u001b[31m')).toBe(String.raw`"a\"\n\u001b[31m"`);
    expect(quoteText("x".repeat(500))).toBe(`"${"x".repeat(80)}…"`);
  });
});
