"""`bandwidth` through the built server (RFC 8656 §5)."""

import socket
import time

import pytest

from network import PEER
from turn_client import TurnClient
from yuelao import PATIENCE, settings

ALLOWED = {"peers": {"allow": list(PEER.values())}}
SIZE = 1000


class Call:
    """A client with a channel to a peer that answers nothing."""

    def __init__(self, network, family=4):
        self.peer = network.client.socket(socket.SOCK_DGRAM, family, PEER[family])
        self.client = TurnClient(network.client, family=family)
        self.client.allocate()
        self.client.bind(0x4001, (PEER[family], self.peer.getsockname()[1]))

    def send(self, datagrams):
        for _ in range(datagrams):
            self.client.send_on(0x4001, bytes(SIZE))


def relayed(server):
    return server.metric('yuelao_relayed_packets_total{direction="client_to_peer"')


def dropped(server):
    return server.metric('yuelao_drops_total{reason="bandwidth"')


def wait_for(server, datagrams):
    """Until so many were relayed or dropped in all."""
    deadline = time.monotonic() + PATIENCE
    while relayed(server) + dropped(server) < datagrams:
        assert time.monotonic() < deadline, "datagrams got lost on the way to the server"


@pytest.mark.parametrize("family", [4, 6])
def test_an_allocation_relays_no_more_than_its_bandwidth(network, serve, family):
    server = serve(settings(bandwidth={"allocation": "800kbit"}, **ALLOWED))
    begun = time.monotonic()
    call, other = Call(network, family), Call(network, family)
    call.send(250)
    wait_for(server, 250)
    # A second's worth at once, and what the time since allows.
    took = time.monotonic() - begun
    assert 100 <= relayed(server) <= 100 * (1 + took)
    # Nobody else is slowed down.
    before = dropped(server)
    other.send(50)
    wait_for(server, 300)
    assert dropped(server) == before


def test_a_new_limit_holds_after_a_reload(network, serve):
    unlimited = settings(**ALLOWED)
    server = serve(unlimited)
    call = Call(network)
    call.send(250)
    wait_for(server, 250)
    server.reload(unlimited | {"bandwidth": {"server": "800kbit"}})
    call.send(1000)
    wait_for(server, 1250)
    assert dropped(server) > 0
