"""RFC 8656's less common relays: of both families, in pairs of ports, with DF, and what ICMP says."""

import socket
import struct
import time

import pytest

import stun
from clients import assert_no_loss, echo_peer, uclient
from network import PEER, SERVER
from turn_client import Refused, TurnClient
from yuelao import PATIENCE, settings

ALLOWED = {"peers": {"allow": list(PEER.values())}}
FAMILY = {4: (stun.REQUESTED_ADDRESS_FAMILY, bytes([1, 0, 0, 0])),
          6: (stun.REQUESTED_ADDRESS_FAMILY, bytes([2, 0, 0, 0]))}
RESERVE_NEXT = (stun.EVEN_PORT, b"\x80")
DONT_FRAGMENT = (stun.DONT_FRAGMENT, b"")


def peer_socket(network, family):
    made = network.client.socket(socket.SOCK_DGRAM, family, PEER[family])
    return made, (PEER[family], made.getsockname()[1])


def assert_relays(client, relayed, peer, address):
    """Data goes to the peer and comes back, through that relay."""
    client.permit(address[0])
    client.send_to(address, b"question")
    payload, source = peer.recvfrom(100)
    assert (payload, source[:2]) == (b"question", relayed)
    peer.sendto(b"answer", relayed)
    assert client.next_data() == (address, b"answer")


def refusal(client, *attributes):
    with pytest.raises(Refused) as refused:
        client.allocate(*attributes)
    return refused.value.code


# Dual allocations. turnutils_uclient -Z asks for them with a draft's number, 0x8032, and gets an
# ordinary one.

@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_one_client_has_relays_of_both_families(network, serve, transport, family):
    server = serve(settings(**ALLOWED))
    with TurnClient(network.client, transport, family) as client:
        answer = client.ask_for_relays(stun.BOTH_FAMILIES)
        relays = dict(zip((4, 6), answer.addresses(stun.XOR_RELAYED_ADDRESS), strict=True))
        assert {relays[family][0] for family in (4, 6)} == set(SERVER.values())
        peers = {family: peer_socket(network, family) for family in (4, 6)}
        for each in (4, 6):
            assert_relays(client, relays[each], *peers[each])
        assert server.metric("yuelao_allocations") == 2

        # The IPv6 relay ends; the other one has lost nothing by it.
        assert client.refresh(0, FAMILY[6]).lifetime == 0
        client.send_to(peers[4][1], b"still here")
        assert peers[4][0].recv(100) == b"still here"
        with pytest.raises(Refused, match="443"):
            client.permit(PEER[6])
        with pytest.raises(Refused, match="443"):
            client.refresh(600, FAMILY[6])
        client.refresh(0)
        assert server.metric("yuelao_allocations") == 0


@pytest.mark.parametrize("family", [4, 6])
def test_a_family_the_server_does_not_have_is_named(network, serve, family):
    serve(settings(**ALLOWED, relay={"addresses": [SERVER[family]]}))
    missing = 10 - family
    with TurnClient(network.client) as client:
        answer = client.ask_for_relays(stun.BOTH_FAMILIES)
        assert [address for address, _ in answer.addresses(stun.XOR_RELAYED_ADDRESS)] == [
            SERVER[family]]
        assert answer.attributes[stun.ADDRESS_ERROR_CODE] == bytes(
            [FAMILY[missing][1][0], 0, 4, 40])
    with TurnClient(network.client) as client:
        assert refusal(client, FAMILY[missing]) == 440


# Pairs of ports

@pytest.mark.parametrize("family", [4, 6])
def test_the_next_port_is_kept_for_whichever_shard_its_client_meets(network, serve, family):
    server = serve(settings(**ALLOWED, threads=2))
    peer, address = peer_socket(network, family)
    # The kernel chooses the shards by the clients' ports: sixteen pairs are not all on one.
    for _ in range(16):
        with TurnClient(network.client, family=family) as rtp, \
                TurnClient(network.client, family=family) as rtcp:
            answer = rtp.ask_for_relays(RESERVE_NEXT, FAMILY[family])
            host, port = answer.address(stun.XOR_RELAYED_ADDRESS)
            token = (stun.RESERVATION_TOKEN, answer.attributes[stun.RESERVATION_TOKEN])
            assert port % 2 == 0
            assert rtcp.allocate(token) == (host, port + 1)
            assert_relays(rtp, (host, port), peer, address)
            assert_relays(rtcp, (host, port + 1), peer, address)
            with TurnClient(network.client, family=family) as late:
                assert refusal(late, token) == 508
            rtcp.refresh(0)
            rtp.refresh(0)
    assert server.metric("yuelao_allocations") == 0


def test_ports_that_served_in_pairs_are_free_again(network, serve):
    """As many ports as four relays need, used again and again, from either shard's slice."""
    server = serve(settings(**ALLOWED, threads=2,
                            relay={"addresses": [SERVER[4]], "ports": "50000-50003"}))
    for _ in range(16):
        with TurnClient(network.client) as rtp, TurnClient(network.client) as rtcp:
            # A shard has one pair. Its port may come home only when the shard looks for one.
            answer = rtp.ask_for_relays(RESERVE_NEXT)
            rtcp.allocate((stun.RESERVATION_TOKEN, answer.attributes[stun.RESERVATION_TOKEN]))
            rtcp.refresh(0)
            rtp.refresh(0)
            # The answers may come before the ports are closed. A scrape has its turn in each shard
            # after that.
            assert server.metric("yuelao_allocations") == 0


def test_what_a_token_may_not_stand_beside(network, yuelao):
    with TurnClient(network.client) as client, TurnClient(network.client) as other:
        answer = client.ask_for_relays(RESERVE_NEXT)
        token = (stun.RESERVATION_TOKEN, answer.attributes[stun.RESERVATION_TOKEN])
        for beside in ((stun.EVEN_PORT, b"\x00"), FAMILY[4], stun.BOTH_FAMILIES):
            assert refusal(other, token, beside) == 400
        assert refusal(other, (stun.RESERVATION_TOKEN, b"whatever")) == 508
        other.allocate(token)


@pytest.mark.parametrize("options, family", [([], 4), (["-t", "-x"], 6)],
                         ids=["udp", "tcp over ipv6"])
def test_coturns_client_asks_for_pairs_of_ports(network, serve, options, family):
    serve(settings(**ALLOWED, threads=2))
    with echo_peer(network.client, family):
        assert_no_loss(uclient(network.client, *options, family=family, pairs=True))


@pytest.mark.parametrize("options, family", [(["-x"], 6), (["-t"], 4)],
                         ids=["udp over ipv6", "tcp"])
def test_coturns_client_asks_for_df(network, serve, options, family):
    serve(settings(**ALLOWED))
    with echo_peer(network.client, family):
        assert_no_loss(uclient(network.client, "-g", *options, family=family))


# What is in the IP header

def sniffer(network):
    """Every IPv4 packet that comes to the client's end, from its IP header on."""
    with network.client.entered():
        made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    made.settimeout(10)
    return made


def dont_fragment_bit(sniffed, source, marker):
    """Of the packet with that payload."""
    while True:
        packet = sniffed.recv(2048)
        if packet[9] == 17 and packet[20:22] == struct.pack(">H", source) and marker in packet:
            return bool(packet[6] & 0x40)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_df_is_set_where_the_client_asks_and_nowhere_else(network, serve, transport):
    serve(settings(**ALLOWED))
    peer, address = peer_socket(network, 4)
    with TurnClient(network.client, transport) as client, sniffer(network) as sniffed:
        _, port = client.allocate(DONT_FRAGMENT)
        client.bind(0x4000, address)
        for round_ in range(3):
            # Of different lengths, or they might leave as one packet.
            marker = f"round {round_}: ".encode()
            client.send_to(address, marker + b"with", DONT_FRAGMENT)
            client.send_to(address, marker + b"without it")
            client.send_on(0x4000, marker + b"in a channel")
            assert dont_fragment_bit(sniffed, port, marker + b"with") is True
            assert dont_fragment_bit(sniffed, port, marker + b"without it") is False
            assert dont_fragment_bit(sniffed, port, marker + b"in a channel") is False


@pytest.mark.parametrize("family, longest, too_big", [(4, 1472, [3, 4, 1500]),
                                                      (6, 1452, [2, 0, 1500])])
def test_a_datagram_too_long_for_the_link_goes_in_fragments_or_is_told_of(network, serve, family,
                                                                          longest, too_big):
    serve(settings(**ALLOWED))
    peer, address = peer_socket(network, family)
    with TurnClient(network.client, "tcp", family) as client:
        client.allocate(DONT_FRAGMENT)
        client.permit(PEER[family])
        client.send_to(address, bytes(longest + 1), DONT_FRAGMENT)
        (host, _), *icmp = client.next_error()
        assert (host, icmp) == (PEER[family], too_big)
        client.send_to(address, bytes(longest), DONT_FRAGMENT)
        assert len(peer.recv(4096)) == longest
        client.send_to(address, bytes(3000))
        assert len(peer.recv(4096)) == 3000


# ICMP

@pytest.fixture
def talkative(network):
    """The peer's kernel sends an ICMP error for each datagram to a closed port, not one a second."""
    done = network.client.run("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0",
                              "net.ipv6.icmp.ratelimit=0")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("family, unreachable", [(4, (3, 3, 0)), (6, (1, 4, 0))])
@pytest.mark.usefixtures("talkative")
def test_a_closed_port_of_a_peer_is_told_of_and_harms_nobody(network, serve, transport, family,
                                                             unreachable):
    server = serve(settings(**ALLOWED))
    peer, address = peer_socket(network, family)
    gone, closed = peer_socket(network, family)
    gone.close()
    with TurnClient(network.client, transport, family) as client:
        relayed = client.allocate(FAMILY[family])
        client.bind(0x4000, closed)
        client.permit(PEER[family])
        client.send_on(0x4000, b"anybody there?")
        assert client.next_error() == (closed, *unreachable)
        # One peer's errors make calls on the socket fail that are about another's datagrams.
        for i in range(100):
            client.send_to(closed, b"nobody")
            client.send_to(address, str(i).encode())
            assert peer.recv(100) == str(i).encode()
            peer.sendto(str(i).encode(), relayed)
            assert client.next_data() == (address, str(i).encode())
    assert server.metric('yuelao_drops_total{reason="send_failed"}') == 0
    # Nothing is left to wake the server up for.
    before = server.metric("yuelao_round_seconds_count")
    for _ in range(10):
        after = server.metric("yuelao_round_seconds_count")
    assert after - before < 100


@pytest.mark.usefixtures("talkative")
def test_a_flood_of_icmp_reaches_the_client_as_a_trickle(network, serve):
    server = serve(settings(**ALLOWED))
    gone, closed = peer_socket(network, 4)
    gone.close()
    with TurnClient(network.client) as client:
        client.allocate()
        client.permit(PEER[4])
        for length in range(1, 41):
            client.send_to(closed, bytes(length))  # growing: else some leave as one packet

        def kept():
            client.refresh(600)  # what the client was told comes with the answer
            return server.metric('yuelao_drops_total{reason="icmp"}')

        deadline = time.monotonic() + PATIENCE
        while len(client.errors) + kept() < 40 and time.monotonic() < deadline:
            pass
        assert len(client.errors) + kept() == 40
        assert 10 <= len(client.errors) < 40
