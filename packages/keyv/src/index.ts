/** Keyv storage over a meshkv mesh. */
export { KeyvMeshkv, type Keyv5Entry } from "./keyv-meshkv.ts";
export { type Keyv6Entry, KeyvMeshkv6 } from "./keyv-meshkv-6.ts";
export type { KeyvMeshkvOptions } from "./keyv-store.ts";
