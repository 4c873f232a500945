"""T3: what anybody can make the server send, and to whom."""

import ipaddress
import time

import hello
import shapes
import stun
from findings import Attack, Finding
from network import SERVER
from wire import IP_OCTETS, Forger, Wire, datagram

# Each datagram has a source of its own, which the answer goes to.
FIRST_SOURCE = {4: int(ipaddress.ip_address("20.0.0.1")), 6: int(ipaddress.ip_address("2a20::1"))}
PREFIX = {4: 1, 6: 1 << 64}  # each a household of its own: nobody's answers are held back

# A challenge is 84 octets over IPv4, and a request may be 20: this keeps both from drifting apart.
LARGEST_RATIO = 2.5


def source(family, number):
    return str(ipaddress.ip_address(FIRST_SOURCE[family] + number * PREFIX[family])), 4000


def answers(stage, family, datagrams):
    """For each datagram the answers to it."""
    number_of = {source(family, number)[0]: number for number in range(len(datagrams))}
    received = [[] for _ in datagrams]
    with Forger(stage.network.client) as forger, Wire(stage.network.server) as wire:
        for number, payload in enumerate(datagrams):
            forger.send(datagram(source(family, number), (SERVER[family], 3478), payload))
            if number % 256 == 255:
                time.sleep(0.01)  # the server's queue has to hold them
        for each in wire.datagrams(silence=1):
            if each.source == (SERVER[family], 3478) and each.destination[0] in number_of:
                received[number_of[each.destination[0]]].append(each.payload)
    return received


def ratio(sent, received, header=0):
    return sum(len(each) + header for each in received) / (len(sent) + header)


def talks_too_much(answer):
    """Whether it says what it runs, or why it refuses in words."""
    if answer[0] & 0xC0 or answer[4:8] != b"\x21\x12\xa4\x42":
        return False
    attributes = stun.Message.parse(answer).attributes
    return 0x8022 in attributes or len(attributes.get(stun.ERROR_CODE, b"")) > 4


def by_shape(stage, subject):
    """(name, family, octets in, octets out) of each request."""
    rows, wordy = [], 0
    for family in (4, 6):
        requests = shapes.requests(hello.client_hello(stage))
        for (name, sent), received in zip(requests.items(),
                                          answers(stage, family, list(requests.values()))):
            rows.append((name, family, len(sent), [len(each) for each in received]))
            wordy += any(map(talks_too_much, received))
    return rows, wordy


def every_size(stage):
    """The most answers to one datagram, the worst ratio, and of what."""
    step = stage.scaled(1, 11)
    named = [(f"{name}, {size} octets", octets) for size in range(1, 1501, step)
             for name, octets in shapes.of_length(size).items()]
    received = answers(stage, 4, [octets for _, octets in named])
    most = max(map(len, received))
    name, worst = max(((name, ratio(sent, got, IP_OCTETS[4]))
                       for (name, sent), got in zip(named, received)), key=lambda each: each[1])
    return len(named), sum(map(bool, received)), most, name, worst


def to_one_victim(stage):
    """Octets a second that a flood in one client's name brings it, and octets that were sent."""
    request = shapes.message(stun.BINDING)
    count, rate = stage.scaled(40_000, 10_000), 10_000
    with Forger(stage.network.client) as forger, Wire(stage.network.server) as wire:
        octets = datagram(("20.255.0.1", 4000), (SERVER[4], 3478), request)
        start = time.monotonic()
        for number in range(count):
            forger.send(octets)
            if number % 100 == 99:
                time.sleep(max(0.0, start + number / rate - time.monotonic()))
        seconds = time.monotonic() - start
        out = sum(len(each.payload) for each in wire.datagrams() if each.destination[0] == "20.255.0.1")
    return count * len(request), out, seconds


def run(stage, kind):
    with stage.serving(kind) as subject:
        rows, wordy = by_shape(stage, subject)
        tried, answered, most, name, worst = every_size(stage)
        sent, out, seconds = to_one_victim(stage)
        served = stage.is_served(subject)
    worst_payload = max(rows, key=lambda row: sum(row[3]) / row[2])
    worst_packet = max(rows, key=lambda row: _packet_ratio(row))
    # Four seconds' worth at once, and the rate: 128 kbit/s by default.
    budget = 16_000 * (4 + seconds + 1)
    return [
        Finding("answers to one datagram of 1 to 1500 octets",
                f"at most {most} ({tried} tried, {answered} answered)", most <= 1),
        Finding("largest answer, payload to payload", _ratio_text(
            worst_payload, sum(worst_payload[3]) / worst_payload[2]), True),
        Finding(f"on the wire, IP and UDP headers included (at most {LARGEST_RATIO})", _ratio_text(
            worst_packet, _packet_ratio(worst_packet)) + f"; of all sizes {worst:.2f} ({name})",
            max(worst, _packet_ratio(worst_packet)) <= LARGEST_RATIO),
        Finding("requests whose answer names software or gives a reason in words",
                f"{wordy} of {len(rows)}", wordy == 0),
        Finding("one client's name in a flood of requests",
                f"{sent:,} octets in, {out:,} out to it", out <= budget),
        *each_shape(rows),
        Finding("a client is served afterwards", "yes" if served else "no", served),
    ]


def each_shape(rows):
    """What comes of each request, over IPv4 and over IPv6."""
    figures = {}
    for name, family, size, received in rows:
        out = sum(received)
        figures.setdefault(name, [f"{size} ->"]).append(f"{out} (x{out / size:.2f})")
    return [Finding(f"{name}: octets in and out, IPv4 and IPv6", " ".join(figure), True)
            for name, figure in figures.items()]


def _packet_ratio(row):
    name, family, size, received = row
    return sum(each + IP_OCTETS[family] for each in received) / (size + IP_OCTETS[family])


def _ratio_text(row, value):
    name, family, size, received = row
    return f"{value:.2f} ({name}, IPv{family}: {size} -> {'+'.join(map(str, received)) or 0})"


ATTACK = Attack(
    "T3", "Reflection and amplification",
    "one answer at most, without SOFTWARE and reason text; what a prefix gets without a password "
    "is bounded (`bandwidth.strangers`)",
    ("tests/interop/flood_test.py", "tests/turn/binding_test.cpp"), run)
