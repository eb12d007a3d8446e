"""Drives a meshkv server with a gRPC client of another language.

Knows nothing of meshkv but its address and a descriptor set (`buf build -o image.binpb`), from which it makes its
stubs while it runs. Exits with 0 when everything was as it should be, and says what was not.

Usage: python3 python-client.py HOST:PORT image.binpb
"""

import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

DEADLINE_S = 20


class Stubs:
    """Calls unary methods by name, with keyword arguments as the fields of the request."""

    def __init__(self, channel, image_path):
        self.channel = channel
        self.pool = descriptor_pool.DescriptorPool()
        with open(image_path, "rb") as image:
            files = descriptor_pb2.FileDescriptorSet.FromString(image.read()).file
        for file in files:
            self.pool.Add(file)

    def message(self, name):
        descriptor = self.pool.FindMessageTypeByName(name)
        if hasattr(message_factory, "GetMessageClass"):
            return message_factory.GetMessageClass(descriptor)
        return message_factory.MessageFactory(self.pool).GetPrototype(descriptor)

    def call(self, service, method, /, **fields):
        descriptor = self.pool.FindServiceByName(service).FindMethodByName(method)
        request_class = self.message(descriptor.input_type.full_name)
        reply_class = self.message(descriptor.output_type.full_name)
        invoke = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=request_class.SerializeToString,
            response_deserializer=reply_class.FromString,
        )
        return invoke(request_class(**fields), timeout=DEADLINE_S)


def expect(condition, what):
    if not condition:
        sys.exit(f"not as expected: {what}")


def error_of(stubs, invoke):
    """The status of a call that must fail, and the reason in its details."""
    try:
        reply = invoke()
    except grpc.RpcError as error:
        trailers = dict(error.trailing_metadata())
        status = stubs.message("google.rpc.Status").FromString(trailers["grpc-status-details-bin"])
        info = stubs.message("google.rpc.ErrorInfo")()
        expect(status.details[0].Unpack(info), "the first detail is an ErrorInfo")
        expect(info.domain == "meshkv", "the domain of the ErrorInfo")
        return error.code(), info.reason, dict(info.metadata)
    sys.exit(f"a call was answered that should have failed: {reply}")


def main(address, image_path):
    # A proxy of the environment would be asked even for loopback.
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stubs = Stubs(channel, image_path)

        def kv(method, **fields):
            return stubs.call("meshkv.v1.KeyValue", method, **fields)

        prefix = b"python/\x00\xff/"
        keys = [prefix + bytes([number]) for number in range(10)]

        first = kv("Set", key=keys[0], value=b"\x00\xff", ttl={"seconds": 60}, concern={"level": 2})
        expect(len(first.version) == 32 and first.replicas >= 1, f"the reply of Set: {first}")
        entry = kv("Get", key=keys[0]).entry
        expect(entry.value == b"\x00\xff" and entry.version == first.version, f"the entry read: {entry}")
        expect(entry.HasField("expire_time"), "the deadline of the entry")
        expect(not kv("Get", key=prefix + b"absent").HasField("entry"), "no entry of an absent key")

        code, reason, metadata = error_of(
            stubs, lambda: kv("Set", key=keys[0], value=b"x", condition={"if_absent": True})
        )
        expect(code == grpc.StatusCode.FAILED_PRECONDITION and reason == "CONDITION_FAILED", f"{code} {reason}")
        expect(metadata.get("version") == first.version, f"the current version: {metadata}")
        second = kv("Set", key=keys[0], value=b"x", condition={"if_version": first.version})
        expect(second.version > first.version, "versions that grow")

        code, reason, metadata = error_of(stubs, lambda: kv("Get", key=b""))
        expect(code == grpc.StatusCode.INVALID_ARGUMENT and reason == "INVALID_ARGUMENT", f"{code} {reason}")
        expect(metadata == {"field": "key"}, f"the field: {metadata}")

        writes = [{"set": {"key": key, "value": key}} for key in keys[1:]] + [{"delete": {"key": keys[0]}}]
        versions = kv("Batch", writes=writes).versions
        expect(len(set(versions)) == 10, f"the versions of a batch: {versions}")

        listed, token = [], ""
        while True:
            page = kv("List", prefix=prefix, page_size=4, page_token=token, reverse=True)
            listed += [item.key for item in page.entries]
            token = page.next_page_token
            if token == "":
                break
        expect(listed == sorted(keys[1:], reverse=True), f"the keys listed: {listed}")

        expect(kv("Delete", key=keys[1]).deleted == 1, "a key deleted")
        expect(kv("Delete", key=keys[1]).deleted == 0, "a key deleted once")
        expect(kv("Delete", prefix=prefix).deleted == 8, "the rest deleted by prefix")
        expect(len(kv("List", prefix=prefix, keys_only=True).entries) == 0, "nothing left")

        status = stubs.call("meshkv.v1.Mesh", "Status")
        members = stubs.call("meshkv.v1.Mesh", "ListMembers").members
        expect(status.replica_id in [member.replica_id for member in members], "the replica among its members")
        code, reason, _ = error_of(
            stubs, lambda: stubs.call("meshkv.v1.Mesh", "RemoveMember", replica_id="0123456789abcdef")
        )
        expect(code == grpc.StatusCode.NOT_FOUND and reason == "MEMBER_NOT_FOUND", f"{code} {reason}")

        health = stubs.call("grpc.health.v1.Health", "Check", service="meshkv.v1.KeyValue")
        expect(health.status == 1, f"the health of the service: {health}")
    print("ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
