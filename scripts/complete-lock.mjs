#!/usr/bin/env node
/**
 * Completes package-lock.json for other platforms. A registry mirror that lacks the binaries of some platforms makes
 * `npm install` leave those optional packages out of the lockfile, and then `npm ci` fails with "Missing ... from lock
 * file". This adds a stub for each: name, version and platform, which is all that npm needs in order to skip it here
 * and to find it elsewhere.
 *
 *   node scripts/complete-lock.mjs           completes the file (run it after every `npm install`)
 *   node scripts/complete-lock.mjs --check   says what is wrong with it, exit code 1 if anything is
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const LOCKFILE = fileURLToPath(new URL("../package-lock.json", import.meta.url));

const SYSTEMS = [
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
];
const PROCESSORS = {
  arm: "arm",
  armv6: "arm",
  armv7: "arm",
  arm64: "arm64",
  ia32: "ia32",
  loong64: "loong64",
  mips64el: "mips64el",
  ppc64: "ppc64",
  ppc64le: "ppc64",
  riscv64: "riscv64",
  s390x: "s390x",
  wasm32: "wasm32",
  x64: "x64",
};

/** The places where npm looks for `name` as seen from the package at `from`, nearest first. */
function candidatePaths(from, name) {
  const paths = [];
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf("/")))) {
    if (!base.endsWith("node_modules")) paths.push(`${base === "" ? "" : `${base}/`}node_modules/${name}`);
    if (base === "") return paths;
  }
}

/** Optional dependencies that no entry of the lockfile satisfies. */
function missingPackages(packages) {
  return Object.entries(packages).flatMap(([from, entry]) =>
    Object.entries(entry.optionalDependencies ?? {})
      .filter(([name]) => !candidatePaths(from, name).some((path) => path in packages))
      .map(([name, version]) => ({ from, name, version, dev: entry.dev === true })),
  );
}

/** Reads the platform out of a package name such as `@scope/tool-linux-x64-musl`. */
function platformOf(name) {
  const words = name.replace(/^@/, "").split(/[-/_]/);
  const os = words.find((word) => SYSTEMS.includes(word));
  const cpu = words.find((word) => word in PROCESSORS);
  if (os === undefined || cpu === undefined) return undefined;
  const libc = words.some((word) => word.startsWith("musl"))
    ? "musl"
    : words.includes("gnu")
      ? "glibc"
      : undefined;
  return { os, cpu: PROCESSORS[cpu], libc: os === "linux" ? libc : undefined };
}

/** An entry with its fields in npm's own order, so that npm leaves the file as it is. */
function stubFor({ from, name, version, dev }) {
  const platform = platformOf(name);
  if (platform === undefined) throw new Error(`cannot tell the platform of ${name}, wanted by ${from}`);
  if (!/^\d+\.\d+\.\d+/.test(version))
    throw new Error(`${from} wants ${name}@${version}: not one exact version`);
  const { os, cpu, libc } = platform;
  return {
    version,
    cpu: [cpu],
    ...(dev ? { dev } : {}),
    ...(libc === undefined ? {} : { libc: [libc] }),
    optional: true,
    os: [os],
  };
}

/** Adds the stubs; npm keeps the entries in this order itself. */
function complete(lock, missing) {
  for (const wanted of missing) lock.packages[`node_modules/${wanted.name}`] = stubFor(wanted);
  const sorted = Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, "en"));
  lock.packages = Object.fromEntries(sorted);
}

const lock = JSON.parse(readFileSync(LOCKFILE, "utf8"));
const missing = missingPackages(lock.packages);

if (process.argv.includes("--check")) {
  const hosts = Object.entries(lock.packages).filter(([, entry]) =>
    /^[a-z+]+:\/\//.test(entry.resolved ?? ""),
  );
  for (const { from, name } of missing) {
    console.log(`package-lock.json: lacks ${name}, optional for ${from}: run node scripts/complete-lock.mjs`);
  }
  for (const [path] of hosts)
    console.log(`package-lock.json: ${path} names a host in "resolved"; see .npmrc`);
  process.exitCode = missing.length + hosts.length > 0 ? 1 : 0;
} else {
  complete(lock, missing);
  writeFileSync(LOCKFILE, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`package-lock.json: ${missing.length} stubs added`);
}
