/**
 * Preloaded into a server of a test: moves its wall clock by MESHKV_TEST_CLOCK_OFFSET_MS, from the start on, and by the
 * number in the file MESHKV_TEST_CLOCK_FILE, which is read again and again.
 */
import { readFileSync } from "node:fs";
import process from "node:process";

const READ_MS = 100;
const { MESHKV_TEST_CLOCK_OFFSET_MS: fixed = "0", MESHKV_TEST_CLOCK_FILE: file } = process.env;
let offsetMs = Number(fixed);
const now = Date.now;
Date.now = () => now() + offsetMs;

function read() {
  try {
    offsetMs = Number(fixed) + (Number.parseInt(readFileSync(file, "utf8"), 10) || 0);
  } catch {
    // Not written yet: the clock is right.
  }
}

if (file !== undefined) {
  read();
  setInterval(read, READ_MS).unref();
}
