"""Behind a proxy: who the client is, by PROXY headers from those that are listed (T13)."""

import ipaddress
import socket
import ssl
import struct

import pytest

import stun
from network import CLIENT, SERVER
from turn_client import Refused, TurnClient, exchange, pair_up
from yuelao import settings

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
SOURCES = {4: ("198.51.100.9", 40000), 6: ("2001:db8::9", 40001)}
# Of the same client as SOURCES to its limit, which takes a /64 of IPv6 for one, and of another.
SAME = {4: "198.51.100.9", 6: "2001:db8::a"}
ANOTHER = {4: "198.51.100.10", 6: "2001:db8:0:1::9"}


def version_1(source, destination=None):
    word, family = ("TCP6", 6) if ":" in source[0] else ("TCP4", 4)
    destination = destination or (SERVER[family], 443)
    return f"PROXY {word} {source[0]} {destination[0]} {source[1]} {destination[1]}\r\n".encode()


def version_2(source, destination):
    addresses = [ipaddress.ip_address(end[0]).packed for end in (source, destination)]
    body = b"".join(addresses) + struct.pack(">HH", source[1], destination[1])
    extra = b"\x04\x00\x03abc"  # a TLV that says nothing
    kind = 0x21 if ":" in source[0] else 0x11
    return SIGNATURE + struct.pack(">BBH", 0x21, kind, len(body + extra)) + body + extra


def header(version, family):
    destination = (SERVER[family], 443)
    made = version_1 if version == 1 else version_2
    return made(SOURCES[family], destination)


LOCAL = SIGNATURE + struct.pack(">BBH", 0x20, 0, 0)
UNKNOWN = b"PROXY UNKNOWN\r\n"
# A header's version, the family that it tells of, and the one that the proxy itself comes over.
HEADERS = [pytest.param(*each, id="v{}-ipv{}-over-ipv{}".format(*each))
           for each in ((1, 4, 4), (1, 6, 6), (2, 4, 6), (2, 6, 4))]


def mapped(client):
    return client.ask(stun.BINDING).address(stun.XOR_MAPPED_ADDRESS)


@pytest.fixture
def behind_proxy(serve, certificate):
    return serve(settings(tls=certificate, proxies=list(CLIENT.values()),
                          limits={"per_client": 2}))


@pytest.mark.parametrize("transport,port", [("tcp", 3478), ("tls", 3478), ("tls", 5349)])
@pytest.mark.parametrize("version,family,of_proxy", HEADERS)
def test_the_client_is_whom_a_listed_proxy_names(network, behind_proxy, authority, transport, port,
                                                 version, family, of_proxy):
    with TurnClient(network.client, transport, of_proxy, port, authority.certificate,
                    preface=header(version, family)) as client:
        assert mapped(client) == SOURCES[family]
        client.allocate()


@pytest.mark.parametrize("preface, family", [(b"", 4), (b"", 6), (LOCAL, 6), (UNKNOWN, 4)],
                         ids=["none", "none over ipv6", "local", "unknown"])
def test_a_proxy_that_names_nobody_stands_for_many(network, behind_proxy, preface, family):
    clients = [TurnClient(network.client, "tcp", family, preface=preface) for _ in range(6)]
    assert mapped(clients[0])[0] == CLIENT[family]
    for client in clients:
        client.allocate()
        client.socket.close()


@pytest.mark.parametrize("family", [4, 6])
def test_the_limit_of_a_client_holds_for_whom_the_proxy_names(network, behind_proxy, family):
    claimed = [SOURCES[family][0], SAME[family], SAME[family]]
    clients = [TurnClient(network.client, "tcp", preface=version_1((source, 40000 + i)))
               for i, source in enumerate(claimed)]
    for client in clients[:2]:
        client.allocate()
    with pytest.raises(Refused) as refusal:
        clients[2].allocate()
    assert refusal.value.code == 486
    with TurnClient(network.client, "tcp", preface=version_1((ANOTHER[family], 1))) as another:
        another.allocate()
    for client in clients:
        client.socket.close()


def test_two_connections_that_claim_one_client_do_not_meet(network, behind_proxy):
    claimed = version_1(SOURCES[4])
    with TurnClient(network.client, "tcp", preface=claimed) as one, \
            TurnClient(network.client, "tcp", preface=claimed) as other:
        relays = pair_up(one, other)
        assert relays[0] != relays[1]
        exchange(one, other, relays)
        one.socket.close()
        other.refresh(600)


@pytest.mark.parametrize("version, family", [(1, 6), (2, 4)])
def test_a_header_may_come_in_pieces(network, behind_proxy, version, family):
    whole = header(version, family)
    request = stun.encode(stun.BINDING)
    for cut in range(1, len(whole)):
        with network.client.socket(socket.SOCK_STREAM, address=CLIENT[4]) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect((SERVER[4], 3478))
            connection.sendall(whole[:cut])
            connection.sendall(whole[cut:] + request)
            answer = stun.Message.parse(connection.recv(2048))
        assert answer.address(stun.XOR_MAPPED_ADDRESS) == SOURCES[family]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("port", [3478, 5349])
@pytest.mark.parametrize("listed, family", [([], 4), (["2001:db8::/32", CLIENT[4]], 6)],
                         ids=["nobody", "another"])
def test_a_stranger_s_header_ends_the_connection(network, serve, certificate, listed, family,
                                                 port, version):
    server = serve(settings(tls=certificate, proxies=listed))
    with network.client.socket(socket.SOCK_STREAM, family, CLIENT[family]) as connection:
        connection.connect((SERVER[family], port))
        connection.sendall(header(version, family) + stun.encode(stun.BINDING))
        assert closed(connection)
    refused = "yuelao_drops_total" if port == 3478 else "yuelao_tls_handshakes_total{result=\"failure\"}"
    assert server.metric(refused) == 1


@pytest.mark.parametrize("broken", [
    b"PROXY TCP4 198.51.100.9 10.77.0.1 40000\r\n", b"PROXY TCP5 a b 1 2\r\n", b"PROXY " + b"x" * 200,
    SIGNATURE + struct.pack(">BBH", 0x31, 0x11, 12) + bytes(12),
    SIGNATURE + struct.pack(">BBH", 0x21, 0x11, 4000)], ids=range(5))
def test_a_broken_header_ends_the_connection(network, behind_proxy, broken):
    with network.client.socket(socket.SOCK_STREAM, address=CLIENT[4]) as connection:
        connection.connect((SERVER[4], 3478))
        connection.sendall(broken)
        assert closed(connection)
    assert behind_proxy.metric("yuelao_proxy_headers_refused_total") == 1


@pytest.mark.parametrize("family, listed", [(4, CLIENT[4]), (6, "fd77::/64")])
def test_a_reload_lists_another_proxy(network, serve, family, listed):
    server = serve(settings())
    server.reload(settings(proxies=[listed]))
    with TurnClient(network.client, "tcp", family, preface=header(1, family)) as client:
        assert mapped(client) == SOURCES[family]


def closed(connection):
    try:
        return connection.recv(100) == b""
    except (ConnectionResetError, ssl.SSLError):
        return True
