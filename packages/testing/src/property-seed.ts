/**
 * Property tests draw the same cases in every run, so that a change is judged by what it changes. `MESHKV_SEED=7` draws others, and
 * `MESHKV_SEED=random` new ones each time, to hunt.
 */
import process from "node:process";
import fc from "fast-check";

const seed = process.env["MESHKV_SEED"] ?? "1";
if (seed !== "random") fc.configureGlobal({ seed: Number(seed) });
