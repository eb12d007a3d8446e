/** Configuration: the settings of a server, where they come from, and the notations that the command line shares. */
export {
  type Address,
  type AddressResult,
  formatAddress,
  isLoopback,
  isWildcard,
  parseAddress,
  quoteText,
} from "./address.ts";
export { type ConfigInput, type LoadedConfig, loadConfig, type ResolvedSetting } from "./load-config.ts";
export type { DefaultDurability, HttpListen, ServerConfig } from "./server-config.ts";
export { DEFAULT_ADDRESS } from "./setting-limits.ts";
export type { SettingName, Settings } from "./settings-schema.ts";
export {
  type Bounds,
  formatDuration,
  formatSize,
  parseDuration,
  parseSize,
  type QuantityResult,
} from "./units.ts";
