"""T1: a relay as a door into the network that it stands in."""

import collections
import contextlib
import ipaddress

import special_purpose
import stun
from findings import Attack, Finding
from network import SERVER
from stage import OUTSIDE
from turn_client import Refused
from wire import TCP, Wire

MARK = b"through the relay to "
PORT = 7777
SYN, ACK = 2, 16


def family_of(relay):
    return (stun.REQUESTED_ADDRESS_FAMILY, bytes([1 if relay == 4 else 2, 0, 0, 0]))


def marked(address):
    return MARK + str(address).encode()


class Doors:
    """All ways of a UDP relay to a peer, tried one after the other."""

    def __init__(self, stage, subject):
        self._stage, self._subject = stage, subject
        self.answers = collections.Counter()

    def try_all(self, address, family, port=PORT):
        # An allocation for each: what one address does to a relay would hide the next one.
        with self._stage.allocated(self._subject, family_of(family)) as client:
            self._ask("CreatePermission", lambda: client.permit(address))
            client.send_to((address, port), marked(address))
            self._ask("ChannelBind", lambda: client.bind(0x4000, (address, port)))
            client.send_on(0x4000, marked(address))
            client.refresh(0)

    def _ask(self, door, ask):
        try:
            ask()
            self.answers[door, "success"] += 1
        except Refused as refusal:
            self.answers[door, refusal.code] += 1


def left(packets):
    """The destinations of relayed datagrams."""
    return {each.destination for each in packets if each.payload.startswith(MARK)}


def special_addresses(stage, subject):
    addresses = special_purpose.forbidden()
    with Wire(stage.network.server) as wire:
        tried = Doors(stage, subject)
        for address, family in addresses:
            tried.try_all(address, family)
        gone = left(wire.datagrams())
    refused = tried.answers.total() - sum(
        count for (_, answer), count in tried.answers.items() if answer == "success")
    return [Finding(
        "special addresses, both ends of each block in every spelling, through CreatePermission, "
        "ChannelBind, Send and ChannelData",
        f"{len(addresses)} tried: {refused} of {tried.answers.total()} requests refused, datagrams "
        f"to {len(gone)} left" + _examples(gone),
        refused == tried.answers.total() and not gone)]


def _examples(gone):
    return f" ({', '.join(sorted(address for address, _ in gone)[:3])}, ...)" if gone else ""


def mixed(stage, subject):
    with Wire(stage.network.server) as wire, stage.allocated(subject) as client:
        try:
            client.permit(OUTSIDE[4], "127.0.0.1")
            answer = "success"
        except Refused as refusal:
            answer = refusal.code
        for peer in (OUTSIDE[4], "127.0.0.1"):
            client.send_to((peer, PORT), marked(peer))
        gone = left(wire.datagrams())
    return [Finding("a legal peer and a loopback address in one request",
                    f"{answer}, {len(gone)} datagrams left", answer == 403 and not gone)]


def own_services(stage, subject):
    """What listens on the server's own addresses, its own listeners first of all."""
    ports = (22, 53, 80, 443, 3478, 5349, 9641)
    with Wire(stage.network.server) as wire:
        tried = Doors(stage, subject)
        for family in (4, 6):
            for port in ports:
                tried.try_all(SERVER[family], family, port)
        gone = left(wire.datagrams())
    return [Finding("ports of the server's own addresses that are no relays",
                    f"{2 * len(ports)} tried: datagrams to {len(gone)} left", not gone)]


def connect(stage, subject):
    """RFC 6062: SYN packets that leave."""
    addresses = [address for address, family in special_purpose.forbidden() if family == 4]
    with Wire(stage.network.server) as wire, stage.client(subject, "tcp") as client:
        client.request(stun.ALLOCATE, [stun.TCP_TRANSPORT])
        key = stun.long_term_key(client.user, client.realm, client.password)
        for address in addresses:
            transaction = stun.new_transaction()
            client.send(stun.encode(stun.CONNECT, [
                stun.xor_address(stun.XOR_PEER_ADDRESS, address, PORT, transaction),
                (stun.USERNAME, client.user.encode()), (stun.REALM, client.realm.encode()),
                (stun.NONCE, client.nonce)], transaction, key))
        answers = []
        with contextlib.suppress(TimeoutError, EOFError):
            while len(answers) < len(addresses):
                answers.append(stun.Message.parse(client.receive(2)).error)
        gone = {each.destination for each in wire.settle()
                if each.protocol == TCP and each.flags & (SYN | ACK) == SYN}
    refused = sum(answer in (403, 443) for answer in answers)
    return [Finding("the same through Connect (RFC 6062)",
                    f"{len(addresses)} tried: {refused} refused, SYN to {len(gone)} left"
                    + _examples(gone), refused == len(addresses) and not gone)]


def public_addresses(stage, subject):
    """Without which a server that relays nothing at all would pass."""
    groups = {4: special_purpose.beside(special_purpose.IPV4),
              6: special_purpose.beside([*special_purpose.IPV6, "::/96", "::ffff:0:0:0/96"])}
    groups[6] = [each for each in groups[6] if ipaddress.ip_address(each) in
                 ipaddress.ip_network("2000::/3")]
    with Wire(stage.network.server) as wire:
        tried = Doors(stage, subject)
        for family, addresses in groups.items():
            for address in addresses:
                tried.try_all(address, family)
        gone = {address for address, _ in left(wire.datagrams())}
    wanted = {each for addresses in groups.values() for each in addresses}
    return [Finding("public addresses right beside those blocks are reached",
                    f"{len(gone & wanted)} of {len(wanted)}", gone == wanted)]


def run(stage, kind):
    findings = []
    with stage.serving(kind, {"tcp_relays": {"enabled": "on"}}) as subject:
        for part in (special_addresses, mixed, own_services, connect, public_addresses):
            findings += part(stage, subject)
    return findings



ATTACK = Attack(
    "T1", "Relay to forbidden peers",
    "one table of closed blocks over one canonical address type; own ports only where a relay lives",
    ("tests/turn/peer_policy_test.cpp", "fuzz/engine_fuzzer.cpp", "tests/interop/front_door_test.py"),
    run)
