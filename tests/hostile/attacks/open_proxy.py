"""T2: a credential as a ticket to everywhere: scans, services, and bandwidth without end."""

import contextlib
import time

from findings import Attack, Finding
from network import PEER, SERVER
from stage import OUTSIDE
from turn_client import Refused
from wire import Wire

PAYLOAD = b"is there anything"
# Ports of services that answer more than they are asked, or that mail and commands go to.
SERVICES = (19, 22, 25, 53, 123, 161, 389, 1900, 3389, 5060, 11211)


def reached(wire):
    return {each.destination for each in wire.datagrams() if each.payload == PAYLOAD}


def send_to_all(client, peers):
    for number, peer in enumerate(peers):
        client.send_to(peer, PAYLOAD)
        if number % 64 == 63:
            time.sleep(0.005)  # the server's queue has to hold them


def media_server(stage, kind):
    """A server for one media server, as its documentation has it."""
    ours = {"peers": {"mode": "media-server", "allow": [OUTSIDE[4]]}}
    theirs = ["denied-peer-ip=0.0.0.0-255.255.255.255",
              "denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
              f"allowed-peer-ip={OUTSIDE[4]}"]
    others = [f"{first}.77.7.7" for first in range(11, 100, 3)]
    with stage.serving(kind, ours, theirs) as subject, stage.allocated(subject) as client, \
            Wire(stage.network.server) as wire:
        refused = 0
        client.permit(OUTSIDE[4])
        for each in others:
            try:
                client.permit(each)
            except Refused:
                refused += 1
        send_to_all(client, [(each, 40000) for each in (OUTSIDE[4], *others)])
        gone = reached(wire)
    return [Finding("peers limited to one media server", f"{refused} of {len(others)} others refused, "
                    f"datagrams to {len(gone - {(OUTSIDE[4], 40000)})} of them left",
                    refused == len(others) and gone == {(OUTSIDE[4], 40000)})]


def bandwidth(stage, kind):
    """Eight times what an allocation may relay."""
    limit, seconds = 125_000, stage.scaled(3, 1)
    with stage.serving(kind, {"bandwidth": {"allocation": "1Mbit"}}, [f"max-bps={limit}"]) as subject, \
            stage.allocated(subject) as client, Wire(stage.network.server) as wire:
        client.bind(0x4000, (OUTSIDE[4], 40000))
        payload, sent, start = bytes(1000), 0, time.monotonic()
        while (now := time.monotonic() - start) < seconds:
            if sent < now * 8 * limit:
                client.send_on(0x4000, payload)
                sent += len(payload)
            else:
                time.sleep(0.001)
        out = sum(len(each.payload) for each in wire.datagrams()
                  if each.destination == (OUTSIDE[4], 40000) and each.source[0] == SERVER[4])
    return [Finding("an allocation's bandwidth, limited to 1 Mbit/s",
                    f"{sent / seconds / limit:.1f} times as much sent, {out / now / limit:.1f} times relayed",
                    # A second's worth may go at once, and some was still on its way.
                    out <= limit * (now + 2))]


def services(stage, kind):
    """Ports of a public peer, by Send and by a channel."""
    with stage.serving(kind) as subject, stage.allocated(subject) as client, \
            Wire(stage.network.server) as wire:
        client.permit(OUTSIDE[4])
        refused = 0
        for number, port in enumerate(SERVICES):
            client.send_to((OUTSIDE[4], port), PAYLOAD)
            try:
                client.bind(0x4000 + number, (OUTSIDE[4], port))
            except Refused:
                refused += 1
            client.send_on(0x4000 + number, PAYLOAD)
        gone = reached(wire)
    return [Finding("ports of services that answer more than they are asked, or take commands",
                    f"{refused} of {len(SERVICES)} channels refused, datagrams to {len(gone)} left",
                    refused == len(SERVICES) and not gone)]


def scans(stage, kind):
    """How far one allocation gets, and how far all of one address do."""
    ports, each = 2000, 200
    allocations = stage.scaled(60, 5)
    with stage.serving(kind) as subject, Wire(stage.network.server) as wire, \
            contextlib.ExitStack() as stack:
        client, start = stack.enter_context(stage.allocated(subject)), time.monotonic()
        client.permit(OUTSIDE[4])
        send_to_all(client, [(OUTSIDE[4], 20_000 + number) for number in range(ports)])
        found, minutes = len(reached(wire)), (time.monotonic() - start) / 60
        others = [stack.enter_context(stage.allocated(subject)) for _ in range(allocations)]
        start = time.monotonic()
        for number, other in enumerate(others):
            with contextlib.suppress(Refused):
                other.permit(OUTSIDE[4])
            send_to_all(other, [(OUTSIDE[4], 22_000 + each * number + at) for at in range(each)])
        every, all_minutes = len(reached(wire)), (time.monotonic() - start) / 60
        # From another address, which has begun nothing yet.
        other = stack.enter_context(stage.allocated(subject, local=PEER[4]))
        addresses = permitted(other, stage.scaled(1000, 300))
    # What an allocation, and what an address, may begin at once, and again each minute.
    return [Finding(f"a scan of {ports:,} ports by one allocation", f"{found:,} reached",
                    found <= 120 * (1 + minutes) + 1),
            Finding(f"{allocations} allocations of one address that scan {each} ports each",
                    f"{every:,} of {allocations * each:,} reached",
                    every <= min(6000, 120 * allocations) * (1 + all_minutes) + allocations),
            Finding(f"a scan of {stage.scaled(1000, 300):,} addresses by one allocation",
                    f"{addresses:,} permitted", addresses <= 120)]


def permitted(client, count):
    """Of so many addresses, one a request."""
    good = 0
    for number in range(count):
        try:
            client.permit(f"52.{number >> 8}.{number & 255}.7")
            good += 1
        except Refused:
            pass
    return good


def run(stage, kind):
    return [finding for part in (media_server, services, scans, bandwidth)
            for finding in part(stage, kind)]


ATTACK = Attack(
    "T2", "Use as an open proxy",
    "media servers alone where there are (`peers.mode`); ports of services are closed; a limit to how "
    "fast new peers are found (`limits.new_peers`), and to bandwidth (`bandwidth.allocation`)",
    ("tests/turn/forbidden_peers_test.cpp", "tests/turn/new_peers_test.cpp",
     "tests/interop/bandwidth_test.py"), run)
