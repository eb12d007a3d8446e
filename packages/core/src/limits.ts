/** Every limit with its reason. They bind clients' doors; between peers only the ceilings hold. */

const MIB = 1024 * 1024;

/** A key has 1 to this many bytes: it is repeated in every record, index and context. */
export const KEY_BYTES_MAX = 1024;
/** A value's default limit; a server may be told another, up to the ceiling. */
export const VALUE_BYTES_MAX = MIB;
/** No server may be told a greater value limit: a record must fit a peer's message. */
export const VALUE_BYTES_CEILING = 64 * MIB;
/** Writes in one batch: a batch is one engine batch and one frame. */
export const BATCH_WRITES_MAX = 1000;
/** Keys and values of one batch together. */
export const BATCH_BYTES_MAX = 4 * MIB;
/** Entries of a page when the caller names no size. */
export const PAGE_SIZE_DEFAULT = 1000;
/** Greater page sizes are clamped to this. */
export const PAGE_SIZE_MAX = 10_000;
/** Payload of a page; at least one entry is sent. */
export const PAGE_BYTES_MAX = 2 * MIB;
/** A TTL is at least this long: clocks of peers differ by fractions of it. */
export const TTL_MS_MIN = 1000;
/** Ten years: a longer deadline is no cache, and the clock ends in 2093. */
export const TTL_MS_MAX = 10 * 365 * 24 * 3600 * 1000;
/** Keys that one commit of a prefix delete removes. */
export const PREFIX_DELETE_BATCH = 1000;
/** Target size of a frame between peers; one batch or one record may be larger. */
export const FRAME_BYTES_TARGET = 64 * 1024;
/** What peers must take: the greatest batch or record, with room for its contexts. */
export const PEER_MESSAGE_BYTES_MAX = VALUE_BYTES_CEILING + 8 * MIB;
/** A remote timestamp further ahead of the wall clock than this is refused (rule C1). */
export const CLOCK_DRIFT_MS_MAX = 60_000;
/** How far the persisted high-water mark runs ahead of the clock's use. */
export const CLOCK_MARK_AHEAD_MS = 1000;
/** Origins that a session token names: a mesh has fewer members; each costs 20 bytes in every call. */
export const SESSION_ORIGINS_MAX = 128;
/** Keys that are read in one call. */
export const GET_MANY_KEYS_MAX = 1000;
/** How long the outcome of a write with a request id is remembered. */
export const REQUEST_ID_MS = 10 * 60_000;
/** Request ids that are remembered; the oldest are forgotten beyond that, so that they take some 20 MB at most. */
export const REQUEST_IDS_MAX = 100_000;
/** A request id has 1 to this many UTF-16 code units. */
export const REQUEST_ID_LENGTH_MAX = 64;
/** Operations of one pipeline whose results have not been taken yet; no more are read meanwhile. */
export const PIPELINE_OPERATIONS_MAX = 4096;
/** Bytes of requests and of results of one pipeline that may wait. */
export const PIPELINE_BYTES_MAX = 4 * MIB;
/** Target size of one message of results; a single result may be larger. */
export const PIPELINE_REPLY_BYTES = MIB / 4;
/** Watchers of one replica: each costs a stream and a position. */
export const WATCHERS_MAX = 10_000;
/**
 * Keys and values of one response of a watch; one event may be larger. A watcher that does not read holds one response
 * back, and of such watchers there may be thousands.
 */
export const WATCH_RESPONSE_BYTES = 64 * 1024;
/** Keys and values of events that come in one response since they belong together. */
export const WATCH_TOGETHER_BYTES = 2 * MIB;
/** Events of one response, so that many small ones do not hold a replica for long. */
export const WATCH_EVENTS_MAX = 1000;
/** A watch with nothing to tell says so this often, with a token that keeps its position fresh. */
export const WATCH_IDLE_MS = 15_000;
/** The latest changes, kept in memory for watchers that keep up. */
export const CHANGE_RING_BYTES = 8 * MIB;
/** The latest records, kept in memory for peers that keep up. */
export const RECENT_LOG_BYTES = 4 * MIB;
