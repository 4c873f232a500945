"""T6: what a signature covers, and what it does not."""

import contextlib
import struct

import stun
from findings import Attack, Finding
from network import PEER
from stage import OUTSIDE
from turn_client import Refused
from wire import Wire
from yuelao import SECRET

PORT = 7777
BID_DOWN = "bid-down: the nonce's features taken out, the list of algorithms cut short"


def credentials(client):
    return [(stun.USERNAME, client.user.encode()), (stun.REALM, client.realm.encode()),
            (stun.NONCE, client.nonce)]


def key_of(client):
    return stun.long_term_key(client.user, client.realm, client.password)


def with_appended(message, name, value):
    """The message with one more attribute behind everything, and a length that counts it."""
    message += struct.pack(">HH", name, len(value)) + value
    return message[:2] + struct.pack(">H", len(message) - 20) + message[4:]


def ask(client, message):
    """The error code, "success" or "silence"."""
    client.send(message)
    with contextlib.suppress(TimeoutError):
        while True:
            answer = client.receive(1)
            if answer[8:20] == message[8:20]:
                return stun.Message.parse(answer).error or "success"
    return "silence"


def behind_the_integrity(stage, subject):
    """A Refresh with LIFETIME 0, and a CreatePermission with a second peer, behind the signature."""
    with stage.allocated(subject) as client, Wire(stage.network.server) as wire:
        ended = ask(client, with_appended(
            stun.encode(stun.REFRESH, credentials(client), key=key_of(client)),
            stun.LIFETIME, bytes(4)))
        lives = ask(client, stun.encode(stun.REFRESH, credentials(client), key=key_of(client)))
        transaction = stun.new_transaction()
        message = stun.encode(stun.CREATE_PERMISSION, [
            stun.xor_address(stun.XOR_PEER_ADDRESS, OUTSIDE[4], 0, transaction),
            *credentials(client)], transaction, key_of(client))
        added = ask(client, with_appended(message, *stun.xor_address(
            stun.XOR_PEER_ADDRESS, "51.77.0.9", 0, transaction)))
        for peer in (OUTSIDE[4], "51.77.0.9"):
            client.send_to((peer, PORT), b"whom may I reach")
        gone = {each.destination[0] for each in wire.datagrams()
                if each.payload == b"whom may I reach"}
    return [Finding("LIFETIME 0 behind the integrity ends an allocation",
                    f"{'no' if lives == 'success' else 'yes'} (answer: {ended}, then {lives})",
                    lives == "success"),
            Finding("a peer behind the integrity is permitted",
                    f"{'yes' if '51.77.0.9' in gone else 'no'} (answer: {added})",
                    "51.77.0.9" not in gone)]


def changed_octets(stage, subject):
    """Each octet of a signed Refresh changed in turn, but for those of its length and its type."""
    with stage.allocated(subject) as client:
        message = stun.encode(stun.REFRESH, [(stun.LIFETIME, struct.pack(">I", 700)),
                                             *credentials(client)], key=key_of(client))
        changed = [message[:at] + bytes([message[at] ^ 1]) + message[at + 1:]
                   for at in range(4, len(message))]
        for each in changed:
            client.send(each)
        accepted = 0
        with contextlib.suppress(TimeoutError):
            while True:
                answer = client.receive(0.5)
                accepted += answer[4:8] == b"\x21\x12\xa4\x42" and stun.Message.parse(
                    answer).error is None
        intact = ask(client, message)
    return [Finding("a signed request with one octet changed",
                    f"{len(changed)} tried, {accepted} accepted (intact: {intact})",
                    accepted == 0 and intact == "success")]


def another_user(stage, subject):
    with stage.allocated(subject) as client:
        client.user, client.password = stun.rest_credentials(SECRET, "somebody-else")
        try:
            client.refresh(600)
            answer = "success"
        except Refused as refusal:
            answer = refusal.code
    return [Finding("another user's request on an allocation", str(answer), answer == 441)]


def from_elsewhere(stage, subject):
    """What was heard on the way, sent again by whoever heard it: from another port, and from
    another address."""
    with stage.allocated(subject) as client:
        message = stun.encode(stun.ALLOCATE, [stun.UDP_TRANSPORT, *credentials(client)],
                              key=key_of(client))
    answers = []
    for local in (None, PEER[4]):
        with stage.client(subject, local=local) as other:
            answers.append(ask(other, message))
    return [Finding("an Allocate that was listened to, sent again from another port and another "
                    "address", f"{answers[0]}, {answers[1]}", "success" not in answers)]


def bid_down(stage, subject):
    """A nonce that no longer says that SHA-256 is offered, and a request whose list of algorithms
    is not the one that was offered."""
    with stage.client(subject) as client:
        challenge = client.ask(stun.ALLOCATE, [stun.UDP_TRANSPORT])
        client._learn(challenge)
        if not client.nonce.startswith(b"obMatJos2"):
            return [Finding(BID_DOWN, "SHA-256 is not offered: nothing to bid down", True)]
        nonce = client.nonce
        client.nonce = nonce[:9] + b"AAAA" + nonce[13:]
        stripped = client.ask_signed(stun.ALLOCATE, [stun.UDP_TRANSPORT]).error
        client.nonce = nonce
        md5 = struct.pack(">HH", 1, 0)
        shortened = client.ask_signed(stun.ALLOCATE, [
            stun.UDP_TRANSPORT, (stun.PASSWORD_ALGORITHMS, md5),
            (stun.PASSWORD_ALGORITHM, md5)]).error
    return [Finding(BID_DOWN, f"{stripped}, {shortened}", (stripped, shortened) == (438, 400))]


def run(stage, kind):
    findings = []
    with stage.serving(kind) as subject:
        for part in (behind_the_integrity, changed_octets, another_user, from_elsewhere, bid_down):
            findings += part(stage, subject)
    return findings


ATTACK = Attack(
    "T6", "The boundary of integrity",
    "a message ends at its integrity; key, user, nonce and five-tuple have to belong together",
    ("tests/turn/authentication_test.cpp", "tests/interop/authentication_test.py"), run)
