"""T8: whoever takes what there is a limited number of."""

import collections
import contextlib
import random
import select
import socket
import time

import stun
from findings import Attack, Finding
from network import PEER, SERVER
from stage import OUTSIDE
from turn_client import Refused

ONE_OCTET, HALF_A_HELLO, NOTHING = "octet by octet", "half a ClientHello", "idle"


def half_a_hello():
    """The beginning of a TLS record that announces 500 octets."""
    return b"\x16\x03\x01\x01\xf4\x01\0\x01\xf0\x03\x03" + bytes(200)


class Crowd:
    """Connections that want nothing."""

    def __init__(self, stage, stack, count, port, greeting=b""):
        self.sockets = []
        for _ in range(count):
            made = stack.enter_context(stage.network.client.socket(socket.SOCK_STREAM))
            made.settimeout(5)
            with contextlib.suppress(OSError):
                made.connect((SERVER[4], port))
                self.sockets.append(made)
                made.sendall(greeting)

    def say(self, octets):
        for each in self.sockets:
            with contextlib.suppress(OSError):
                each.send(octets)

    def closed(self):
        """How many the server has ended."""
        poll = select.poll()
        for each in self.sockets:
            poll.register(each, select.POLLIN | select.POLLHUP | select.POLLERR)
        ended = 0
        by_number = {each.fileno(): each for each in self.sockets}
        for number, _ in poll.poll(0):
            with contextlib.suppress(BlockingIOError):
                try:
                    ended += not by_number[number].recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
                except ConnectionError:
                    ended += 1
        return ended


def crowds(stage, kind):
    """Three kinds of connections that never become clients, beside clients that do."""
    each = stage.scaled(1000, 100)
    with stage.serving(kind) as subject, contextlib.ExitStack() as stack:
        before, start = subject.resident_kib(), time.monotonic()
        people = {NOTHING: Crowd(stage, stack, each, 3478),
                  HALF_A_HELLO: Crowd(stage, stack, each, 5349),
                  ONE_OCTET: Crowd(stage, stack, each, 5349)}
        people[HALF_A_HELLO].say(half_a_hello())
        octets, slow = half_a_hello() * 9, 0
        # Longer than the server should wait for anybody.
        while time.monotonic() < start + stage.scaled(13, 1):
            people[ONE_OCTET].say(octets[slow:slow + 1])
            slow += 1
            time.sleep(0.2)
        grown = subject.resident_kib() - before
        count = sum(len(crowd.sockets) for crowd in people.values())
        served = [stage.is_served(subject), stage.is_served(subject, "tcp"),
                  stage.is_served(subject, "tls", 5349)]
        closed = {name: crowd.closed() for name, crowd in people.items()}
    findings = [Finding(
        f"{3 * each} connections that say nothing, half a ClientHello or an octet at a time",
        f"{count} open: memory {grown:+,} KiB; clients beside them by UDP, TCP, TLS: "
        + ", ".join("served" if each else "not served" for each in served),
        all(served) and grown < 96 * count + 4096)]
    if not stage.quick:
        findings.append(Finding(
            "the same 13 s later", ", ".join(f"{name}: {number} of {each} ended"
                                             for name, number in closed.items()),
            all(number == each for number in closed.values())))
    return findings


def slow_reader(stage, kind):
    """Asks for ever and takes no answer."""
    with stage.serving(kind) as subject, \
            stage.network.client.socket(socket.SOCK_STREAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((SERVER[4], 3478))
        client.settimeout(1)
        before, sent, end = subject.resident_kib(), 0, stage.scaled(64 << 20, 16 << 20)
        requests = stun.encode(stun.BINDING) * 500
        how = "read all of it"
        try:
            while sent < end:
                sent += client.send(requests)
        except TimeoutError:
            how = "stopped reading"
        except ConnectionError:
            how = "closed"
        grown = subject.resident_kib() - before
        served = stage.is_served(subject, "tcp")
    return [Finding("a client that asks and never reads", f"{how} after {sent / 1e6:.1f} MB; memory "
                    f"{grown:+,} KiB", grown < 4096 and served)]


def allocations_of(stage, subject, stack, count, **options):
    """Clients that asked for a relay each, and what they were answered."""
    clients, answers = [], []
    for _ in range(count):
        client = stack.enter_context(stage.client(subject, **options))
        client.socket.settimeout(5)
        try:
            client.allocate()
            clients.append(client)
            answers.append("success")
        except Refused as refusal:
            answers.append(refusal.code)
        except (AssertionError, TimeoutError, OSError) as problem:
            answers.append(str(problem) or type(problem).__name__)
    return clients, answers


def descriptors_gone(stage, kind):
    """More clients than descriptors, by UDP and by TCP, beside a call that is up."""
    limit, count = 128, 200
    with stage.serving(kind, descriptors=limit) as subject, contextlib.ExitStack() as stack:
        call = stack.enter_context(stage.allocated(subject, local=PEER[4]))
        peer = stack.enter_context(stage.network.client.socket(socket.SOCK_DGRAM, 4, OUTSIDE[4]))
        call.permit(OUTSIDE[4])
        with contextlib.ExitStack() as crowd:
            clients, answers = allocations_of(stage, subject, crowd, count)
            streams = Crowd(stage, crowd, 60, 3478)
            call.send_to(peer.getsockname(), b"still here")
            try:
                goes_on = peer.recv(100) == b"still here"
            except TimeoutError:
                goes_on = False
            alive = subject.alive
            held = len(streams.sockets)
            for client in clients:
                with contextlib.suppress(OSError, Refused):
                    client.refresh(0)
        recovered = alive and wait_until(lambda: stage.is_served(subject)
                                         and stage.is_served(subject, "tcp"))
    refused = sorted({str(each) for each in answers if each != "success"})
    return [Finding(f"{count} allocations and 60 connections with {limit} descriptors",
                    f"{answers.count('success')} allocated, the others {', '.join(refused) or '-'}; "
                    f"{held} connections; the call beside them {'goes on' if goes_on else 'is silent'}, "
                    f"afterwards {'served' if recovered else 'not served'} without a restart",
                    goes_on and recovered and set(refused) <= {"508"})]


def pool(stage, kind):
    """Allocations of every flag, made and given back; then how many ports there are."""
    ports, operations = 64, stage.scaled(20_000, 600)
    with stage.serving(kind, {"relay": {"addresses": list(SERVER.values()), "ports": "50000-50063"},
                              "threads": 1}, ["min-port=50000", "max-port=50063"]) as subject:
        first = capacity(stage, subject, ports)
        done, refused = mixes(stage, subject, operations)
        # What was reserved and not asked for is held for 30 s (RFC 8656 section 7.2), by coturn
        # for a minute.
        last = capacity(stage, subject, ports)
        end = time.monotonic() + 75
        while last < first and time.monotonic() < end:
            time.sleep(1)
            last = capacity(stage, subject, ports)
    return [Finding(f"{operations:,} allocations of every flag, made and given back",
                    f"{done:,} made, {_counts(refused)} refused; {last} of {ports} ports "
                    f"within 75 s ({first} before)", first == last == ports)]


def _counts(refused):
    return ", ".join(f"{count:,} x {code}" for code, count in sorted(refused.items())) or "none"


def capacity(stage, subject, ports):
    """How many allocations there is room for."""
    with contextlib.ExitStack() as stack:
        clients, _ = allocations_of(stage, subject, stack, ports + 2, local=OUTSIDE[4])
        for client in clients:
            client.refresh(0)
        return len(clients)


EVEN, PAIR = (stun.EVEN_PORT, b"\0"), (stun.EVEN_PORT, b"\x80")
IPV6 = (stun.REQUESTED_ADDRESS_FAMILY, bytes([2, 0, 0, 0]))
MIXES = [(), (EVEN,), (PAIR,), ((stun.DONT_FRAGMENT, b""),), (IPV6,), (IPV6, PAIR),
         (stun.BOTH_FAMILIES,), (stun.BOTH_FAMILIES, EVEN), ((stun.LIFETIME, b"\0\0\0\1"),),
         ((stun.RESERVATION_TOKEN, b"nobody's"),), (PAIR, (stun.RESERVATION_TOKEN, b"nobody's")),
         (IPV6, stun.BOTH_FAMILIES), ((0x7ABC, b""),)]


def mixes(stage, subject, operations):
    done, refused = 0, collections.Counter()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(stage.client(subject)) for _ in range(16)]
        for number in range(operations):
            client = clients[number % len(clients)]
            try:
                answer = client.ask_for_relays(*random.choice(MIXES))
                done += 1
                token = answer.attributes.get(stun.RESERVATION_TOKEN)
                client.refresh(0)
                # Half of the reserved ports are asked for; the others have to come back alone.
                if token and (stage.quick or number % 2):
                    client.ask_for_relays((stun.RESERVATION_TOKEN, token))
                    done += 1
                    client.refresh(0)
            except (Refused, AssertionError) as refusal:
                code = refusal.args[0]
                refused[code] += 1
                if code == 437:  # coturn remembers the address for a while
                    client.socket.close()
                    clients[number % len(clients)] = stack.enter_context(stage.client(subject))
    return done, refused


def one_household(stage, kind):
    """As many allocations as one address gets, and what its neighbour gets meanwhile."""
    with stage.serving(kind) as subject, contextlib.ExitStack() as stack:
        clients, answers = allocations_of(stage, subject, stack, 520)
        neighbour = stage.is_served(subject, local=PEER[4])
        for client in clients:
            client.refresh(0)
    refused = sorted({str(each) for each in answers if each != "success"})
    return [Finding("520 allocations from one address", f"{len(clients)} made, the others "
                    f"{', '.join(refused) or '-'}; its neighbour is "
                    f"{'served' if neighbour else 'not served'}",
                    len(clients) <= 500 and set(refused) <= {"486"} and neighbour)]


def every_connection(stage, kind):
    """One address that opens more connections than the server takes in all."""
    limit, count = stage.scaled(10_000, 1_200), stage.scaled(10_100, 1_300)
    with stage.serving(kind, {"limits": {"connections": limit}}) as subject, \
            contextlib.ExitStack() as stack:
        # Who has asked something is a client, and has longer.
        crowd = Crowd(stage, stack, count, 3478, stun.encode(stun.BINDING))
        served = {transport: stage.is_served(subject, transport, local=PEER[4])
                  for transport in ("udp", "tcp")}
        ended = crowd.closed()
    return [Finding(f"{count:,} connections from one address, each of which asked once; yuelao takes "
                    f"{limit:,} in all",
                    f"{len(crowd.sockets) - ended:,} held; its neighbour is "
                    + ", ".join(f"{'served' if each else 'not served'} by {transport.upper()}"
                                for transport, each in served.items()),
                    all(served.values()))]


def wait_until(question, limit=15):
    end = time.monotonic() + limit
    while not (answer := question()) and time.monotonic() < end:
        time.sleep(0.2)
    return answer


def run(stage, kind):
    findings = []
    for part in (crowds, every_connection, slow_reader, descriptors_gone, one_household, pool):
        findings += part(stage, kind)
    return findings


ATTACK = Attack(
    "T8", "Exhaustion",
    "limits per address or /64, per user and in total; deadlines for who says nothing; bounded "
    "queues; 508 without descriptors",
    ("tests/interop/operation_test.py", "tests/server/relay_sockets_test.cpp",
     "tests/server/stream_test.cpp"), run)
