"""Floods from forged sources, as the built server meets them: security.md's T3."""

import contextlib
import os
import re
import socket
import struct

import pytest

import stun
from network import CLIENT, PEER, SERVER
from turn_client import TurnClient
from yuelao import settings


def requests():
    """Each shape of request that anybody may send, without a password."""
    def message(method, *attributes, cookie=b"\x21\x12\xa4\x42"):
        body = b"".join(struct.pack(">HH", kind, len(value)) + value + bytes(-len(value) % 4)
                        for kind, value in attributes)
        return struct.pack(">HH", method, len(body)) + cookie + os.urandom(12) + body
    return {
        "Binding": message(stun.BINDING),
        "Binding of RFC 3489": message(stun.BINDING, cookie=os.urandom(4)),
        "Binding with an attribute nobody knows": message(stun.BINDING, (0x7FFF, b"")),
        "Allocate": message(stun.ALLOCATE, stun.UDP_TRANSPORT),
        "Allocate with nothing in it": message(stun.ALLOCATE),
        "Refresh": message(stun.REFRESH),
        "CreatePermission": message(stun.CREATE_PERMISSION),
        "ConnectionBind": message(stun.CONNECTION_BIND),
    }


def flood(network, local, family, request, datagrams):
    """Octets sent and received."""
    with network.client.socket(socket.SOCK_DGRAM, family, local) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        client.connect((SERVER[family], 3478))
        for _ in range(datagrams):
            client.send(request)
        received = []
        client.settimeout(0.5)  # so long after the last one nothing more is on its way
        with contextlib.suppress(TimeoutError):
            while True:
                received.append(len(client.recv(2048)))
    return datagrams * len(request), received


@pytest.mark.parametrize("family", [4, 6])
def test_nobody_is_flooded_with_answers(network, serve, family):
    server = serve(settings(bandwidth={"strangers": "32kbit"}, threads=1))
    for name, request in requests().items():
        sent, received = flood(network, CLIENT[family], family, request, 2000)
        # Four seconds' worth of 4000 octets, and what a slow machine adds meanwhile.
        assert sum(received) < 40_000, name
        print(f"{name}: {len(request)} octets in, {received[:1]} out, "
              f"{sum(received) / sent:.3f} times what came")
    held = server.metric('yuelao_drops_total{reason="response_budget"')
    assert held > 1000
    # Its neighbour is served, and so is who comes by TCP from the same address.
    with TurnClient(network.client, family=family, local=PEER[family]) as client:
        client.allocate()
    with TurnClient(network.client, "tcp", family) as client:
        client.allocate()
    line = server.wait_for_line(r"answers to strangers were held back")
    assert re.search(r"count=\d+", line) and CLIENT[family] not in line


def test_a_call_goes_on_while_its_address_is_flooded(network, serve):
    """The client has its nonce: its answers are signed, and cost the budget nothing."""
    serve(settings(bandwidth={"strangers": "32kbit"}, threads=1))
    with TurnClient(network.client) as client:
        client.allocate()
        flood(network, CLIENT[4], 4, requests()["Allocate"], 2000)
        for _ in range(100):
            client.refresh(600)
