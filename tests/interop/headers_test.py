"""What is relayed has an IP header of the server's own: the alternate behaviors of RFC 8656."""

import socket
import struct

import pytest

import stun
from network import CLIENT, PEER, SERVER
from turn_client import TurnClient
from yuelao import settings

MARKED = 0xB9  # expedited forwarding, and ECT(1)
HOPS = 33
# (level, traffic class, hops, receive traffic class, receive hops)
OPTIONS = {
    4: (socket.IPPROTO_IP, socket.IP_TOS, socket.IP_TTL, socket.IP_RECVTOS, 12),  # IP_RECVTTL
    6: (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, socket.IPV6_UNICAST_HOPS,
        socket.IPV6_RECVTCLASS, socket.IPV6_RECVHOPLIMIT),
}


def mark(sock, family):
    level, traffic_class, hops, see_class, see_hops = OPTIONS[family]
    for option, value in ((traffic_class, MARKED), (hops, HOPS), (see_class, 1), (see_hops, 1)):
        sock.setsockopt(level, option, value)


def seen(sock):
    """The hops and the traffic class that the next datagram came with."""
    _, ancillary, _, _ = sock.recvmsg(2048, 256)
    values = [struct.unpack("i", data)[0] if len(data) == 4 else data[0]
              for _, _, data in ancillary]
    assert len(values) == 2
    return sorted(values, reverse=True)


@pytest.mark.parametrize("of_client, of_relay", [(4, 6), (6, 6), (6, 4), (4, 4)])
def test_hops_and_traffic_class_are_the_servers_own(network, serve, of_client, of_relay):
    """RFC 8656 §13.1, §13.2, §13.3, §14."""
    serve(settings(peers={"allow": [PEER[of_relay]]}))
    with TurnClient(network.client, family=of_client) as client, \
            network.client.socket(socket.SOCK_DGRAM, of_relay, PEER[of_relay]) as peer:
        wanted = (stun.REQUESTED_ADDRESS_FAMILY, bytes([1 if of_relay == 4 else 2, 0, 0, 0]))
        relay = client.allocate(wanted)
        assert relay[0] == SERVER[of_relay] and client.socket.getsockname()[0] == CLIENT[of_client]
        client.permit(PEER[of_relay])
        mark(client.socket, of_client)
        mark(peer, of_relay)
        client.send_to(peer.getsockname()[:2], b"ping")
        assert seen(peer) == [64, 0]
        peer.sendto(b"pong", relay)
        assert seen(client.socket) == [64, 0]


@pytest.mark.parametrize("family", [4, 6])
def test_what_comes_by_tcp_is_marked_no_more(network, serve, family):
    """RFC 8656 §15."""
    serve(settings(peers={"allow": [PEER[family]]}))
    with TurnClient(network.client, "tcp", family) as client, \
            network.client.socket(socket.SOCK_DGRAM, family, PEER[family]) as peer:
        client.allocate()
        client.permit(PEER[family])
        mark(client.socket, family)
        mark(peer, family)
        client.send_to(peer.getsockname()[:2], b"ping")
        assert seen(peer) == [64, 0]
