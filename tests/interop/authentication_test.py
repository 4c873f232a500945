"""RFC 8489's authentication as a client sees it that was written from the RFC alone: password
algorithms, anonymous users, nonces that say what is offered, and the way to another server."""

import base64
import contextlib
import hashlib
import struct

import pytest

import stun
from turn_client import Refused, TurnClient
from yuelao import SECRET, settings

MD5, SHA256 = 1, 2
OFFERED = struct.pack(">HHHH", SHA256, 0, MD5, 0)
DIGEST = {MD5: hashlib.md5, SHA256: hashlib.sha256}

WAYS = pytest.mark.parametrize("transport, family", [("udp", 4), ("udp", 6), ("tcp", 4), ("tcp", 6)])


def features(nonce):
    """The 24 bits that the nonce announces (§9.2), None for RFC 5389's nonces."""
    if not nonce.startswith(b"obMatJos2"):
        return None
    return int.from_bytes(base64.b64decode(nonce[9:13]), "big")


class ModernClient(TurnClient):
    """Does what §9.2.5 says, or what a test makes of it."""

    algorithm = SHA256
    offered = OFFERED
    anonymous = False

    def _learn(self, challenge):
        super()._learn(challenge)
        assert challenge.attributes[stun.PASSWORD_ALGORITHMS] == OFFERED
        assert features(self.nonce) & 0x800000
        self.anonymous = self.anonymous or bool(features(self.nonce) & 0x400000)

    @property
    def key(self):
        return DIGEST[self.algorithm](f"{self.user}:{self.realm}:{self.password}".encode()).digest()

    def ask_signed(self, method, attributes=(), transaction=None):
        if self.anonymous:
            hashed = hashlib.sha256(f"{self.user}:{self.realm}".encode()).digest()
            who = (stun.USERHASH, hashed)
        else:
            who = (stun.USERNAME, self.user.encode())
        answer = self.ask(method, [
            *attributes, who, (stun.REALM, self.realm.encode()), (stun.NONCE, self.nonce),
            (stun.PASSWORD_ALGORITHMS, self.offered),
            (stun.PASSWORD_ALGORITHM, struct.pack(">HH", self.algorithm, 0))], transaction, self.key,
            sha256=True)
        if answer.error not in (400, 401, 438):
            assert answer.signed_with(self.key, sha256=True)
            assert stun.MESSAGE_INTEGRITY not in answer.attributes
        return answer


@pytest.fixture
def client(network):
    """client(transport, ...) -> ModernClient, or a client of another class."""
    with contextlib.ExitStack() as stack:
        def connect(transport="udp", kind=ModernClient, **options):
            return stack.enter_context(kind(network.client, transport, **options))
        yield connect


def a_whole_call(one):
    """Allocates, permits, binds, refreshes and ends."""
    relay = one.allocate()
    one.permit(relay[0])
    one.bind(0x4000, relay)
    one.send_on(0x4000, b"to myself")
    assert one.next_data() == (0x4000, b"to myself")
    assert one.refresh(600).lifetime == 600
    assert one.refresh(0).lifetime == 0


@WAYS
@pytest.mark.parametrize("algorithm", [MD5, SHA256], ids=["md5", "sha256"])
def test_a_call_with_a_password_algorithm(serve, client, transport, family, algorithm):
    serve()
    one = client(transport, family=family)
    one.algorithm = algorithm
    a_whole_call(one)


@WAYS
def test_where_all_users_are_static_they_are_anonymous(serve, client, transport, family):
    configuration = settings()
    del configuration["secrets"]
    server = serve(configuration)
    one = client(transport, family=family)
    a_whole_call(one)
    assert one.anonymous
    # A client of RFC 5389 is none the wiser.
    a_whole_call(client(transport, kind=TurnClient, family=family))
    server.check_privacy(server.output)


def test_a_rest_user_is_anonymous_only_where_the_server_knows_him(serve, client):
    serve()
    user, password = stun.rest_credentials(SECRET, "someone")
    one = client(user=user, password=password)
    one.allocate()
    assert not one.anonymous  # it was not offered
    one.anonymous = True
    assert one.refresh(600).lifetime == 600
    one.refresh(0)
    with pytest.raises(Refused) as refusal:
        one.allocate()
    assert refusal.value.code == 401


@pytest.mark.parametrize("offered", [b"", struct.pack(">HH", MD5, 0), OFFERED[4:] + OFFERED[:4]],
                         ids=["nothing", "weaker alone", "weaker first"])
def test_a_list_that_was_changed_on_its_way_is_a_bad_request(serve, client, offered):
    serve()
    one = client()
    one.algorithm, one.offered = MD5, offered
    with pytest.raises(Refused) as refusal:
        one.allocate()
    assert refusal.value.code == 400


def test_a_nonce_whose_features_were_taken_out_is_stale(serve, client):
    serve()
    one = client(kind=TurnClient)
    one.allocate()
    one.nonce = b"obMatJos2AAAA" + one.nonce[13:]
    assert one.ask_signed(stun.REFRESH).error == 438
    assert one.refresh(600).lifetime == 600


@WAYS
def test_unknown_attributes_are_named(serve, client, transport, family):
    serve()
    one = client(transport, family=family)
    for unknown in ([0x7F01], [0x7F01, 0x7F02, 0x7F01], list(range(0x7F00, 0x7F20))):
        attributes = [(name, b"") for name in unknown] + [(0xFF01, b"may be ignored")]
        named = list(dict.fromkeys(unknown))[:16]
        for answer in (one.ask(stun.BINDING, attributes),
                       one.nonce and one.ask_signed(stun.REFRESH, attributes)):
            if answer:
                assert answer.error == 420
                value = answer.attributes[stun.UNKNOWN_ATTRIBUTES]
                assert list(struct.unpack(f">{len(named)}H", value)) == named
        if not one.nonce:
            one.allocate()


def test_an_indication_with_an_unknown_attribute_is_dropped(serve, client):
    server = serve()
    one = client()
    relay = one.allocate()
    one.permit(relay[0])
    transaction = stun.new_transaction()
    one.send(stun.encode(stun.SEND | stun.INDICATION, [
        stun.xor_address(stun.XOR_PEER_ADDRESS, *relay, transaction),
        (0x7F01, b""), (stun.DATA_VALUE, b"never")], transaction))
    one.send_to(relay, b"arrives")
    assert one.next_data() == (relay, b"arrives")
    assert server.metric('yuelao_drops_total{reason="unknown_attribute"}') == 1


@WAYS
def test_a_drain_sends_new_clients_elsewhere_and_keeps_calls(serve, client, transport, family):
    elsewhere = {4: ("203.0.113.6", 3478), 6: ("2001:db8::6", 443)}
    server = serve(settings(drain_timeout="1h", alternate_server={
        "addresses": ["203.0.113.6", "[2001:db8::6]:443"], "domain": "b.example.org"}))
    old, late, classic = (client(transport, kind, family=family)
                          for kind in (ModernClient, ModernClient, TurnClient))
    old.allocate()
    for one in (late, classic):
        one.ask(stun.BINDING)
    server.drain()
    # Each shard answers in the order it was asked: it drains by now.
    server.metric("yuelao_allocations")
    assert late.ask(stun.ALLOCATE, [stun.UDP_TRANSPORT]).error == 401  # told to users alone
    for one in (late, classic):
        with pytest.raises(Refused) as refusal:
            one.allocate()
        assert refusal.value.code == 300
    answer = late.ask_signed(stun.ALLOCATE, [stun.UDP_TRANSPORT])
    assert answer.plain_address(stun.ALTERNATE_SERVER) == elsewhere[family]
    assert answer.attributes[stun.ALTERNATE_DOMAIN] == b"b.example.org"
    assert old.refresh(600).lifetime == 600
    old.refresh(0)
    assert server.wait() == 0, server.output


def test_a_challenge_is_at_most_three_times_its_request(network, serve, client):
    serve()
    one = client(kind=TurnClient)
    request = stun.encode(stun.ALLOCATE, [stun.UDP_TRANSPORT])
    one.send(request)
    assert len(one.receive()) <= 3 * len(request)
