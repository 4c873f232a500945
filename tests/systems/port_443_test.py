"""One port 443 for TURN and for a web server: yuelao in front of nginx, and behind it."""

import hashlib
import json
import os
import pathlib
import re
import socket
import ssl
import threading

import pytest

import stun
from integrate_test import Machine
from network import CLIENT, SERVER
from turn_client import TurnClient, exchange, pair_up
from yuelao import settings

SHARED = "turn.test"  # in the certificate
FOREIGN = "meet.test"  # not in it
HERE = pathlib.Path(__file__).parent
WEB = {"tls": "127.0.0.1:4443", "plain": "127.0.0.1:8080"}


def start_web_server(start, directory, certificate, *options):
    start(["/usr/bin/python3", HERE / "web_server.py", "--directory", directory,
           "--certificate", certificate["certificate"], "--key", certificate["key"], *options],
          "start worker process")


def sharing(certificate, **web):
    return settings(tls=certificate, web_server=WEB | web) | {
        "listen": ["udp:3478", "tcp:3478", "tls:443"]}


@pytest.fixture(params=["off", "v2"])
def shared(request, serve, start, certificate, tmp_path):
    """yuelao on 443 with nginx behind it; what nginx then knows of the client."""
    announced = ["--proxy-protocol"] if request.param == "v2" else []
    start_web_server(start, tmp_path, certificate, *announced)
    server = serve(sharing(certificate, proxy_protocol=request.param))
    server.client_as_seen = CLIENT[4] if request.param == "v2" else "127.0.0.1"
    return server


def curl(network, authority, *options, name=SHARED, path="/"):
    trust = ["--cacert", authority.certificate] if name == SHARED else ["--insecure"]
    return network.client.run("curl", "-sS", *trust, "--max-time", 20, "--interface", CLIENT[4],
                              "--resolve", f"{name}:443:{SERVER[4]}", *options,
                              f"https://{name}{path}")


def tls(network, authority, name=SHARED, protocols=(), tls_1_2=False):
    context = ssl.create_default_context(cafile=authority.certificate)
    context.check_hostname = name == SHARED
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if tls_1_2:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    plain = network.client.socket(socket.SOCK_STREAM, address=CLIENT[4])
    plain.connect((SERVER[4], 443))
    return context.wrap_socket(plain, server_hostname=name)


WAYS_OF_CURL = [pytest.param(options, version, id=what) for what, options, version in [
    ("HTTP/2", ["--http2"], "2"), ("HTTP/1.1", ["--http1.1"], "1.1"),
    ("without ALPN", ["--no-alpn", "--http1.1"], "1.1"),
    ("TLS 1.2", ["--tls-max", "1.2"], "2"),
    ("TLS 1.2 without ALPN", ["--tls-max", "1.2", "--no-alpn", "--http1.1"], "1.1")]]


@pytest.mark.parametrize("name", [SHARED, FOREIGN])
@pytest.mark.parametrize("options,version", WAYS_OF_CURL)
def test_curl_reaches_the_web_server(network, shared, authority, options, version, name):
    done = curl(network, authority, "-w", " %{http_version}", *options, name=name)
    assert done.stdout == f"hello {shared.client_as_seen} {version}", done.stdout


@pytest.mark.parametrize("alpn", [[], ["-alpn", "http/1.1"]], ids=["no ALPN", "ALPN"])
@pytest.mark.parametrize("name", [[], ["-servername", SHARED]], ids=["no name", "name"])
def test_openssl_reaches_the_web_server(network, shared, alpn, name):
    done = network.client.run(
        "openssl", "s_client", "-quiet", "-connect", f"{SERVER[4]}:443", *alpn,
        *(name or ["-noservername"]),
        input="GET / HTTP/1.1\r\nHost: turn.test\r\nConnection: close\r\n\r\n")
    assert f"hello {shared.client_as_seen}" in done.stdout, done.stdout


@pytest.mark.parametrize("protocols", [(), ("http/1.1",)], ids=["no ALPN", "ALPN"])
def test_a_web_socket_echoes(network, shared, authority, protocols):
    with tls(network, authority, protocols=protocols) as connection:
        connection.sendall(b"GET /socket HTTP/1.1\r\nHost: turn.test\r\nUpgrade: websocket\r\n"
                           b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        stream = connection.makefile("rb")
        while (line := stream.readline()) != b"\r\n":
            assert line, "no upgrade"
        for text in (b"one", b"two"):
            connection.sendall(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)
            assert stream.read(2 + len(text)) == bytes([0x81, len(text)]) + text


@pytest.mark.parametrize("options", [["--http2"], ["--no-alpn", "--http1.1"]],
                         ids=["passed", "decrypted"])
def test_no_octet_is_lost(network, shared, authority, tmp_path, options):
    sent = tmp_path / "sent"
    sent.write_bytes(os.urandom(5_000_000))
    done = curl(network, authority, *options, "-H", "Expect:", "--data-binary", f"@{sent}")
    assert done.stdout == hashlib.sha256(sent.read_bytes()).hexdigest(), done.stdout


@pytest.mark.parametrize("protocols", [(), ("stun.turn",), ("http/1.1", "stun.turn")], ids=str)
@pytest.mark.parametrize("tls_1_2", [False, True], ids=["TLS 1.3", "TLS 1.2"])
def test_turn_is_answered_on_the_same_port(network, shared, authority, protocols, tls_1_2):
    with tls(network, authority, protocols=protocols, tls_1_2=tls_1_2) as connection:
        assert connection.selected_alpn_protocol() == ("stun.turn" if protocols else None)
        connection.sendall(stun.encode(stun.BINDING))
        answer = stun.Message.parse(connection.recv(2048))
    assert answer.address(stun.XOR_MAPPED_ADDRESS)[0] == CLIENT[4]


def test_calls_and_pages_share_the_port(network, shared, authority):
    through = {"port": 443, "authority": authority.certificate}
    with TurnClient(network.client, "tls", **through) as one, \
            TurnClient(network.client, "tls", **through) as other:
        relays = pair_up(one, other)
        exchange(one, other, relays)
        assert curl(network, authority).stdout.startswith("hello")
        exchange(one, other, relays)
    assert shared.metric('yuelao_web_connections_total{way="tls"}') == 1


def test_a_name_of_turn_s_alone_never_goes_to_the_web_server(network, serve, start, certificate,
                                                             authority, tmp_path):
    start_web_server(start, tmp_path, certificate)
    server = serve(sharing(certificate, turn_names=[SHARED.upper()]))
    with tls(network, authority, protocols=["http/1.1"]) as connection:
        connection.sendall(stun.encode(stun.BINDING))
        assert stun.Message.parse(connection.recv(2048)).address(stun.XOR_MAPPED_ADDRESS)
    assert server.metric("yuelao_web_connections_total") == 0


def test_a_web_server_that_is_down_is_counted_and_told_once(network, serve, certificate, authority):
    server = serve(sharing(certificate))
    for _ in range(5):
        assert curl(network, authority).returncode != 0
    assert server.metric("yuelao_web_unreachable_total") == 5
    server.wait_for_line("web server that shares our port does not answer")
    assert server.output.count("does not answer") <= 2  # one a shard
    with TurnClient(network.client, "tls", port=443, authority=authority.certificate) as client:
        client.allocate()


def test_each_side_may_close_first(network, serve, certificate, authority):
    """Half-closing, as it came, of a connection that is passed on."""
    serve(sharing(certificate))
    listener = network.server.socket(socket.SOCK_STREAM, address="127.0.0.1", port=4443)
    listener.listen(1)
    hello = client_hello(FOREIGN)
    received = []

    def web_server():
        taken, _ = listener.accept()
        with taken:
            taken.settimeout(20)
            while piece := taken.recv(65536):
                received.append(piece)
            taken.sendall(b"after your end" * 100_000)

    thread = threading.Thread(target=web_server)
    thread.start()
    with listener, network.client.socket(socket.SOCK_STREAM, address=CLIENT[4]) as connection:
        connection.connect((SERVER[4], 443))
        for at in range(0, len(hello), 100):  # the hello in pieces
            connection.sendall(hello[at:at + 100])
        connection.sendall(bytes(range(256)) * 1000)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    thread.join(20)
    assert b"".join(received) == hello + bytes(range(256)) * 1000
    assert answer == b"after your end" * 100_000


def client_hello(name):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
    return outgoing.read()


def test_half_a_client_hello_is_closed_in_time(network, serve, certificate):
    serve(sharing(certificate))
    with network.client.socket(socket.SOCK_STREAM, address=CLIENT[4]) as connection:
        connection.connect((SERVER[4], 443))
        connection.sendall(client_hello(SHARED)[:50])
        connection.settimeout(20)
        assert connection.recv(100) == b""


@pytest.mark.parametrize("announced", [False, True], ids=["plain", "PROXY"])
def test_nginx_in_front_splits_by_name(network, serve, start, certificate, authority, tmp_path,
                                       announced):
    start_web_server(start, tmp_path, certificate, "--split", SERVER[4],
                     *(["--proxy-protocol"] if announced else []))
    serve(settings(tls=certificate, proxies=["127.0.0.1"]))
    with tls(network, authority) as connection:
        connection.sendall(stun.encode(stun.BINDING))
        answer = stun.Message.parse(connection.recv(2048))
    seen = answer.address(stun.XOR_MAPPED_ADDRESS)[0]
    assert seen == (CLIENT[4] if announced else "127.0.0.1")
    client_as_seen = CLIENT[4] if announced else "127.0.0.1"
    done = curl(network, authority, name=FOREIGN)
    assert done.stdout == f"hello {client_as_seen}", done.stdout


def test_jitsi_s_nginx_shares_it_as_it_is_told(network, serve, start, certificate, authority,
                                               tmp_path):
    machine = Machine(tmp_path)
    sides = machine.sides("jitsi", "--share-443", "127.0.0.1:4443", "--credentials", "--certificate",
                          certificate["certificate"], "--key", certificate["key"], host=SERVER[4])
    printed = [snippet["text"] for snippet in sides["snippets"]]
    site = tmp_path / "site"
    site.write_text("".join(text for text in printed if text.startswith(("listen", "location"))))
    start_web_server(start, tmp_path, certificate, "--site", site)
    server = serve(sides["yuelao"]["text"], environment={"STATE_DIRECTORY": str(machine.state)})
    for options in (["--http2"], ["--no-alpn", "--http1.1"]):
        assert curl(network, authority, *options).stdout.startswith(f"hello {CLIENT[4]}")
    assert server.metric("yuelao_web_connections_total") == 2
    path = re.search(r'preCallTestICEUrl: "(\S+)"', "".join(printed)).group(1)
    ice, = json.loads(curl(network, authority, path=path).stdout)["iceServers"]
    assert f"turns:{SHARED}:443?transport=tcp" in ice["urls"]
    with TurnClient(network.client, "tls", port=443, authority=authority.certificate,
                    user=ice["username"], password=ice["credential"]) as client:
        assert client.allocate()[0] == SERVER[4]
