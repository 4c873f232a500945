"""Whom clients may reach, through the built server: security.md's T2."""

import contextlib
import select
import socket
import time

import pytest

from network import PEER
from turn_client import Refused, TurnClient, exchange
from yuelao import PATIENCE, settings

FAMILIES = pytest.mark.parametrize("family", [4, 6])
PUBLIC = {4: "1.1.1.1", 6: "2606:4700::1111"}
ALLOWED = list(PEER.values())


def code(ask):
    try:
        ask()
    except Refused as refusal:
        return refusal.code
    return 0


class Listeners:
    """Sockets of the peer's; which of them a datagram has reached."""

    def __init__(self, network, family, ports):
        self.sockets = {port: network.client.socket(socket.SOCK_DGRAM, family, PEER[family], port)
                        for port in ports}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in self.sockets.values():
            one.close()

    def reached(self):
        readable, _, _ = select.select(list(self.sockets.values()), [], [], 0)
        return sorted(one.getsockname()[1] for one in readable)


def decided(server, datagrams):
    """Waits until the server has relayed or dropped so many."""
    deadline = time.monotonic() + PATIENCE
    names = ['yuelao_relayed_packets_total{direction="client_to_peer"',
             'yuelao_drops_total{reason="new_peer"', 'yuelao_drops_total{reason="forbidden_peer"']
    while sum(map(server.metric, names)) < datagrams:
        assert time.monotonic() < deadline, "datagrams got lost on the way to the server"


@FAMILIES
def test_in_media_server_mode_a_credential_reaches_media_servers_alone(network, serve, family):
    only = settings(peers={"mode": "media-server", "allow": ALLOWED})
    server = serve(only)
    with contextlib.ExitStack() as open_sockets:
        one, other = (open_sockets.enter_context(TurnClient(network.client, family=family))
                      for _ in range(2))
        relays = one.allocate(), other.allocate()
        assert code(lambda: one.permit(PEER[family])) == 0
        assert code(lambda: one.permit(PUBLIC[family])) == 403
        assert code(lambda: one.bind(0x4000, (PUBLIC[family], 50000))) == 403
        # Two clients that have nothing but relays still meet here.
        one.permit(relays[1][0])
        other.permit(relays[0][0])
        exchange(one, other, relays)
        server.reload(only | {"peers": {"allow": ALLOWED}})
        assert code(lambda: one.permit(PUBLIC[family])) == 0
        # And back: what was permitted meanwhile ends.
        server.reload(only)
        before = server.metric('yuelao_drops_total{reason="no_permission"')
        one.send_to((PUBLIC[family], 50000), b"psst")
        deadline = time.monotonic() + PATIENCE
        while server.metric('yuelao_drops_total{reason="no_permission"') == before:
            assert time.monotonic() < deadline


@FAMILIES
def test_no_datagram_reaches_a_port_of_services(network, serve, family):
    usual = settings(peers={"allow": ALLOWED})
    server = serve(usual)
    ports = [53, 123, 443, 1900, 11211, 50000]
    with TurnClient(network.client, family=family) as client, \
            Listeners(network, family, ports) as listeners:
        client.allocate()
        client.permit(PEER[family])
        for number, port in enumerate(ports):
            client.send_to((PEER[family], port), b"query")
            open_port = port in (443, 50000)
            answer = code(lambda: client.bind(0x4000 + number, (PEER[family], port)))  # noqa: B023
            assert answer == (0 if open_port else 403), port
        decided(server, len(ports))
        assert listeners.reached() == [443, 50000]
        opened = {"allow": ALLOWED, "allow_ports": [1900], "deny_ports": ["40000-60000"]}
        server.reload(usual | {"peers": opened})
        before = len(ports)
        client.send_to((PEER[family], 1900), b"query")
        decided(server, before + 1)
        assert listeners.reached() == [443, 1900, 50000]
        assert code(lambda: client.bind(0x4010, (PEER[family], 50001))) == 403


@FAMILIES
def test_a_relay_scans_no_ports_and_no_hosts(network, serve, family):
    begun = time.monotonic()
    server = serve(settings(peers={"allow": ALLOWED}, limits={"new_peers": 6}))
    ports = range(50000, 50040)
    with TurnClient(network.client, family=family) as client, \
            Listeners(network, family, ports) as listeners:
        client.allocate()
        client.permit(PEER[family])
        for port in ports:
            client.send_to((PEER[family], port), b"anybody there?")
        decided(server, len(ports))
        # Six at once, the address among them, and one every ten seconds.
        reached = listeners.reached()
        assert 5 <= len(reached) <= 5 + (time.monotonic() - begun) / 10 + 1
        asked = [code(lambda: client.permit(f"1.1.1.{host}" if family == 4 else f"2606::{host}"))
                 for host in range(1, 30)]
        assert set(asked) == {508} or asked.count(0) <= (time.monotonic() - begun) / 10 + 1
        # Whom it talks to already it goes on talking to.
        before = server.metric('yuelao_relayed_packets_total{direction="client_to_peer"')
        for port in reached[-5:]:
            client.send_to((PEER[family], port), b"still there?")
        deadline = time.monotonic() + PATIENCE
        while server.metric('yuelao_relayed_packets_total{direction="client_to_peer"') < before + 5:
            assert time.monotonic() < deadline
