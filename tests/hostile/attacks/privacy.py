"""T12: what is left of those who called, in all that a server says."""

import contextlib
import pathlib
import socket

import stun
from findings import Attack, Finding
from network import CLIENT, PEER, SERVER
from stage import OUTSIDE
from turn_client import Refused
from yuelao import SECRET

NAME = "marker-name-of-a-caller"
MARKERS = {"client addresses": (CLIENT[4], CLIENT[6], PEER[4]), "peer addresses": tuple(OUTSIDE.values()),
           "user names": (NAME,), "secrets": (SECRET,)}


def calls(stage, subject):
    """Good calls and bad ones, over every transport; how many."""
    made = 0
    for transport, port, family in (("udp", 3478, 4), ("tcp", 3478, 4), ("tls", 5349, 4),
                                    ("udp", 3478, 6), ("tcp", 3478, 6)):
        secure = {"authority": stage.authority.certificate} if transport == "tls" else {}
        with stage.client(subject, transport, NAME, port=port, family=family, **secure) as client, \
                stage.network.client.socket(socket.SOCK_DGRAM, family, OUTSIDE[family]) as peer:
            client.allocate((stun.REQUESTED_ADDRESS_FAMILY, bytes([1 if family == 4 else 2, 0, 0, 0])))
            client.bind(0x4000, peer.getsockname()[:2])
            client.send_on(0x4000, b"hello")
            _, relay = peer.recvfrom(100)
            peer.sendto(b"hello", relay)
            client.next_data()
            with contextlib.suppress(Refused):
                client.permit("127.0.0.1")
            client.refresh(0)
            made += 1
        for wrong in ({"secret": "wrong"}, {"lifetime": -100}):
            with stage.client(subject, transport, NAME, port=port, family=family, **secure,
                              **wrong) as client, contextlib.suppress(Refused, OSError, EOFError):
                client.allocate()
            made += 1
        if transport != "udp":
            with stage.network.client.socket(socket.SOCK_STREAM, family, CLIENT[family]) as stream:
                stream.connect((SERVER[family], port))
                stream.sendall(b"\x16\x03\x01\0\5 none of this is TLS")
            made += 1
    return made


def sources(subject):
    """All that it says, by where it says it."""
    process = pathlib.Path(f"/proc/{subject.process.pid}")
    said = {"process arguments": process.joinpath("cmdline").read_bytes().decode()}
    if subject.kind == "yuelao":
        said["metrics"] = "".join(subject.server.http(path)[1]
                                  for path in ("/metrics", "/healthz", "/readyz", "/"))
    return said


def core_files(subject):
    """Whether a crash would leave the process's memory in a file, and how that is kept from it."""
    process = pathlib.Path(f"/proc/{subject.process.pid}")
    limit = next(line.split()[4] for line in process.joinpath("limits").read_text().splitlines()
                 if line.startswith("Max core file size"))
    # Which kinds of memory go into a core: core(5).
    kinds = int(process.joinpath("coredump_filter").read_text(), 16)
    return limit != "0" and kinds != 0, f"limit {limit}, kinds of memory {kinds:#x}"


def run(stage, kind):
    with stage.serving(kind) as subject:
        made = calls(stage, subject)
        said, (cores, how) = sources(subject), core_files(subject)
    said["log"] = subject.output()
    found = {what: sum(text.count(marker) for text in said.values() for marker in markers)
             for what, markers in MARKERS.items()}
    return [
        Finding(f"{made} calls, good and bad: what is left of them in all output",
                f"{', '.join(sorted(said))} ({sum(map(len, said.values())):,} octets): "
                + ", ".join(f"{what} {count}" for what, count in found.items()),
                not any(found.values())),
        Finding("core dumps with its memory, where the system keeps them",
                f"{'made' if cores else 'not made'} ({how})", not cores)]


ATTACK = Attack(
    "T12", "Privacy",
    "addresses and names are not logged unless `log.privacy` says so; no labels of clients in "
    "metrics; no core dumps; secrets come from files",
    ("tests/interop/front_door_test.py", "tests/interop/monitoring_test.py",
     "tests/server/log_test.cpp"), run)
