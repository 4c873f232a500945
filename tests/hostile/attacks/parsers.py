"""T9: messages that were changed on the way, through every door that reads octets."""

import contextlib
import csv
import os
import pathlib
import random
import socket
import ssl

import shapes
import stun
from findings import Attack, Finding
from network import SERVER

ROOT = pathlib.Path(__file__).resolve().parents[3]
PER_CONNECTION = 40  # octets that make no sense end a stream: few get further


def seeds():
    """What is changed: requests as clients send them, and what proxies and browsers begin with."""
    named = shapes.requests(b"\x16\xfe\xfd" + os.urandom(80)) | shapes.unanswerable()
    return [*(octets for octets in named.values() if octets),
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + shapes.message(stun.BINDING),
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12) + shapes.message(stun.BINDING),
            b"\x16\x03\x01\0\xf0\1\0\0\xec\3\3" + os.urandom(229),
            b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"]


def mutated(draw, seed):
    """One to eight changes: octets, lengths, cuts, pieces twice."""
    octets = bytearray(seed)
    for _ in range(draw.randint(1, 8)):
        at = draw.randrange(len(octets)) if octets else 0
        kind = draw.randrange(5)
        if kind == 0 and octets:
            octets[at] ^= 1 << draw.randrange(8)
        elif kind == 1 and len(octets) > 3:
            octets[2:4] = draw.choice((b"\0\0", b"\xff\xff", b"\0\4", b"\x05\xdc", b"\xff\xfc"))
        elif kind == 2:
            octets[at:at] = draw.choice((b"\0", b"\xff" * 4, b"\0\6\xff\xff", b"\x80\x28\0\4abcd"))
        elif kind == 3:
            del octets[at:at + draw.randint(1, 8)]
        else:
            octets[at:at] = octets[:draw.randint(1, 32)]
    return bytes(octets[:1472])


def by_datagrams(stage, draw, count):
    originals = seeds()
    with stage.network.client.socket(socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        for _ in range(count):
            octets = mutated(draw, draw.choice(originals))
            for port in (3478, 5349):
                with contextlib.suppress(OSError):
                    client.sendto(octets, (SERVER[4], port))
            with contextlib.suppress(BlockingIOError):
                while True:
                    client.recv(2048)


def by_streams(stage, draw, count, port, secure):
    """Whole bursts a connection; inside TLS where it is `secure`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    originals = seeds()
    for _ in range(count):
        with stage.network.client.socket(socket.SOCK_STREAM) as client:
            with contextlib.suppress(OSError):
                client.connect((SERVER[4], port))
                if secure:
                    client = context.wrap_socket(client)
                client.settimeout(0.02)
                client.sendall(b"".join(mutated(draw, draw.choice(originals))
                                        for _ in range(PER_CONNECTION)))
                client.recv(4096)
            client.close()


def fuzzed():
    """The fuzzers of this tree and their seeds; and what scripts/fuzz has done here, if it has."""
    targets = len(list(ROOT.glob("fuzz/*_fuzzer.cpp")))
    seeds = sum(path.is_file() for path in ROOT.glob("fuzz/corpus/**/*"))
    figure, crashes = f"{targets} targets, {seeds:,} seeds", 0
    results = ROOT / "build" / "fuzz" / "long" / "results.tsv"
    if results.exists():
        with results.open(encoding="utf-8", newline="") as rows:
            runs = {run["target"]: run for run in csv.DictReader(rows, delimiter="\t")}  # the last
        crashes = sum(int(run["crashes"]) for run in runs.values())
        figure += (f"; `scripts/fuzz`: {sum(int(run['executions']) for run in runs.values()):,} "
                   f"executions, {crashes} crashers")
    return Finding("fuzzers with sanitizers (`scripts/test --stage fuzz`)", figure,
                   targets > 0 and not crashes)


def run(stage, kind):
    # The same every time, so that what is found can be found again.
    draw = random.Random(0x7E57)
    datagrams, streams = stage.scaled(50_000, 3_000), stage.scaled(300, 25)
    with stage.serving(kind) as subject:
        before = subject.resident_kib()
        by_datagrams(stage, draw, datagrams)
        by_streams(stage, draw, streams, 3478, secure=False)
        by_streams(stage, draw, streams, 5349, secure=False)
        by_streams(stage, draw, streams, 5349, secure=True)
        grown = subject.resident_kib() - before
        alive = subject.alive
        served = alive and all(stage.is_served(subject, *door) for door in (
            ("udp",), ("tcp",), ("tls", 5349)))
    findings = [Finding(
        "changed messages by UDP, TCP and inside TLS",
        f"{2 * datagrams:,} datagrams, {3 * streams * PER_CONNECTION:,} in streams: "
        f"{'alive' if alive else 'ended'}, {'serves' if served else 'does not serve'} UDP, TCP and TLS;"
        f" memory {grown:+,} KiB", served)]
    if kind == "yuelao":
        findings.append(fuzzed())
    return findings


ATTACK = Attack(
    "T9", "Parsers",
    "bounds-checked readers over views; every parser and the whole engine are fuzzed",
    ("fuzz/", "tests/stun/message_test.cpp", "tests/turn/stream_framing_test.cpp"), run)
