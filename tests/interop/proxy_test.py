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


def version_1(source, destination=(SERVER[4], 443)):
    word = "TCP6" if ":" in source[0] else "TCP4"
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
HEADERS = [pytest.param(version, family, id=f"v{version}-ipv{family}")
           for version in (1, 2) for family in (4, 6)]


def mapped(client):
    return client.ask(stun.BINDING).address(stun.XOR_MAPPED_ADDRESS)


@pytest.fixture
def behind_proxy(serve, certificate):
    return serve(settings(tls=certificate, proxies=[CLIENT[4]],
                          limits={"per_client": 2}))


@pytest.mark.parametrize("transport,port", [("tcp", 3478), ("tls", 3478), ("tls", 5349)])
@pytest.mark.parametrize("version,family", HEADERS)
def test_the_client_is_whom_a_listed_proxy_names(network, behind_proxy, authority, transport, port,
                                                 version, family):
    with TurnClient(network.client, transport, port=port, authority=authority.certificate,
                    preface=header(version, family)) as client:
        assert mapped(client) == SOURCES[family]
        client.allocate()


@pytest.mark.parametrize("preface", [b"", LOCAL, UNKNOWN], ids=["none", "local", "unknown"])
def test_a_proxy_that_names_nobody_stands_for_many(network, behind_proxy, preface):
    clients = [TurnClient(network.client, "tcp", preface=preface) for _ in range(6)]
    assert mapped(clients[0])[0] == CLIENT[4]
    for client in clients:
        client.allocate()
        client.socket.close()


def test_the_limit_of_a_client_holds_for_whom_the_proxy_names(network, behind_proxy):
    clients = [TurnClient(network.client, "tcp", preface=version_1((SOURCES[4][0], 40000 + i)))
               for i in range(3)]
    for client in clients[:2]:
        client.allocate()
    with pytest.raises(Refused) as refusal:
        clients[2].allocate()
    assert refusal.value.code == 486
    with TurnClient(network.client, "tcp", preface=version_1(("198.51.100.10", 1))) as another:
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


@pytest.mark.parametrize("version", [1, 2])
def test_a_header_may_come_in_pieces(network, behind_proxy, version):
    whole = header(version, 4)
    request = stun.encode(stun.BINDING)
    for cut in range(1, len(whole)):
        with network.client.socket(socket.SOCK_STREAM, address=CLIENT[4]) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect((SERVER[4], 3478))
            connection.sendall(whole[:cut])
            connection.sendall(whole[cut:] + request)
            answer = stun.Message.parse(connection.recv(2048))
        assert answer.address(stun.XOR_MAPPED_ADDRESS) == SOURCES[4]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("port", [3478, 5349])
@pytest.mark.parametrize("listed", [[], ["203.0.113.0/24"]], ids=["nobody", "another"])
def test_a_stranger_s_header_ends_the_connection(network, serve, certificate, listed, port,
                                                 version):
    server = serve(settings(tls=certificate, proxies=listed))
    with network.client.socket(socket.SOCK_STREAM, address=CLIENT[4]) as connection:
        connection.connect((SERVER[4], port))
        connection.sendall(header(version, 4) + stun.encode(stun.BINDING))
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


def test_a_reload_lists_another_proxy(network, serve):
    server = serve(settings())
    server.reload(settings(proxies=[CLIENT[4]]))
    with TurnClient(network.client, "tcp", preface=header(1, 4)) as client:
        assert mapped(client) == SOURCES[4]


def closed(connection):
    try:
        return connection.recv(100) == b""
    except (ConnectionResetError, ssl.SSLError):
        return True
