/** Preloaded into a server of a test: moves its wall clock by MESHKV_TEST_CLOCK_OFFSET_MS, from the start on. */
import process from "node:process";

const offsetMs = Number(process.env["MESHKV_TEST_CLOCK_OFFSET_MS"] ?? "0");
const now = Date.now;
Date.now = () => now() + offsetMs;
