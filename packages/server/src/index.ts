/** A meshkv server: the process around the core. */
export {
  type Address,
  type AddressResult,
  type Bounds,
  type ConfigInput,
  DEFAULT_ADDRESS,
  type DefaultDurability,
  formatAddress,
  formatDuration,
  formatSize,
  type HttpListen,
  isLoopback,
  isWildcard,
  type LoadedConfig,
  loadConfig,
  parseAddress,
  parseDuration,
  parseSize,
  type QuantityResult,
  quoteText,
  type ResolvedSetting,
  type ServerConfig,
  type SettingName,
  type Settings,
} from "./config/index.ts";
export type { MemberReport, StatusReport } from "./handlers/local-replica.ts";
export type { EventLog } from "./runtime/event-log.ts";
export { type RunningServer, startServer } from "./runtime/start-server.ts";
