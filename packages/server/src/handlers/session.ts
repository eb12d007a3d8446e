/**
 * Sessions at the door: a request waits until this replica has what its session has seen, and its reply carries what
 * the session has seen by then. Nothing of it is kept here between calls: the token says all.
 */
import {
  type Entry,
  formatVersion,
  MeshkvError,
  parseVersion,
  SESSION_TOKEN_BYTES_MAX,
  SESSION_TOKEN_BYTES_OF_ONE,
  SessionToken,
  type Version,
  writeTokenOfOne,
} from "@meshkv/core";
import type { CallInfo } from "./call-info.ts";
import { concernWaitMs } from "./concern-wait.ts";
import type { LocalReplica } from "./local-replica.ts";
import { invalid } from "./validate.ts";

const TOKEN_CHARS_MAX = Math.ceil((SESSION_TOKEN_BYTES_MAX * 4) / 3);

/** Clients refuse trailers over 8 KiB; an error has more to say than this. */
const TRAILER_CHARS_MAX = 2048;

/** One token is made at a time, so all are made here. */
const scratch = Buffer.alloc(SESSION_TOKEN_BYTES_OF_ONE);

/** A record that a session has seen. */
interface SeenRecord {
  readonly version: Version;
  /** False: a crash may take it away. */
  readonly isDurable: boolean;
}

/** The session of one call: what the call adds to it, and its new token. */
export class CallSession {
  readonly #replica: LocalReplica;
  #token: SessionToken | undefined;
  /** All that was seen, as long as that is one record; then there is no token yet. */
  #only: SeenRecord | undefined;

  /** @param token what was seen before; undefined: nothing */
  constructor(replica: LocalReplica, token: SessionToken | undefined) {
    this.#replica = replica;
    this.#token = token;
  }

  /** What was seen so far, with this call. */
  get token(): SessionToken {
    if (this.#token === undefined) {
      this.#token = new SessionToken(this.#replica.meshName);
      if (this.#only !== undefined) this.#saw(this.#token, this.#only);
      this.#only = undefined;
    }
    return this.#token;
  }

  /** The caller is shown a key: its entry, or that there is none. */
  read(entry: Entry | undefined): void {
    if (entry === undefined || entry.siblings.length > 0) {
      this.token.sawEntry(entry, this.#replica.standing);
    } else {
      this.#see({ version: entry.winner, isDurable: true });
    }
  }

  /**
   * The caller wrote something.
   * @param isDurable false: a crash may take it away, and the session must be able to go on then
   */
  written(versions: readonly Version[], isDurable: boolean): void {
    const version = versions.at(-1);
    // The versions of one commit are of one origin and rise.
    if (version !== undefined) this.#see({ version, isDurable });
  }

  #see(seen: SeenRecord): void {
    if (this.#token === undefined && this.#only === undefined) this.#only = seen;
    else this.#saw(this.token, seen);
  }

  #saw(token: SessionToken, { version, isDurable }: SeenRecord): void {
    if (isDurable) token.sawVersion(version, this.#replica.standing);
    else token.saw(version, undefined);
  }

  /**
   * A write has failed. One that exists all the same (CONCERN_NOT_MET) belongs to the session: its token goes into the
   * error's metadata as `session`, as long as a trailer holds it.
   */
  failed(error: unknown): unknown {
    if (!(error instanceof MeshkvError) || error.code !== "CONCERN_NOT_MET") return error;
    const version = parseVersion(error.metadata["version"] ?? "");
    if (version === undefined) return error;
    try {
      this.written([version], true);
      const session = this.text();
      if (session.length > TRAILER_CHARS_MAX) return error;
      return new MeshkvError(error.code, error.message, { ...error.metadata, session });
    } catch (closing) {
      // A server that is closing knows no positions any more; that the write is there is to be said all the same.
      if (closing instanceof MeshkvError) return error;
      throw closing;
    }
  }

  /** The token for the reply; empty when nothing was seen yet. */
  text(): string {
    if (this.#only !== undefined) {
      const { version, isDurable } = this.#only;
      const { meshName, standing } = this.#replica;
      writeTokenOfOne(scratch, meshName, version, isDurable ? standing : undefined);
      return scratch.toString("base64url");
    }
    if (this.#token === undefined || this.#token.size === 0) return "";
    const bytes = this.#token.encode(this.#replica.standing);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64url");
  }
}

/** Opens the sessions of calls. */
export class Sessions {
  readonly #replica: LocalReplica;

  constructor(replica: LocalReplica) {
    this.#replica = replica;
  }

  /**
   * Opens the session of a call: at once when this replica has everything that the token names, else when it has it.
   * @throws MeshkvError INVALID_ARGUMENT for what is no token; SESSION_NOT_MET when the time is over: the wait ends
   * before the call's deadline, after 5 s where there is none
   */
  enter(text: string, call: CallInfo): CallSession | Promise<CallSession> {
    const session = this.enterNow(text);
    return session instanceof CallSession ? session : this.#wait(session, call);
  }

  /** As `enter`, but never waits: returns the token when something is missing. */
  enterNow(text: string): CallSession | SessionToken {
    if (text === "") return new CallSession(this.#replica, undefined);
    const token = this.#decode(text);
    if (token.missingAt(this.#replica.standing) !== undefined) return token;
    return new CallSession(this.#replica, token);
  }

  #decode(text: string): SessionToken {
    const garbled = "is no token that a server has answered: send it as it came, or none";
    if (text.length > TOKEN_CHARS_MAX) throw invalid("session", garbled);
    const bytes = Buffer.from(text, "base64url");
    // The decoder passes over what is not base64url.
    if (bytes.toString("base64url") !== text) throw invalid("session", garbled);
    const result = SessionToken.decode(bytes, this.#replica.meshName);
    if ("problem" in result) throw invalid("session", result.problem);
    return result.token;
  }

  async #wait(token: SessionToken, call: CallInfo): Promise<CallSession> {
    const waitMs = concernWaitMs(undefined, call, Date.now());
    // A timer and not AbortSignal.timeout inside AbortSignal.any: nothing holds that, and once it is collected the wait
    // ends only with the call.
    const ended = new AbortController();
    const end = (): void => ended.abort();
    const timer = setTimeout(end, waitMs);
    call.signal.addEventListener("abort", end, { once: true });
    if (call.signal.aborted) end();
    // What a session has seen becomes met only when something becomes durable.
    let looked: unknown;
    const isMet = (): boolean => {
      const { standing } = this.#replica;
      if (standing.durableVector === looked) return false;
      looked = standing.durableVector;
      return token.missingAt(standing) === undefined;
    };
    try {
      await this.#replica.until(isMet, ended.signal);
    } catch (error) {
      if (call.signal.aborted) throw call.signal.reason;
      if (error instanceof MeshkvError) throw error;
      throw notMet(token.missingAt(this.#replica.standing));
    } finally {
      clearTimeout(timer);
      call.signal.removeEventListener("abort", end);
    }
    return new CallSession(this.#replica, token);
  }
}

function notMet(missing: Version | undefined): MeshkvError {
  const [lack, metadata] =
    missing === undefined
      ? ["what the session has seen", {}]
      : [
          `write ${formatVersion(missing)} that the session has seen`,
          { version: formatVersion(missing), origin: missing.origin },
        ];
  return new MeshkvError(
    "SESSION_NOT_MET",
    `this replica does not have ${lack}, and did not get it in time: try again, or ask another replica`,
    metadata,
  );
}
