"""Credentials that are taken away while calls are up: those calls end, all others go on."""

import contextlib
import socket

import pytest

import stun
from network import PEER
from turn_client import Refused, TurnClient, exchange, pair_up
from yuelao import PASSWORD, SECRET, USER, settings

OTHER_SECRET = "another-secret-of-more-than-16-octets"


@contextlib.contextmanager
def call_as(network, user, password, transports=("udp", "tcp")):
    """Two clients of one user's in a call: (one, other, relays)."""
    with TurnClient(network.client, transports[0], user=user, password=password) as one, \
            TurnClient(network.client, transports[1], user=user, password=password) as other:
        relays = pair_up(one, other)
        exchange(one, other, relays)
        yield one, other, relays


def is_closed(network, relay):
    with network.client.socket(socket.SOCK_DGRAM, 4, PEER[4]) as peer:
        peer.settimeout(1)
        peer.connect(relay)
        peer.send(b"is anybody there?")
        try:
            peer.recv(100)
        except ConnectionRefusedError:
            return True
        except TimeoutError:
            return False
    raise AssertionError("a relay answers by itself")


BEFORE = {
    "users": [{"name": USER, "password": PASSWORD}, {"name": "bridge", "password": "of-the-bridge"}],
    "secrets": [{"value": SECRET}, {"value": OTHER_SECRET}],
}


@pytest.mark.parametrize("whose, changes", [
    ((USER, PASSWORD), {"users": BEFORE["users"][1:]}),
    ((USER, PASSWORD), {"users": [BEFORE["users"][0] | {"password": "changed"}, *BEFORE["users"][1:]]}),
    ((USER, PASSWORD), {"denied_users": [USER]}),
    (stun.rest_credentials(SECRET, "mallory"), {"secrets": BEFORE["secrets"][1:]}),
    (stun.rest_credentials(SECRET, "mallory"), {"denied_users": ["mallory"]}),
], ids=["user-gone", "password-changed", "user-denied", "secret-gone", "rest-user-denied"])
def test_what_is_taken_away_ends_its_calls_and_no_other(network, serve, whose, changes):
    server = serve(settings(**BEFORE))
    with call_as(network, "bridge", "of-the-bridge") as kept, \
            call_as(network, *stun.rest_credentials(OTHER_SECRET, "carol")) as rest, \
            call_as(network, *whose, ("tcp", "udp")) as (one, other, relays):
        assert not is_closed(network, relays[0])
        server.reload(settings(**(BEFORE | changes)))
        # A scrape has its turn behind the reload.
        assert server.metric("yuelao_allocations_revoked_total") == 2
        assert server.metric("yuelao_allocations") == 4
        server.wait_for_line("allocation revoked")
        for relay in relays:
            assert is_closed(network, relay)
        for client in (one, other):
            with pytest.raises(Refused) as refusal:
                client.refresh(600)
            assert refusal.value.code == 401
        for each in (kept, rest):
            exchange(*each, b"after the reload")
            each[0].refresh(600)
