"""`bandwidth` through the built server (RFC 8656 §5)."""

import socket
import time

import pytest

from network import PEER
from turn_client import TurnClient
from yuelao import PATIENCE, settings

ALLOWED = {"peers": {"allow": list(PEER.values())}}
SIZE = 1000


def relayed(server):
    return server.metric('yuelao_relayed_packets_total{direction="client_to_peer"')


def dropped(server):
    return server.metric('yuelao_drops_total{reason="bandwidth"')


class Call:
    """A client with a channel to a peer that answers nothing."""

    def __init__(self, network, server, family=4):
        self.server = server
        self.peer = network.client.socket(socket.SOCK_DGRAM, family, PEER[family])
        self.client = TurnClient(network.client, family=family)
        self.client.allocate()
        self.client.bind(0x4001, (PEER[family], self.peer.getsockname()[1]))

    def send(self, datagrams):
        """As many at a time as any socket buffer takes; returns when all were decided on."""
        for _ in range(datagrams // 50):
            decided = relayed(self.server) + dropped(self.server)
            for _ in range(50):
                self.client.send_on(0x4001, bytes(SIZE))
            deadline = time.monotonic() + PATIENCE
            while relayed(self.server) + dropped(self.server) < decided + 50:
                assert time.monotonic() < deadline, "datagrams got lost on the way to the server"


@pytest.mark.parametrize("family", [4, 6])
def test_an_allocation_relays_no_more_than_its_bandwidth(network, serve, family):
    server = serve(settings(bandwidth={"allocation": "80kbit"}, **ALLOWED))
    begun = time.monotonic()
    call, other = Call(network, server, family), Call(network, server, family)
    call.send(400)
    # A second's worth at once, and what the time since allows.
    took = time.monotonic() - begun
    assert 10 <= relayed(server) <= 10 * (1 + took)
    assert dropped(server) == 400 - relayed(server) > 0
    # Nobody else is slowed down.
    before = dropped(server)
    other.client.send_on(0x4001, bytes(SIZE))
    other.peer.settimeout(PATIENCE)
    assert len(other.peer.recv(2 * SIZE)) == SIZE
    assert dropped(server) == before


def test_a_new_limit_holds_after_a_reload(network, serve):
    unlimited = settings(**ALLOWED)
    server = serve(unlimited)
    call = Call(network, server)
    call.send(250)
    assert relayed(server) == 250
    server.reload(unlimited | {"bandwidth": {"server": "80kbit"}})
    call.send(250)
    assert dropped(server) > 0
