/** How addresses, durations and sizes are written: for programs that need that and no server, which takes longer to load. */
export { type Address, formatAddress, parseAddress } from "./config/address.ts";
export { DEFAULT_ADDRESS } from "./config/setting-limits.ts";
export { formatSize, parseDuration } from "./config/units.ts";
