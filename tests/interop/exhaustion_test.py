"""Connections that take room and say nothing, as the built server meets them: security.md's T8."""

import contextlib
import socket

import pytest

from network import CLIENT, PEER, SERVER
from turn_client import TurnClient
from yuelao import settings

FAMILIES = pytest.mark.parametrize("family", [4, 6])
OF_PREFIX = 256  # connections of one address that a thread waits for


def connect(network, family, source):
    connection = network.client.socket(socket.SOCK_STREAM, family, source)
    connection.settimeout(10)
    connection.connect((SERVER[family], 5349))
    return connection


def ended(connection):
    with contextlib.suppress(ConnectionResetError):
        return connection.recv(1) == b""
    return True


@FAMILIES
def test_silent_connections_make_room_for_newer_ones(network, serve, certificate, authority, family):
    """Half-open TLS: the oldest goes, and nobody who says who he is waits for it."""
    server = serve(settings(tls=certificate, threads=1))
    with contextlib.ExitStack() as closing:
        silent = [closing.enter_context(connect(network, family, CLIENT[family]))
                  for _ in range(OF_PREFIX + 20)]
        assert all(ended(one) for one in silent[:20])
        assert server.metric('yuelao_connections_total{outcome="crowded_out"') == 20
        # From the same address, and from another one, whose connections nobody crowds out.
        for source in (CLIENT[family], PEER[family]):
            client = closing.enter_context(TurnClient(
                network.client, "tls", family, 5349, authority.certificate, local=source))
            client.allocate()


@pytest.mark.parametrize("family, neighbour", [(4, False), (6, True)])
def test_one_address_has_so_many_connections(network, serve, certificate, family, neighbour):
    # One thread accepts in the order they came.
    server = serve(settings(tls=certificate, limits={"connections_per_client": 3}, threads=1))
    with contextlib.ExitStack() as closing:
        open_ones = [closing.enter_context(connect(network, family, CLIENT[family]))
                     for _ in range(3)]
        assert ended(closing.enter_context(connect(network, family, CLIENT[family])))
        assert server.metric('yuelao_connections_total{outcome="refused"') == 1
        # Another IPv4 address is somebody else; another one of the same /64 is not.
        other = closing.enter_context(connect(network, family, PEER[family]))
        if neighbour:
            assert ended(other)
        else:
            other.sendall(b"\x16\x03")
        open_ones[0].close()
        server.reload(settings(tls=certificate, limits={"connections_per_client": 5}, threads=1))
        late = closing.enter_context(connect(network, family, CLIENT[family]))
        late.settimeout(0.5)
        with pytest.raises(TimeoutError):
            late.recv(1)  # it may stay
