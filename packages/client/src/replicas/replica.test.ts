import { MeshkvError } from "@meshkv/protocol";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Replica } from "./replica.ts";

const HOUR_MS = 3_600_000;

describe("a replica", () => {
  const replica = new Replica("127.0.0.1:1", () => undefined);
  const connect = vi
    .spyOn(replica.channel, "connect")
    .mockResolvedValue(new MeshkvError("UNAVAILABLE", "nobody is there"));
  afterEach(() => replica.close());

  it("is left alone until it is used, and then asked how it is", async () => {
    replica.tick(performance.now() + HOUR_MS, false);
    expect(connect).not.toHaveBeenCalled();
    const call = { reply: new Promise<never>(() => undefined), cancel: (): void => undefined };
    const hosted = replica.host(call, true);
    replica.tick(performance.now() + HOUR_MS, false);
    expect(connect).toHaveBeenCalledOnce();
    await expect(hosted).rejects.toMatchObject({ fate: "unknown", message: "nobody is there" });
    expect(replica.health).toBe("sick");
  });
});
