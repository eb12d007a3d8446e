/** Directories that were copied or put back: rule M5, and what rule M2 owes to it. */
import { byScenario, inCore, type PlantedBug } from "./planted-bug.ts";

export const COPY_BUGS: readonly PlantedBug[] = [
  {
    name: "note-counts-on-every-branch",
    rule: "M2, M5",
    effect: "a copy of the adopter's directory says that writes are settled which it never had: they vanish",
    patches: [
      inCore(
        "session/coverage.ts",
        "if (isForked(vector.position(origin), position)) return false;",
        "void origin;",
      ),
    ],
    hunt: byScenario("a-note-counts-only-on-the-branch-of-who-adopted"),
  },
  {
    name: "rollback-is-not-seen",
    rule: "M5",
    effect: "a restored backup issues old versions again, and peers drop them",
    patches: [
      inCore(
        "session/handshake.ts",
        "return held.timestamp > endOfStart(own.starts, held, own.vector.get(own.replicaId));",
        "return held.timestamp < 0;",
      ),
    ],
    hunt: byScenario("a-restored-directory-loses-no-write"),
  },
  {
    name: "copy-is-not-seen",
    rule: "M5",
    effect: "two live copies of a directory write under one id",
    patches: [
      inCore(
        "session/handshake.ts",
        "const later = ours.recovered - other.recovered || (ours.id < other.id ? -1 : 1);",
        "const later = 1;",
      ),
    ],
    hunt: byScenario("two-copies-of-a-directory-part"),
  },
  {
    name: "other-branch-of-a-third-is-followed",
    rule: "M5",
    effect:
      "a concurrent write of one copy of a directory is not listed as a conflict, since the other copy was seen",
    patches: [
      inCore(
        "session/receiver.ts",
        "if (isForked(meant(origin), position)) return followsAnother(origin);",
        "",
      ),
      inCore(
        "session/receiver.ts",
        "if (isUnknown || isForked(vector.meant(origin), position)) return followsAnother(origin);",
        "void isUnknown;",
      ),
    ],
    hunt: byScenario("what-one-copy-wrote-is-not-taken-for-seen-since-the-other-copy-was"),
  },
  {
    name: "names-are-compared-by-logs-alone",
    rule: "M5",
    effect:
      "a write of one copy of a directory vanishes, where each copy moved through another member, since the other was seen",
    patches: [
      inCore(
        "session/handshake.ts",
        "return branchMeant(origin, vector, members);",
        "return vector.position(origin);",
      ),
      inCore(
        "session/receiver.ts",
        "if (isForked(mine, branchFrom(held, members.branches.get(origin)))) return origin;",
        "void [mine, held];",
      ),
    ],
    hunt: byScenario("what-two-copies-offer-to-two-members-that-are-apart-is-told-apart"),
  },
  {
    name: "what-contexts-name-is-not-noted",
    rule: "M5",
    effect: "a concurrent write of one copy of a directory is not listed, since a third has seen the other's",
    patches: [inCore("session/receiver.ts", "replica.name(named);", "")],
    hunt: byScenario("no-copy-is-met-while-a-linked-peer-follows-the-other"),
  },
  {
    name: "what-contexts-name-is-not-told-by-relays",
    rule: "M5",
    effect: "a write of a copied directory vanishes, since a relay told it who had seen the original's",
    patches: [
      inCore(
        "session/sender.ts",
        "if (position.timestamp > session.toldVector.meant(origin).timestamp) vector.name(origin, position);",
        "void origin;",
      ),
    ],
    hunt: byScenario("what-a-relay-tells-of-the-original-is-not-taken-for-its-own-by-the-copy"),
  },
  {
    name: "branches-of-predecessors-are-not-told",
    rule: "M5",
    maskedBy: "what is noted of branches as they are offered",
    effect:
      "a write of one copy of a directory vanishes in a third mesh, since the other copy was seen there",
    patches: [
      inCore(
        "host/handover.ts",
        "new Map([...everythingIn(vector, members).entries(), [id, own]])",
        "new Map([...vector.entries(), [id, own]])",
      ),
      inCore(
        "host/handover.ts",
        "for (const origin of [...members.branches.keys(), ...named]) {",
        "void named; for (const origin of []) {",
      ),
    ],
    hunt: byScenario("what-a-copy-wrote-is-known-by-its-branch-in-a-third-mesh"),
  },
  {
    name: "branches-are-not-noted-while-they-are-offered",
    rule: "M2, M5",
    effect:
      "a write of one copy of a directory vanishes, where the other copy's rejoin was broken off and its writes were seen",
    patches: [
      inCore(
        "session/source.ts",
        "replica.setMembers(replica.members.naming(namedBy(branches, replica.vector, strays)));",
        "",
      ),
    ],
    hunt: byScenario("what-a-copy-offered-before-its-rejoin-was-broken-off-is-known-by-its-branch"),
  },
  {
    name: "note-of-one-copy-replaces-that-of-another",
    rule: "M2, M5",
    effect: "a deleted write comes back with the third copy of a directory",
    patches: [
      inCore(
        "session/source.ts",
        "withCopies(withStrays(vector, strays), predecessor, earlier)",
        "withCopies(withStrays(vector, strays), predecessor, earlier && undefined)",
      ),
    ],
    hunt: byScenario("what-two-copies-had-and-was-deleted-does-not-come-back-with-the-second"),
  },
  {
    name: "note-of-one-copy-replaces-what-another-had-of-others",
    rule: "M2, M5",
    effect: "a deleted write comes back with its author, after two copies of another directory have moved",
    patches: [
      inCore("session/branches.ts", "if (isOne) named.advance(other, position);", "if (isOne) continue;"),
    ],
    hunt: byScenario("what-a-copy-brought-of-others-and-was-deleted-does-not-come-back-with-these"),
  },
  {
    name: "starts-have-no-ids",
    rule: "M5",
    effect: "a restored directory that writes once hides that it went back",
    patches: [
      inCore(
        "replica/replica.ts",
        "const starts = [...this.#identity.starts, { id, recovered }];",
        "const starts = [...this.#identity.starts, { id: this.#identity.starts[0]?.id ?? id, recovered: this.#identity.starts[0]?.recovered ?? recovered }].slice(0, 1);",
      ),
    ],
    hunt: byScenario("a-restored-directory-that-ticks-loses-no-write"),
  },
];
