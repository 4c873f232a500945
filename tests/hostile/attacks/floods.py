"""T4: floods in the names of strangers, beside a call that goes on."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time

import hello
import shapes
import stun
from findings import Attack, Finding
from network import CLIENT, PEER, SERVER
from stage import HERE, OUTSIDE
from yuelao import SECRET


class Caller:
    """caller.py as a process."""

    def __init__(self, stage):
        user, password = stun.rest_credentials(SECRET, "caller")
        self._process = subprocess.Popen(
            stage.network.client.command(sys.executable, HERE / "caller.py", CLIENT[4], OUTSIDE[4],
                                         user, password),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout.readline() == "ready\n"

    def begin(self, seconds):
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def end(self):
        return json.loads(self._process.stdout.readline())

    def measure(self, seconds):
        self.begin(seconds)
        return self.end()

    def stop(self):
        self._process.stdin.close()
        self._process.wait(30)
        self._process.stdout.close()


@contextlib.contextmanager
def calling(stage):
    caller = Caller(stage)
    try:
        yield caller
    finally:
        caller.stop()


def apart(stage, subject):
    """The server on one core, all else on the others: what is measured is not the competition for
    a core between a server and its attacker. Nor that with whatever else the machine does."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return
    for thread in map(int, os.listdir(f"/proc/{subject.process.pid}/task")):
        os.sched_setaffinity(thread, cores[:1])
        if not stage.quick:
            with contextlib.suppress(PermissionError):
                os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(1))


def others():
    cores = sorted(os.sched_getaffinity(0))
    return ["taskset", "-c", ",".join(map(str, cores[1:]))] if len(cores) > 1 else []


@contextlib.contextmanager
def flooding(stage, kind, message, port, rate, seconds):
    """A flood beside what is inside; its report comes back in the dictionary."""
    report = {}
    process = subprocess.Popen(
        stage.network.client.command(*others(), sys.executable, HERE / "flood.py", kind, SERVER[4],
                                     port, rate, seconds),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(message.hex())
    process.stdin.close()
    try:
        yield report
        report.update(json.loads(process.stdout.read()))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


FLOODS = ("Binding", "Allocate", "Allocate, wrong password", "Allocate, somebody else's nonce",
          "DTLS ClientHello", "TCP SYN")


def messages(stage, subject):
    """(kind of packet, message, port) of each flood."""
    with stage.allocated(subject, local=PEER[4]) as client:
        realm, nonce, user = client.realm, client.nonce, client.user
        key = stun.long_term_key(user, realm, client.password)
        client.refresh(0)
    stale = shapes.signed(stun.ALLOCATE, stun.UDP_TRANSPORT, user=user, realm=realm, nonce=nonce,
                          key=key)
    wrong = shapes.signed(stun.ALLOCATE, stun.UDP_TRANSPORT, user=user, realm=realm, nonce=nonce)
    return dict(zip(FLOODS, [
        ("stun", shapes.message(stun.BINDING), 3478),
        ("stun", shapes.message(stun.ALLOCATE, stun.UDP_TRANSPORT), 3478),
        ("stun", wrong, 3478),
        ("signed", stale, 3478),
        ("dtls", hello.client_hello(stage), 5349),
        ("syn", b"", 3478)]))


def connects(stage):
    """Whether a client that comes by TCP is let in."""
    with stage.network.client.socket(socket.SOCK_STREAM) as tried:
        tried.settimeout(5)
        try:
            tried.connect((SERVER[4], 3478))
            tried.sendall(stun.encode(stun.BINDING))
            return len(tried.recv(100)) >= 20
        except OSError:
            return False


class Calls:
    """What came of a call in several stretches of time."""

    def __init__(self):
        self.sent, self.trips = 0, []

    def add(self, report):
        self.sent += report["sent"]
        self.trips = sorted(self.trips + report["trips"])

    @property
    def lost(self):
        return self.sent - len(self.trips)

    def percentile(self, hundredths):
        return self.trips[len(self.trips) * hundredths // 100] if self.trips else float("inf")


def one_flood(stage, subject, caller, what):
    kind, message, port = messages(stage, subject)[what]
    seconds, rate = stage.scaled(1.0, 1.5), stage.scaled(20_000, 5_000)
    idle, flooded, packets, took, let_in = Calls(), Calls(), 0, 0.0, True
    caller.measure(0.5)  # what both have to do once is done
    before = subject.resident_kib()
    # By turns: what else the machine does is beside both.
    for _ in range(stage.scaled(3, 1)):
        idle.add(caller.measure(1.0))
        with flooding(stage, kind, message, port, rate, seconds + 0.5) as report:
            time.sleep(0.25)  # it is on its way
            caller.begin(seconds)
            let_in = let_in and (kind != "syn" or connects(stage))
            flooded.add(caller.end())
        packets, took = packets + report["sent"], took + report["seconds"]
    grown = subject.resident_kib() - before
    ratio = flooded.percentile(99) / idle.percentile(99)
    # What a server learns once (pages touched, buffers made) is no growth with the flood.
    return [Finding(f"{what}: resident memory", f"{packets:,} packets, {packets / took:,.0f} a second: "
                    f"{grown:+,} KiB" + ("" if let_in else ", a TCP client was not let in"),
                    grown < 4096 and let_in),
            Finding(f"{what}: the call beside it, idle -> flooded",
                    f"lost {idle.lost} of {idle.sent} -> {flooded.lost} of {flooded.sent}; p50 "
                    f"{_micro(idle.percentile(50))} -> {_micro(flooded.percentile(50))} us; p99 "
                    f"{_micro(idle.percentile(99))} -> {_micro(flooded.percentile(99))} us, x{ratio:.1f}",
                    # A busy machine drops at the socket what it has no time for.
                    flooded.lost == 0 and ratio <= 2, asserted=False)]


def _micro(seconds):
    return f"{seconds * 1e6:.0f}"


def state(subject):
    """What a server says it keeps, beside the caller's one allocation."""
    if subject.kind != "yuelao":
        return []
    kept = {name: int(subject.metric(f"yuelao_{name}"))
            for name in ("allocations", "permissions", "channels", "open_connections")}
    return [Finding("state of strangers that is kept afterwards",
                    f"beside the caller's one allocation: {kept['allocations'] - 1} allocations, "
                    f"{kept['permissions'] - 1} permissions, {kept['channels'] - 1} channels, "
                    f"{kept['open_connections']} connections",
                    kept == {"allocations": 1, "permissions": 1, "channels": 1,
                             "open_connections": 0})]


def run(stage, kind):
    findings = []
    for what in FLOODS:
        # A server for each: what one flood left would hide what the next one costs.
        # One thread, as either would have it by default where there is one core.
        with stage.serving(kind, {"threads": 1}, ["relay-threads=1"]) as subject:
            apart(stage, subject)
            with calling(stage) as caller:
                findings += one_flood(stage, subject, caller, what)
                findings += state(subject)
            served = stage.is_served(subject)
    # The state is the same sentence for every flood.
    return [*dict.fromkeys(findings),
            Finding("a client is served afterwards", "yes" if served else "no", served)]


ATTACK = Attack(
    "T4", "Spoofed floods",
    "nothing is kept of who has not authenticated: nonces, DTLS cookies and SYN cookies are signed",
    ("tests/interop/flood_test.py", "tests/interop/dtls_test.py"), run)
