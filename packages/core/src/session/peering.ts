/**
 * One replica among its peers: a state machine without I/O. It is told of links, messages, scans, durable groups and
 * the time, and answers with actions (see {@link Outbox}). The same code runs in the server and in the simulator.
 */
import type { ErrorCode } from "../error-code.ts";
import type { ReplicaId } from "../ids.ts";
import type { WriteRecord } from "../record.ts";
import { VersionVector } from "../version-vector.ts";
import { Forgetting } from "../replica/forgetting.ts";
import { computeHorizon, type HorizonBound, type MemberKnowledge } from "../replica/horizon.ts";
import type { Replica } from "../replica/replica.ts";
import { areBothOut, judge } from "./handshake.ts";
import type { Joiner } from "./joiner.ts";
import { Knowledge } from "./knowledge.ts";
import { type Hello, type PeerMessage, type PeerState, PROTOCOL_MAX, PROTOCOL_MIN } from "./messages.ts";
import type { LinkId, Outbox } from "./outbox.ts";
import type { PeeringConfig } from "./peering-config.ts";
import { isOffMedian, PeerClocks } from "./peer-clocks.ts";
import { Receiver } from "./receiver.ts";
import { RecentLog } from "./recent-log.ts";
import { Sender } from "./sender.ts";
import { type LinkInfo, Session } from "./session.ts";
import { Source } from "./source.ts";

/** A replica among its peers. Events go in, actions collect in its outbox. */
export class Peering {
  /** The replica that peers are met for. */
  readonly replica: Replica;
  /** What is known of the other members. */
  readonly knowledge = new Knowledge();
  readonly #outbox: Outbox;
  readonly #config: PeeringConfig;
  readonly #joiner: Joiner | undefined;
  readonly #sessions = new Map<LinkId, Session>();
  readonly #recent: RecentLog;
  readonly #sender: Sender;
  readonly #receiver: Receiver;
  readonly #source: Source;
  readonly #forgetting: Forgetting;
  readonly #silence = new Map<ReplicaId, number>();
  readonly #clocks = new PeerClocks();
  /** Who answered at an address that was dialled, when it was last reached. */
  readonly #foundAt = new Map<string, ReplicaId>();
  /** While set, nothing is forgotten and no joiner is taken: this replica is about to be replaced. */
  rejoining = false;
  #lastClaimMs = Number.NEGATIVE_INFINITY;
  #lastHearsayMs = Number.NEGATIVE_INFINITY;
  #lastTickMs: number | undefined;
  #bound: HorizonBound | undefined;

  constructor(replica: Replica, outbox: Outbox, config: PeeringConfig, joiner?: Joiner) {
    this.replica = replica;
    this.#outbox = outbox;
    this.#config = config;
    this.#joiner = joiner;
    this.#recent = new RecentLog(replica.durableVector, config.recentLogBytes);
    this.#sender = new Sender(replica, this.knowledge, outbox, this.#recent, (session, code, message) =>
      this.#close(session, code, message),
    );
    this.#receiver = new Receiver(replica, this.knowledge, outbox);
    this.#source = new Source(replica, outbox);
    this.#forgetting = new Forgetting(replica, outbox, {
      conflictMs: config.conflictRetentionMs,
      historyMs: config.historyMs,
      historyBytes: Math.min(config.historyBytes, config.logBudgetBytes),
    });
  }

  /** Live sessions, for status and tests. */
  get sessions(): readonly Session[] {
    return [...this.#sessions.values()];
  }

  /** The joining half while it has not finished; afterwards this is a replica like any other. */
  get #joining(): Joiner | undefined {
    return this.#joiner?.phase === "done" ? undefined : this.#joiner;
  }

  /** How far the horizon could be, and which member holds it there. */
  get horizonBound(): HorizonBound | undefined {
    return this.#bound;
  }

  /** Whether logs are exchanged with whoever was last found at the address. */
  reaches(address: string): boolean {
    const found = this.#foundAt.get(address);
    return found !== undefined && this.sessions.some((s) => s.mode === "streaming" && s.peer === found);
  }

  /** A link is up. Both sides greet at once. */
  linkOpened(info: LinkInfo, nowMs: number): void {
    const session = new Session(info, nowMs);
    this.#sessions.set(info.link, session);
    this.#outbox.send(info.link, this.#hello(session, nowMs));
  }

  /** A link is gone, for whatever reason. */
  linkClosed(link: LinkId): void {
    const session = this.#sessions.get(link);
    if (session === undefined) return;
    this.#end(session);
    this.#receiver.chooseSources(this.sessions);
  }

  /** The transport takes nothing more for now, or takes again. */
  linkBlocked(link: LinkId, blocked: boolean, nowMs: number): void {
    const session = this.#sessions.get(link);
    if (session === undefined) return;
    session.blocked = blocked;
    if (!blocked) this.#sender.pump(session, nowMs);
  }

  /** A message has come over a link. */
  received(link: LinkId, message: PeerMessage, nowMs: number): void {
    const session = this.#sessions.get(link);
    if (session === undefined || session.mode === "closed") return;
    if (message.kind === "hello") return this.#greeted(session, message, nowMs);
    if (message.kind === "refuse") return this.#refused(session, message.code, message.message);
    const peer = session.peer;
    if (peer === undefined) return this.#close(session, "INTERNAL", "the peer spoke before its hello");
    session.lastHeardMs = nowMs;
    this.#source.heard(peer, nowMs);
    this.#dispatch(session, peer, message, nowMs);
  }

  #dispatch(
    session: Session,
    peer: ReplicaId,
    message: Exclude<PeerMessage, { kind: "hello" | "refuse" }>,
    nowMs: number,
  ): void {
    const mayServe =
      this.#state() === "ready" && this.#joining === undefined && session.hello?.state === "joining";
    switch (message.kind) {
      case "want":
        if (session.mode === "source") session.mode = "streaming";
        this.#sender.want(session, message.origin, message.after);
        return this.#sender.pump(session, nowMs);
      case "frame":
        return this.#frame(session, peer, message, nowMs);
      case "granted":
        this.#joiner?.granted(session, message);
        return this.#checkJoiner(session);
      case "copied":
        return this.#joiner?.copied(session, message);
      case "copied-settled":
        this.#joiner?.copiedSettled(session, message);
        return this.#receiver.chooseSources(this.sessions);
      case "adopted":
        return this.#joiner?.adopted(message);
      case "confirmed":
        return this.#joiner?.confirmed();
      case "join":
        if (mayServe) return this.#source.join(session, peer, message, nowMs);
        break;
      case "copy":
        if (mayServe) return this.#source.copy(session, message);
        break;
      case "copy-settled":
        if (mayServe) return this.#source.copySettled(session, message);
        break;
      case "offer":
        if (mayServe) return this.#source.offer(session, peer, message, nowMs);
        break;
      case "confirm":
        if (mayServe) return this.#source.confirm(session, peer);
        break;
    }
    this.#close(session, "UNAVAILABLE", `cannot serve ${message.kind} now`);
  }

  #frame(
    session: Session,
    peer: ReplicaId,
    frame: Extract<PeerMessage, { kind: "frame" }>,
    nowMs: number,
  ): void {
    if (session.mode === "source") session.mode = "streaming";
    if (session.mode !== "streaming") return this.#close(session, "INTERNAL", "a frame outside a stream");
    const { clockDriftMsMax } = this.#config;
    const misfit = this.#receiver.take(session, peer, frame, nowMs, clockDriftMsMax, this.sessions);
    if (misfit !== undefined) return this.#misfit(session, misfit.code, misfit.message);
    if (frame.members !== undefined) this.#dropRemoved();
  }

  #misfit(session: Session, code: ErrorCode, message: string): void {
    if (this.replica.members.isRemoved(this.replica.id)) this.#askRejoin(session, code, message);
    this.#close(session, code, message);
    this.#dropRemoved();
  }

  /** Nothing more is taken from a replica that was removed (rule F1). */
  #dropRemoved(): void {
    for (const session of this.sessions) {
      if (session.peer !== undefined && this.replica.members.isRemoved(session.peer)) {
        this.#close(session, "REMOVED", `replica ${session.peer} was removed from the mesh`);
      }
    }
  }

  #hello(session: Session, nowMs: number): Hello {
    const { replica } = this;
    const copying = this.#joining !== undefined && !this.#joining.mayStream;
    return {
      kind: "hello",
      protocolMin: PROTOCOL_MIN,
      protocolMax: PROTOCOL_MAX,
      mesh: replica.identity.mesh,
      replicaId: replica.id,
      starts: replica.identity.starts,
      state: this.#state(),
      invited: session.info.invited,
      address: this.#config.address,
      wallMs: nowMs,
      clock: replica.clock.last,
      members: replica.durableMembers,
      vector: copying ? EMPTY_VECTOR : replica.durableVector,
      horizon: replica.horizon,
      floors: new Map(replica.floors),
    };
  }

  #state(): PeerState {
    if (this.#joining !== undefined) return "joining";
    return this.rejoining || this.replica.identity.damaged ? "rejoining" : "ready";
  }

  #greeted(session: Session, theirs: Hello, nowMs: number): void {
    if (session.mode !== "greeting") return this.#close(session, "INTERNAL", "the peer greeted twice");
    session.hello = theirs;
    if (session.info.dialled) this.#foundAt.set(session.info.address, theirs.replicaId);
    session.wallOffsetMs = theirs.wallMs - nowMs;
    session.lastHeardMs = nowMs;
    const mine = this.#hello(session, nowMs);
    // Who knows that it was removed lets nobody in; two of one mesh tell each other, and then may know that nobody is left.
    if (areBothOut(mine, theirs)) this.replica.setMembers(this.replica.members.merge(theirs.members));
    const verdict = judge(mine, theirs, this.#config.clockDriftMsMax);
    switch (verdict.kind) {
      case "self":
        return this.#close(session, undefined, "self");
      case "refuse":
        if (verdict.code === "CLOCK_SKEW") this.#clocks.skewed(theirs.replicaId, session.wallOffsetMs, nowMs);
        return this.#close(session, verdict.code, verdict.message);
      case "rejoin":
        this.#askRejoin(session, verdict.code, verdict.message);
        return this.#close(session, verdict.code, verdict.message);
      case "join":
        if (this.#joining === undefined) session.mode = "source";
        else {
          this.#joining.begin(session);
          this.#checkJoiner(session);
        }
        return;
      case "stream":
        return this.#stream(session, theirs);
    }
  }

  #stream(session: Session, theirs: Hello): void {
    const { replica } = this;
    if (this.#joining === undefined && replica.identity.damaged && theirs.state === "ready") {
      const message = "the directory was damaged";
      this.#askRejoin(session, "STORAGE_FAILED", message);
      return this.#close(session, "STORAGE_FAILED", message);
    }
    const merged = replica.members.merge(theirs.members);
    if (!merged.has(theirs.replicaId) || !merged.has(replica.id)) {
      return this.#close(session, "INTERNAL", "the peer is of this mesh but nobody's member");
    }
    const twin = this.sessions.find(
      (other) => other !== session && other.mode === "streaming" && other.peer === theirs.replicaId,
    );
    if (twin !== undefined && !this.#staysBeside(session, twin))
      return this.#close(session, undefined, "a second link");
    if (twin !== undefined) this.#close(twin, undefined, "a second link");
    replica.setMembers(merged);
    replica.clock.observe(theirs.clock);
    this.knowledge.meet(theirs.replicaId, theirs.vector, theirs.members.removed());
    session.mode = "streaming";
    session.hearsayDue = true;
    session.ackDue = true;
    this.#outbox.event("peer-connected", { peer: theirs.replicaId, address: session.peerAddress });
    this.#receiver.chooseSources(this.sessions);
  }

  /** Of two links between one pair, the one dialled by the smaller replica id stays; of equals the newer. */
  #staysBeside(session: Session, other: Session): boolean {
    if (session.info.dialled === other.info.dialled) return true;
    const smallerIsMine = this.replica.id < (session.peer ?? "");
    return session.info.dialled === smallerIsMine;
  }

  #askRejoin(session: Session, code: ErrorCode, message: string): void {
    if (this.#joining !== undefined) return this.#joining.fail(message);
    this.#outbox.push({ kind: "rejoin", address: session.peerAddress, code, message });
  }

  #refused(session: Session, code: ErrorCode, message: string): void {
    this.#outbox.event("peer-refused", { peer: session.peerAddress, code, message });
    if (code !== "UNAVAILABLE") this.#joining?.fail(message);
    this.#close(session, undefined, message);
  }

  #checkJoiner(session: Session): void {
    if (this.#joining?.phase === "failed") this.#close(session, "UNAVAILABLE", this.#joining.failure);
    else this.#receiver.chooseSources(this.sessions);
  }

  #close(session: Session, code: ErrorCode | undefined, message: string): void {
    if (session.mode === "closed") return;
    if (code !== undefined) {
      this.#outbox.event("peer-closed", { peer: session.peerAddress, code, message });
      this.#outbox.send(session.link, { kind: "refuse", code, message });
    }
    this.#end(session);
    this.#outbox.push({ kind: "close", link: session.link, code, message });
  }

  #end(session: Session): void {
    session.mode = "closed";
    this.#sessions.delete(session.link);
    this.#joiner?.linkClosed(session);
  }

  /** Ends all links, before the process stops or this replica is replaced. */
  closeAll(code: ErrorCode, message: string): void {
    for (const session of this.sessions) this.#close(session, code, message);
  }

  /** A group with these records became durable: everything that waited for it goes on. */
  durable(records: readonly WriteRecord[], nowMs: number): void {
    const { members, durableVector, floors } = this.replica;
    // Who is alone has nobody to send it to: a member that comes later begins with the tables.
    if (members.current().length > 1)
      this.#recent.add(records, durableVector, floors, (origin) => this.#isWanted(origin));
    else this.#recent.clear(durableVector);
    this.#joiner?.durable();
    for (const session of this.sessions) this.#sender.pump(session, nowMs);
  }

  /** Whether a peer may ask for an origin's latest records: in a full mesh everybody has them from the origin itself. */
  #isWanted(origin: ReplicaId): boolean {
    if (origin === this.replica.id) return true;
    for (const { wanted } of this.#sessions.values()) if (wanted.has(origin)) return true;
    return false;
  }

  /** The latest deadline that may be forgotten: who watches was told of it. */
  set announcedMs(announcedMs: number) {
    this.#forgetting.announcedMs = announcedMs;
  }

  /** Time has passed. Call it every 50 ms or so. `spareBytes`: see `Host.tick`. */
  tick(nowMs: number, spareBytes: number): void {
    const passed = Math.max(0, nowMs - (this.#lastTickMs ?? nowMs));
    this.#lastTickMs = nowMs;
    if (this.#joining === undefined) {
      this.#claim(nowMs);
      this.#forget(nowMs, spareBytes);
      this.#source.dropLate(nowMs, this.#config.joinLeaseMs);
      this.#removeSilent(passed);
      this.#removeCostly();
    }
    this.#clocks.forget(nowMs);
    this.#receiver.chooseSources(this.sessions);
    const hearsay = nowMs - this.#lastHearsayMs >= this.#config.hearsayMs || nowMs < this.#lastHearsayMs;
    if (hearsay) this.#lastHearsayMs = nowMs;
    for (const session of this.sessions) {
      if (session.mode === "greeting" && nowMs - session.openedAtMs > this.#config.greetingTimeoutMs) {
        this.#close(session, "UNAVAILABLE", "the peer did not greet");
      }
      if (this.#sender.hasNews(session)) session.ackDue = true;
      if (hearsay && this.#sender.hasHearsay(session)) session.hearsayDue = true;
      this.#sender.pump(session, nowMs);
    }
  }

  #claim(nowMs: number): void {
    const sinceMs = nowMs - this.#lastClaimMs;
    const dueMs = this.replica.hasUnforgotten ? this.#config.claimBusyMs : this.#config.claimIdleMs;
    if (sinceMs < dueMs && sinceMs >= 0) return;
    this.#lastClaimMs = nowMs;
    this.replica.claimIdle(nowMs);
  }

  #forget(nowMs: number, spareBytes: number): void {
    // The members do not wait for one that was removed: what they have forgotten, it may lack.
    if (this.rejoining || this.replica.members.isRemoved(this.replica.id)) return;
    this.#bound = computeHorizon(this.replica.members, (member) => this.knowledgeOf(member));
    const bound = this.#bound?.timestamp ?? 0;
    this.#forgetting.advance(bound, (member) => this.knowledgeOf(member), nowMs, spareBytes);
  }

  /** What a member is known to have durably; this replica included. */
  knowledgeOf(member: ReplicaId): MemberKnowledge | undefined {
    if (member !== this.replica.id) return this.knowledge.get(member);
    const { durableVector, durableMembers } = this.replica;
    return { vector: durableVector, removed: durableMembers.removedSet() };
  }

  /** Rule M4: silence counts only while somebody else is reached, in this replica's own running time. */
  #removeSilent(passedMs: number): void {
    const { replica } = this;
    const reached = new Set(this.sessions.filter((s) => s.mode === "streaming").map((s) => s.peer));
    for (const member of replica.members.current()) {
      if (member === replica.id || reached.has(member)) this.#silence.delete(member);
      else if (reached.size > 0) this.#silence.set(member, (this.#silence.get(member) ?? 0) + passedMs);
      if ((this.#silence.get(member) ?? 0) > this.#config.memberTimeoutMs) {
        this.#silence.delete(member);
        this.#outbox.event("member-removed", { member, reason: "silent" });
        replica.setMembers(replica.members.without(member));
      }
    }
  }

  /** Rule M4: one dead or hopelessly slow peer never fills a disk. */
  #removeCostly(): void {
    const { replica } = this;
    const member = this.#bound?.heldBy;
    if (replica.logBytes <= this.#config.logBudgetBytes || member === undefined || member === replica.id)
      return;
    // What is kept for watchers goes first.
    if (this.#forgetting.keepsHistory) return;
    this.#outbox.event("member-removed", { member, reason: "log budget", bytes: replica.logBytes });
    replica.setMembers(replica.members.without(member));
    this.#dropRemoved();
  }

  /**
   * Removes a member (rule M4), once this replica has what anybody reached has of its log.
   * @returns `done`, `pull` while something is still to be fetched (call again), or the refusal
   */
  remove(
    member: ReplicaId,
    force: boolean,
    nowMs: number,
  ): "done" | "pull" | { code: ErrorCode; message: string } {
    const { replica } = this;
    if (replica.members.isRemoved(member)) return "done";
    if (!replica.members.has(member))
      return { code: "MEMBER_NOT_FOUND", message: `no member has the id ${member}` };
    if (member === replica.id)
      return { code: "INVALID_ARGUMENT", message: "a replica cannot remove itself: ask another member" };
    const reached = this.sessions.filter((s) => s.mode === "streaming" && s.peer !== undefined);
    // A joiner that has not finished holds nothing of its own (rule M1), and may never answer.
    const joining = new Set(replica.members.joining().map(([joiner]) => joiner));
    const missing = replica.members
      .current()
      .filter(
        (m) => m !== replica.id && m !== member && !joining.has(m) && !reached.some((s) => s.peer === m),
      );
    if (missing.length > 0 && !force) {
      return {
        code: "FORCE_REQUIRED",
        message: `cannot ask ${missing.join(", ")} whether they have more of its writes`,
      };
    }
    const most = Math.max(
      0,
      ...reached.map((s) =>
        s.peer === undefined ? 0 : (this.knowledge.get(s.peer)?.vector.get(member) ?? 0),
      ),
    );
    if (replica.durableVector.get(member) < most) return "pull";
    replica.setMembers(replica.members.without(member));
    replica.tick(nowMs);
    this.#outbox.event("member-removed", { member, reason: "asked" });
    this.#dropRemoved();
    return "done";
  }

  /** Wall clocks of the peers that are reached, minus this replica's, in milliseconds. */
  wallOffsets(): number[] {
    return this.#clocks.offsets(this.sessions.filter((session) => session.mode === "streaming"));
  }

  /** Rule C2: whether this replica's wall clock is off the median of all that it reaches. */
  isClockOff(): boolean {
    // Asked with every write, and mostly no clock is off.
    if (!this.#clocks.isAnyOff(this.#sessions.values(), this.#config.clockDriftMsMax)) return false;
    return isOffMedian(this.wallOffsets(), this.#config.clockDriftMsMax);
  }
}

const EMPTY_VECTOR = new VersionVector();
