"""What meeting systems put on the wire, whichever they are."""

import base64
import contextlib
import hashlib
import hmac
import socket
import ssl
import struct
import time

import pytest

import stun
from network import CLIENT, PEER, SERVER
from turn_client import Refused, TurnClient
from yuelao import SECRET, settings

TRANSPORTS = ["udp", "tcp", "tls"]
# RFC 3489 section 11.2
MAPPED_ADDRESS, CHANGE_REQUEST, SOURCE_ADDRESS, CHANGED_ADDRESS = 1, 3, 4, 5


def credential(user, secret=SECRET):
    digest = hmac.new(secret.encode(), user.encode(), hashlib.sha1).digest()
    return {"user": user, "password": base64.b64encode(digest).decode()}


def connect(network, authority=None, transport="udp", port=3478, **options):
    trusted = authority and authority.certificate
    return TurnClient(network.client, transport, port=port, authority=trusted, **options)


def in_milliseconds(name="w_abcdefghijkl"):
    return f"{int(time.time() + 86400) * 1000}:{name}"


def test_everybody_who_asks_jitsi_in_one_second_is_served(network, yuelao, authority):
    shared = credential(str(int(time.time()) + 86400))
    with contextlib.ExitStack() as clients:
        relays = {clients.enter_context(connect(network, authority, transport, **shared)).allocate()
                  for transport in TRANSPORTS for _ in range(10)}
    assert len(relays) == 30


@pytest.mark.parametrize("name", ["w_abc-def+ghi/jkl", "a:b::c", ":", "userId:meeting:2"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_only_the_first_colon_of_a_user_name_counts(network, yuelao, authority, transport, name):
    user = f"{int(time.time()) + 86400}:{name}"
    with connect(network, authority, transport, **credential(user)) as client:
        assert client.allocate()[0] == SERVER[4]


def test_an_expiry_in_milliseconds_is_refused(network, yuelao, authority):
    with connect(network, authority, **credential(in_milliseconds())) as client:
        with pytest.raises(Refused) as refusal:
            client.allocate()
    assert refusal.value.code == 401


def test_an_expiry_in_milliseconds_is_taken_where_the_operator_says_so(network, serve):
    serve(settings(lifetimes={"longest_credential": "off"}))
    for name in (in_milliseconds(), f"{2 ** 63 - 1}:x"):
        with connect(network, **credential(name)) as client:
            assert client.allocate()[0] == SERVER[4]
    for name in (f"{2 ** 63}:x", f"{int(time.time()) - 60}:x"):
        with connect(network, **credential(name)) as client:
            with pytest.raises(Refused) as refusal:
                client.allocate()
        assert refusal.value.code == 401


def test_static_users_and_several_secrets_serve_at_once(network, serve, authority):
    other = "another-secret-of-a-system"
    serve(settings(secrets=[{"value": SECRET}, {"value": other}]))
    user = f"{int(time.time()) + 86400}:someone"
    for who in ({}, credential(user), credential(user, other)):
        with connect(network, authority, **who) as client:
            assert client.allocate()[0] == SERVER[4]


def classic(*attributes):
    """A Binding request of RFC 3489: sixteen bytes of transaction and no cookie."""
    body = b"".join(struct.pack(">HH", name, len(value)) + value for name, value in attributes)
    return struct.pack(">HH", stun.BINDING, len(body)) + bytes(range(16)) + body


def in_the_clear(address, port):
    return struct.pack(">BBH", 0, 1, port) + socket.inet_aton(address)


def attributes_of(answer):
    assert answer[4:20] == bytes(range(16))
    found, at = {}, 20
    while at < len(answer):
        name, size = struct.unpack_from(">HH", answer, at)
        found[name] = answer[at + 4:at + 4 + size]
        at += 4 + (size + 3) // 4 * 4
    return found


@pytest.mark.parametrize("transport, port", [("udp", 3478), ("tcp", 3478), ("tls", 3478),
                                             ("tls", 5349)])
def test_rfc_3489_binding_is_answered_on_every_turn_port(network, yuelao, authority, transport,
                                                         port):
    with connect(network, authority, transport, port) as client:
        client.send(classic())
        answer = client.receive()
        own_port = client.socket.getsockname()[1]
    assert answer[:2] == b"\x01\x01"
    found = attributes_of(answer)
    assert found[MAPPED_ADDRESS] == in_the_clear(CLIENT[4], own_port)
    assert found[SOURCE_ADDRESS] == in_the_clear(SERVER[4], port)
    # There is one address, so it is the other one too.
    assert found[CHANGED_ADDRESS] == found[SOURCE_ADDRESS]


@pytest.mark.parametrize("port", [3478, 5349])
@pytest.mark.parametrize("offered, selected", [
    (["stun.turn"], "stun.turn"), (["http/1.1", "stun.turn"], "stun.turn"), (["http/1.1"], None),
    ([], None),
])
def test_stun_turn_is_selected_when_offered(network, yuelao, authority, port, offered, selected):
    context = ssl.create_default_context(cafile=authority.certificate)
    if offered:
        context.set_alpn_protocols(offered)
    with network.client.socket(socket.SOCK_STREAM) as plain:
        plain.connect((SERVER[4], port))
        with context.wrap_socket(plain, server_hostname=SERVER[4]) as secure:
            assert secure.selected_alpn_protocol() == selected


LOOPBACK = "127.0.0.1"


@pytest.mark.parametrize("allowed, reached, closed", [
    (f"{PEER[4]}-10.77.0.9", [PEER[4], "10.77.0.9"], [CLIENT[4], "10.77.0.10", LOOPBACK]),
    (LOOPBACK, [LOOPBACK], ["127.0.0.2", PEER[4]]),
], ids=["a range", "the server's own loopback, as in Nextcloud AIO"])
def test_what_the_operator_allows_is_open_and_no_more(network, serve, allowed, reached, closed):
    serve(settings(peers={"allow": [allowed]}))
    with connect(network) as client:
        client.allocate()
        for peer in reached:
            client.permit(peer)
        for peer in closed:
            with pytest.raises(Refused) as refusal:
                client.permit(peer)
            assert refusal.value.code == 403, peer


def test_a_media_server_on_the_loopback_answers(network, serve):
    serve(settings(peers={"allow": [LOOPBACK]}))
    with connect(network) as client, \
            network.server.socket(socket.SOCK_DGRAM, 4, LOOPBACK) as media:
        relay = client.allocate()
        client.permit(LOOPBACK)
        client.send_to(media.getsockname(), b"ping")
        assert media.recvfrom(100) == (b"ping", relay)
        media.sendto(b"pong", relay)
        assert client.next_data() == (media.getsockname(), b"pong")


def test_a_change_request_gets_an_error(network, yuelao, authority):
    with connect(network, authority) as client:
        client.send(classic((CHANGE_REQUEST, struct.pack(">I", 6))))
        answer = client.receive()
    assert answer[:2] == b"\x01\x11" and stun.ERROR_CODE in attributes_of(answer)
