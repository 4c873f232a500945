"""Credentials over HTTP: handed out to whoever has a key, and good for a relay."""

import json
import pathlib
import socket

import pytest

import http_client
from certificates import NAME as NAME_OF_CERTIFICATE
from network import CLIENT, LOOPBACK, SERVER, bracketed
from turn_client import TurnClient
from yuelao import SECRET, settings

CRASHER = (pathlib.Path(__file__).resolve().parents[2]
           / "fuzz" / "corpus" / "http" / "chunks_that_beast_asserts")
KEY = "marker-api-key-0123456789"
PORT = 9642
NAME = "marker-name-grace"
ASK = f"service=turn&key={KEY}"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


FAMILIES = pytest.mark.parametrize("family", [4, 6])


def service(family=4, **changes):
    section = {"listen": f"{bracketed(SERVER[family])}:{PORT}", "keys": [{"value": KEY}]} | changes
    return settings(credentials=section, relay={"addresses": [SERVER[family]]})


@pytest.fixture
def ask(network):
    """ask(path, ...) -> (status, fields, text), from the client's namespace"""
    def over(path, *more, at=SERVER[4], whence=network.client, **options):
        return http_client.ask(http_client.Connection(whence, at, PORT), path, *more, **options)

    return over


def hidden(server):
    """That neither log nor metrics hold a key or name that was sent."""
    text = server.output + server.http("/metrics")[1]
    for marker in (KEY, NAME, *CLIENT.values()):
        assert marker not in text, text


@FAMILIES
def test_a_credential_relays_over_every_way_it_names(network, serve, ask, authority, certificate,
                                                     family):
    # Beside a name, such as the certificate's, no IPv6 address is told: Janus has trouble with it.
    secure = {"tls": certificate, "listen": ["udp:3478", "tcp:3478", "tls:5349"]}
    server = serve(service(family) | (secure if family == 4 else {}))
    status, _, text = ask(f"/turn/credentials?{ASK}&username={NAME}", at=SERVER[family])
    assert status == 200
    given = json.loads(text)
    assert given["username"].endswith(f":{NAME}") and given["ttl"] == 86400
    assert len(given["uris"]) == (4 if family == 4 else 2)
    for uri in given["uris"]:
        scheme, at = uri.partition("?")[0].split(":", 1)
        host, _, port = at.rpartition(":")
        assert host == (NAME_OF_CERTIFICATE if scheme == "turns" else bracketed(SERVER[family]))
        transport = "tls" if scheme == "turns" else uri.rpartition("=")[2]
        with TurnClient(network.client, transport, family, int(port), authority.certificate,
                        given["username"], given["password"]) as client:
            assert client.allocate()[0] == SERVER[family]
            client.refresh(0)
    hidden(server)
    assert server.metric('yuelao_credential_requests_total{outcome="issued"}') == 1


def test_a_form_gives_what_rtcpeerconnection_takes(network, serve, ask):
    serve(service())
    status, fields, text = ask("/turn/ice-servers", "POST", f"key={KEY}", FORM)
    assert (status, fields["Cache-Control"]) == (200, "no-store")
    ice, = json.loads(text)["iceServers"]
    assert ice["urls"][0] == f"stun:{SERVER[4]}:3478"
    with TurnClient(network.client, user=ice["username"], password=ice["credential"]) as client:
        client.allocate()


def test_a_wrong_key_and_a_flood_get_nothing(serve, ask):
    server = serve(service(rate=3))
    assert ask("/turn/credentials?service=turn&key=wrong")[0] == 403
    assert ask("/turn/credentials?service=turn")[0] == 400
    assert ask("/")[0] == 404
    status, fields, text = ask(f"/turn/credentials?{ASK}")
    assert status == 429 and 0 < int(fields["Retry-After"]) <= 60 and "{" not in text
    for outcome, count in {"wrong_key": 1, "misunderstood": 2, "too_many": 1, "issued": 0}.items():
        assert server.metric(f'yuelao_credential_requests_total{{outcome="{outcome}"}}') == count
    hidden(server)


def test_chunks_are_refused_before_they_are_read(network, serve, ask):
    """The fuzzer's find: an assertion of Beast's reader of chunks ended the server."""
    serve(service())
    whole = CRASHER.read_bytes()[1:]  # the first octet is the fuzzer's own
    for octets in (whole, whole[whole.index(b"POST"):]):
        with network.client.socket(socket.SOCK_STREAM) as client:
            client.connect((SERVER[4], PORT))
            client.settimeout(10)
            client.sendall(octets)
            answer = b""
            while more := client.recv(4096):
                answer += more
            assert answer.startswith((b"HTTP/1.1 411 ", b"HTTP/1.1 400 ")), answer
    assert ask(f"/turn/credentials?{ASK}")[0] == 200


@FAMILIES
def test_it_may_be_for_this_machine_alone(network, serve, ask, family):
    serve(service(listen=f"{bracketed(LOOPBACK[family])}:{PORT}"))
    path = f"/turn/credentials?{ASK}"
    assert ask(path, at=LOOPBACK[family], whence=network.server)[0] == 200
    with pytest.raises(ConnectionRefusedError):
        ask(path, at=SERVER[family])


def test_only_pages_of_a_configured_origin_may_read(serve, ask):
    serve(service(origins=["https://meet.example.org"]))
    path = f"/turn/ice-servers?key={KEY}"
    _, fields, _ = ask(path, fields={"Origin": "https://meet.example.org"})
    assert fields["Access-Control-Allow-Origin"] == "https://meet.example.org"
    _, fields, _ = ask(path, fields={"Origin": "https://other.example.org"})
    assert fields["Access-Control-Allow-Origin"] is None


def test_a_reload_changes_all_but_the_address(serve, ask):
    server = serve(service())
    assert ask(f"/turn/credentials?{ASK}")[0] == 200
    server.reload(service(keys=[{"value": "another-key-0123456789"}], lifetime="10m",
                          listen=f"{SERVER[4]}:{PORT + 1}")
                  | {"external_address": f"203.0.113.77/{SERVER[4]}"})
    assert "credentials.listen" in server.wait_for_line("wait for a restart")
    assert ask(f"/turn/credentials?{ASK}")[0] == 403
    given = json.loads(ask("/turn/credentials?service=turn&key=another-key-0123456789")[2])
    assert given["ttl"] == 600
    assert given["uris"][0] == "turn:203.0.113.77:3478?transport=udp"
    server.reload(settings())
    assert ask("/turn/credentials?service=turn&key=another-key-0123456789")[0] == 403


def test_it_is_off_by_default_and_a_taken_port_is_named(network, serve, launch):
    server = serve(settings())
    assert "handing out" not in server.output
    with network.server.socket(socket.SOCK_STREAM, address=SERVER[4], port=PORT) as taken:
        taken.listen()
        second = launch(service() | {"listen": ["udp:3480"], "metrics": "off"})
        assert second.wait() == 1
        assert f"{SERVER[4]}:{PORT}" in second.output and "`credentials.listen`" in second.output
    assert SECRET not in second.output
