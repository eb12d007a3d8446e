/**
 * The names under which command line and environment know the settings. In the config file a setting has the name that
 * it has in the schema. Values are texts, truth values and lists of texts in every source.
 */
import type { SettingName } from "./settings-schema.ts";

/** How a setting is written in an environment variable. */
export type SettingShape = "text" | "truth" | "list";

/** Where a setting can be given besides the config file. */
export interface SettingSource {
  /** How the command line names it, in messages. */
  readonly flag: string;
  /** The environment variable. */
  readonly variable: string;
  readonly shape: SettingShape;
}

/**
 * Names of the settings. `MESHKV_PORT` and `MESHKV_SERVICE_*` are not used: Kubernetes sets them in every container
 * beside a service named `meshkv`.
 */
export const SETTING_SOURCES: Readonly<Record<SettingName, SettingSource>> = {
  listen: { flag: "--ip", variable: "MESHKV_LISTEN", shape: "text" },
  http: { flag: "--http", variable: "MESHKV_HTTP", shape: "text" },
  httpOrigins: { flag: "--http-origin", variable: "MESHKV_HTTP_ORIGINS", shape: "list" },
  peers: { flag: "peer", variable: "MESHKV_PEERS", shape: "list" },
  data: { flag: "--data", variable: "MESHKV_DATA", shape: "text" },
  memory: { flag: "--memory", variable: "MESHKV_MEMORY", shape: "truth" },
  advertise: { flag: "--advertise", variable: "MESHKV_ADVERTISE", shape: "text" },
  mesh: { flag: "--mesh", variable: "MESHKV_MESH", shape: "text" },
  durability: { flag: "--durability", variable: "MESHKV_DURABILITY", shape: "text" },
  insecure: { flag: "--insecure", variable: "MESHKV_INSECURE", shape: "truth" },
  verbose: { flag: "--verbose", variable: "MESHKV_VERBOSE", shape: "truth" },
  valueMax: { flag: "--value-max", variable: "MESHKV_VALUE_MAX", shape: "text" },
  memberTimeout: { flag: "--member-timeout", variable: "MESHKV_MEMBER_TIMEOUT", shape: "text" },
  logBudget: { flag: "--log-budget", variable: "MESHKV_LOG_BUDGET", shape: "text" },
  history: { flag: "--history", variable: "MESHKV_HISTORY", shape: "text" },
  conflictRetention: { flag: "--conflict-retention", variable: "MESHKV_CONFLICT_RETENTION", shape: "text" },
  maxClockDrift: { flag: "--max-clock-drift", variable: "MESHKV_MAX_CLOCK_DRIFT", shape: "text" },
};

/** Platforms name the port of the one public service in this variable: that is HTTP. */
export const PORT_VARIABLE = "PORT";

/** The environment variable that names the config file. */
export const CONFIG_FILE_VARIABLE = "MESHKV_CONFIG";
