"""T5: two servers that answer each other for ever, and relays that lead back to the server."""

import collections
import contextlib
import time

import hello
import shapes
import stun
from attacks.reflection import answers
from findings import Attack, Finding
from network import SERVER
from stage import BESIDE
from turn_client import Refused
from wire import Forger, Wire, datagram

ONE, OTHER = (SERVER[4], 3478), (BESIDE, 3478)


def never_answered(stage, kind):
    with stage.serving(kind) as subject:
        named = shapes.unanswerable()
        received = answers(stage, 4, list(named.values()))
        wrong = [name for name, got in zip(named, received) if got]
        served = stage.is_served(subject)
    return [Finding("responses, errors, indications and what is malformed",
                    f"{len(named)} tried, {len(wrong)} answered"
                    + (f" ({', '.join(wrong)})" if wrong else ""), not wrong),
            Finding("a client is served afterwards", "yes" if served else "no", served)]


def pointed_at_each_other(stage, kinds):
    """One packet of each shape in the name of the other server, both ways."""
    everything = list((shapes.requests(hello.client_hello(stage)) | shapes.unanswerable()).values())
    with contextlib.ExitStack() as stack:
        for kind, address in zip(kinds, (SERVER[4], BESIDE)):
            stack.enter_context(stage.serving(kind, address=address))
        forger = stack.enter_context(Forger(stage.network.server))
        wire = stack.enter_context(Wire(stage.network.server))
        for payload in everything:
            for source, destination in ((OTHER, ONE), (ONE, OTHER)):
                forger.send(datagram(source, destination, payload))
                # Answers of one round leave as one packet for the wire to see.
                time.sleep(0.003)
        # A loop would go on until the limit.
        between = [each.payload for each in wire.datagrams(limit=5)
                   if {each.source, each.destination} == {ONE, OTHER}]
    forged = 2 * len(everything)
    # The answer to a request has its transaction: the longest exchange that one packet began.
    longest = max(collections.Counter(payload[4:20] for payload in between
                                      if len(payload) >= 20 and payload[0] < 2).values()) // 2 - 1
    what = "two of them" if kinds[0] == kinds[1] else f"{kinds[0]} and {kinds[1]}"
    return [Finding(f"{what}, {forged} packets in each other's names",
                    f"{len(between) - forged} packets followed, at most {longest} for one packet, "
                    "then silence", len(between) - forged <= forged and longest <= 1)]


def back_into_the_server(stage, kind):
    """Requests to the server's own listener through a relay of it, and a relay that is its own peer."""
    with stage.serving(kind) as subject, stage.allocated(subject) as client, \
            Wire(stage.network.server) as wire:
        nested = 0
        with contextlib.suppress(Refused):
            client.permit(SERVER[4])
            for port in (3478, 5349):
                client.send_to((SERVER[4], port), stun.encode(stun.BINDING))
        for each in wire.datagrams():
            nested += each.destination[1] in (3478, 5349) and each.source[0] == SERVER[4]
        itself = to_itself(client)
    return [Finding("requests to its own listener through a relay", f"2 sent, {nested} arrived",
                    nested == 0),
            Finding("a datagram from a relay to itself", f"comes back {itself} times", itself <= 1)]


def to_itself(client):
    """How often one datagram comes back that is sent to the relay it leaves by."""
    relay = client.relay
    with contextlib.suppress(Refused):
        client.permit(relay[0])
    client.send_to(relay, b"round and round")
    with contextlib.suppress(TimeoutError):
        while True:
            client._take(client.receive(0.5))
    return sum(payload == b"round and round" for _, payload in client.data)


def run(stage, kind):
    findings = never_answered(stage, kind)
    for pair in ((kind, kind), *([("yuelao", "coturn")] if kind == "yuelao" else [])):
        findings += pointed_at_each_other(stage, pair)
    return findings + back_into_the_server(stage, kind)


ATTACK = Attack(
    "T5", "Loops",
    "only requests are answered; of the server's own addresses only live relays are peers",
    ("tests/turn/relay_test.cpp", "fuzz/engine_fuzzer.cpp"), run)
