"""What reaches the listening ports, right or wrong, and what comes back."""

import contextlib
import socket
import ssl
import struct

import pytest

import stun
from network import CLIENT, PEER, SERVER
from turn_client import Refused, TurnClient, exchange, pair_up
from yuelao import SECRET, settings

TRANSPORTS = ["udp", "tcp", "tls"]
FAMILIES = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture
def client(network, authority):
    """client(transport, ...) -> TurnClient, closed by the test's end."""
    with contextlib.ExitStack() as stack:
        def connect(transport="udp", **options):
            return stack.enter_context(TurnClient(network.client, transport,
                                                  authority=authority.certificate, **options))
        yield connect


@pytest.fixture
def a_call(client):
    """A call in progress that must not notice what else happens; asked again at the end."""
    one, other = client(), client("tcp")
    relays = pair_up(one, other)
    exchange(one, other, relays)
    yield
    exchange(one, other, relays, b"still")


@pytest.mark.parametrize("transport", TRANSPORTS)
@FAMILIES
def test_two_relay_only_clients_reach_each_other(yuelao, client, transport, family):
    one, other = client(transport, family=family), client(transport, family=family)
    relays = pair_up(one, other)
    # RFC 8656 leaves the family open; a client that did not ask gets its own.
    assert {address for address, _ in relays} == {SERVER[family]}
    exchange(one, other, relays)
    for end, number, peer in ((one, 0x4000, relays[1]), (other, 0x4001, relays[0])):
        end.bind(number, peer)
    one.send_on(0x4000, b"by channel")
    assert other.next_data() == (0x4001, b"by channel")


def test_a_udp_client_may_ask_for_an_ipv6_relay(yuelao, client):
    family = (stun.REQUESTED_ADDRESS_FAMILY, bytes([2, 0, 0, 0]))
    assert client().allocate(family)[0] == SERVER[6]


@FAMILIES
def test_tls_and_tcp_share_a_port(yuelao, client, family):
    for transport in ("tcp", "tls"):
        one = client(transport, port=3478, family=family)
        assert one.ask(stun.BINDING).address(stun.XOR_MAPPED_ADDRESS)[0] == CLIENT[family]
    assert client("tls", port=5349, family=family).ask(stun.BINDING).error is None


@pytest.mark.parametrize("transport, family", [("udp", 4), ("udp", 6), ("tcp", 4), ("tls", 6)])
def test_binding_needs_no_credentials(yuelao, client, transport, family):
    one = client(transport, family=family)
    assert one.ask(stun.BINDING).address(stun.XOR_MAPPED_ADDRESS) == one.socket.getsockname()[:2]


def test_tls_below_1_2_is_refused(network, yuelao, authority):
    context = ssl.create_default_context(cafile=authority.certificate)
    context.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
    context.options &= ~(ssl.OP_NO_TLSv1 | ssl.OP_NO_TLSv1_1)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with network.client.socket(socket.SOCK_STREAM) as plain:
        plain.connect((SERVER[4], 5349))
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            context.wrap_socket(plain, server_hostname=SERVER[4])


@pytest.mark.parametrize("user, password", [(None, "wrong"), ("nobody", None)],
                         ids=["wrong-password", "unknown-user"])
def test_wrong_credentials_are_refused_alike(yuelao, client, user, password):
    one = client()
    one.user, one.password = user or one.user, password or one.password
    with pytest.raises(Refused) as refusal:
        one.allocate()
    assert refusal.value.code == 401


@pytest.mark.parametrize("name", ["", "someone", "a:b:c/+_-"])
def test_a_rest_credential_allocates(yuelao, client, name):
    user, password = stun.rest_credentials(SECRET, name)
    assert client(user=user, password=password).allocate()


def test_an_expired_rest_credential_is_refused(yuelao, client):
    user, password = stun.rest_credentials(SECRET, "late", lifetime=-1)
    with pytest.raises(Refused) as refusal:
        client(user=user, password=password).allocate()
    assert refusal.value.code == 401


def test_a_nonce_of_another_address_is_stale(network, yuelao, client):
    victim, thief = client(), client(family=6)
    victim.allocate()
    thief.realm, thief.nonce = victim.realm, victim.nonce
    answer = thief.ask_signed(stun.ALLOCATE, [stun.UDP_TRANSPORT])
    assert answer.error == 438
    assert answer.attributes[stun.NONCE] != victim.nonce


def test_an_old_nonce_is_stale_and_the_next_one_serves(serve, client):
    serve(settings(lifetimes={"nonce": "1s"}))
    one = client()
    one.allocate()
    first = one.nonce
    # Until the server says so: the clock is the server's.
    for _ in range(200):
        answer = one.ask_signed(stun.REFRESH, [(stun.LIFETIME, struct.pack(">I", 600))])
        if answer.error:
            break
        one.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            one.receive(0.05)
    assert answer.error == 438
    assert one.refresh(600).lifetime == 600
    assert one.nonce != first


FORBIDDEN = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.1",
    "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "240.0.0.1", "255.255.255.255", PEER[4], CLIENT[4],
]
FORBIDDEN6 = [
    "::", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1",
    "2001::1", "2001:db8::1", "2002:7f00:1::1", "fc00::1", "fe80::1", "ff02::1", PEER[6], CLIENT[6],
]


@pytest.mark.parametrize("family, peers", [(4, FORBIDDEN), (6, FORBIDDEN6)], ids=["ipv4", "ipv6"])
def test_special_addresses_are_no_peers(yuelao, client, family, peers):
    one = client(family=family)
    one.allocate()
    let_in = []
    for number, peer in enumerate(peers):
        for ask in (lambda: one.permit(peer), lambda: one.bind(0x4000 + number, (peer, 80)),
                    lambda: one.permit("1.1.1.1" if family == 4 else "2606:4700::1", peer)):
            try:
                ask()
                let_in.append(peer)
            except Refused as refusal:
                assert refusal.code == (443 if peer.startswith("::ffff:") else 403), peer
    assert let_in == []


@FAMILIES
def test_nothing_is_sent_to_a_forbidden_peer(network, yuelao, client, family):
    one = client(family=family)
    one.allocate()
    with network.client.socket(socket.SOCK_DGRAM, family, PEER[family]) as peer:
        one.send_to(peer.getsockname()[:2], b"psst")
        # What was sent before has been dealt with once this is answered.
        one.refresh(600)
        peer.settimeout(0.2)
        with pytest.raises(TimeoutError):
            peer.recv(100)
    assert yuelao.metric('yuelao_drops_total{reason="no_permission"}') == 1


@FAMILIES
def test_own_ports_that_are_no_relays_stay_closed(network, yuelao, client, family):
    one = client(family=family)
    relay = one.allocate()
    one.permit(SERVER[family])
    with network.server.socket(socket.SOCK_DGRAM, family, SERVER[family]) as service:
        service.settimeout(0.2)
        one.send_to(service.getsockname()[:2], b"psst")
        one.refresh(600)
        with pytest.raises(TimeoutError):
            service.recv(100)
    for port in (3478, 9641, service_port(relay)):
        with pytest.raises(Refused) as refusal:
            one.bind(0x4000, (SERVER[family], port))
        assert refusal.value.code == 403, port


def service_port(relay):
    """A port of the relays' range that no relay has."""
    return relay[1] - 1 if relay[1] > 49152 else relay[1] + 1


@FAMILIES
def test_an_allowed_peer_is_reached_and_answers(network, serve, client, family):
    serve(settings(peers={"allow": [PEER[family]]}))
    one = client(family=family)
    relay = one.allocate()
    with network.client.socket(socket.SOCK_DGRAM, family, PEER[family]) as peer:
        at = peer.getsockname()[:2]
        one.permit(PEER[family])
        one.send_to(at, b"ping")
        payload, source = peer.recvfrom(100)
        assert (payload, source[:2]) == (b"ping", relay)
        peer.sendto(b"pong", relay)
        assert one.next_data() == (at, b"pong")


@pytest.mark.parametrize("garbage", [
    b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 1500, bytes(20), bytes.fromhex("0001ffff2112a442"),
    bytes.fromhex("000100002112a442") + bytes(11), b"\x40\x00\xff\xff", b"\x16\x03\x01\x00\x05hello",
], ids=lambda data: data[:8].hex() or "nothing")
def test_garbage_harms_nobody(network, yuelao, a_call, client, garbage):
    datagrams = client()
    datagrams.socket.send(garbage)
    assert datagrams.ask(stun.BINDING).error is None
    for port in (3478, 5349):
        with network.client.socket(socket.SOCK_STREAM) as stream:
            stream.connect((SERVER[4], port))
            stream.sendall(garbage)
            stream.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while stream.recv(4096):
                    pass


def test_half_open_streams_harm_nobody(network, yuelao, a_call):
    """Some say nothing, some half a message, some half a handshake; none goes on."""
    with contextlib.ExitStack() as stack:
        request = stun.encode(stun.BINDING)
        for number, start in enumerate([b"", request[:1], request[:19], b"\x16\x03\x01\x02\x00\x01"] * 10):
            stream = stack.enter_context(network.client.socket(socket.SOCK_STREAM))
            stream.connect((SERVER[4], 5349 if number % 2 else 3478))
            stream.sendall(start)
        assert yuelao.metric("yuelao_open_connections") >= 1


def test_probes_leave_no_line(network, serve, certificate, authority):
    server = serve(settings(tls=certificate, log={"level": "info"}))
    server.wait_for_line(" ready ")  # the last line of the start
    before = len(server.lines)
    context = ssl.create_default_context(cafile=authority.certificate)
    for port in (3478, 5349):
        with network.client.socket(socket.SOCK_STREAM) as stream:
            stream.connect((SERVER[4], port))
        with network.client.socket(socket.SOCK_STREAM) as plain:
            plain.connect((SERVER[4], port))
            context.wrap_socket(plain, server_hostname=SERVER[4]).close()
    assert server.http("/metrics")[0] == 200
    assert server.lines[before:] == []


def test_a_stream_takes_messages_in_pieces_and_in_heaps(yuelao, client):
    one = client("tcp")
    message = stun.encode(stun.BINDING)
    for octet in message:
        one.socket.sendall(bytes([octet]))
    assert stun.Message.parse(one.receive()).error is None
    one.socket.sendall(message * 20)
    for _ in range(20):
        assert stun.Message.parse(one.receive()).error is None


@FAMILIES
def test_a_call_shows_in_the_metrics_and_names_nobody(serve, client, certificate, family):
    server = serve(settings(tls=certificate))
    one, other = client("tcp", family=family), client("tls", family=family)
    relays = pair_up(one, other)
    exchange(one, other, relays)
    assert server.metric("yuelao_sessions") == 2
    for transport in ("tcp", "tls"):
        labels = f'transport="{transport}",family="ipv{family}"'
        assert server.metric(f"yuelao_allocations{{{labels}}}") == 1
    assert server.metric('yuelao_relayed_packets_total{direction="client_to_peer"}') == 2
    assert server.metric('yuelao_relayed_packets_total{direction="peer_to_client"}') == 2
    assert server.metric('yuelao_requests_total{method="allocate",outcome="success"}') == 2
    assert server.metric("yuelao_tls_handshakes_total") == 1
    server.check_privacy(server.http("/metrics")[1])
    one.refresh(0)
    other.refresh(0)
    assert server.metric("yuelao_sessions") == 0
    assert server.http("/healthz")[0] == server.http("/readyz")[0] == 200


def test_a_closed_stream_ends_its_allocation(yuelao, client):
    one, other = client("tcp"), client()
    one.allocate()
    other.allocate()
    one.socket.close()
    # The close travels like any message; a scrape asks the shard after it, at the latest
    # the second time.
    assert any(yuelao.metric("yuelao_sessions") == 1 for _ in range(50))


@pytest.mark.parametrize("family, public", [(4, "198.51.100.7"), (6, "2001:db8::7")])
def test_behind_a_nat_clients_are_told_the_public_address(serve, client, family, public):
    serve(settings(external_address=f"{public}/{SERVER[family]}",
                   relay={"addresses": [SERVER[family]]}))
    one, other = client(family=family), client("tcp", family=family)
    relays = one.allocate(), other.allocate()
    assert {address for address, _ in relays} == {public}
    # Two clients of one server meet without a packet that leaves it.
    one.permit(relays[1][0])
    other.permit(relays[0][0])
    exchange(one, other, relays)
