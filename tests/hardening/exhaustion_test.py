"""No memory, and no disk: security.md's T8. A sanitizer's own memory would be in the way."""

import contextlib
import json
import os
import pathlib
import re
import resource
import subprocess

import stun
from network import PEER
from turn_client import Refused, TurnClient, exchange, pair_up
from yuelao import settings


def memory_of(server):
    """Octets that its data takes, and may take."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmData:\s+(\d+) kB", status).group(1)) * 1024


def limit(server, octets):
    resource.prlimit(server.process.pid, resource.RLIMIT_DATA, (octets, resource.RLIM_INFINITY))


def allocate(client):
    try:
        client.allocate()
    except Refused as refusal:
        return refusal.code
    return None


def test_without_memory_new_calls_are_refused_and_old_ones_go_on(network, serve):
    server = serve(settings(threads=1, poller="epoll", peers={"allow": list(PEER.values())},
                            limits={"per_client": 10000}, bandwidth={"strangers": "off"}))
    with contextlib.ExitStack() as closing:
        one, other = (closing.enter_context(TurnClient(network.client)) for _ in range(2))
        relays = pair_up(one, other)
        limit(server, memory_of(server))
        codes = []
        while codes.count(508) < 20 and len(codes) < 4000:
            codes.append(allocate(closing.enter_context(TurnClient(network.client))))
        assert set(codes) == {None, 508}, codes
        exchange(one, other, relays, b"through it all")
        # A connection is new work as well.
        with contextlib.suppress(EOFError, ConnectionError):
            stream = closing.enter_context(TurnClient(network.client, "tcp"))
            assert stream.ask(stun.BINDING) is None
        limit(server, resource.RLIM_INFINITY)
        server.wait_for_line("there is memory again|memory was short")
        assert allocate(closing.enter_context(TurnClient(network.client))) is None
        exchange(one, other, relays, b"and after it")


def test_a_log_that_cannot_be_written_harms_no_call(network, tmp_path):
    """/dev/full: every write fails as on a full disk."""
    configuration = tmp_path / "yuelao.yaml"
    configuration.write_text(json.dumps(settings(state_directory=str(tmp_path))))
    with open("/dev/full", "wb") as full:
        process = subprocess.Popen(
            network.server.command(os.environ["YUELAO"], "serve", "--config", str(configuration)),
            stdout=full, stderr=full)
    try:
        with contextlib.ExitStack() as closing:
            for _ in range(100):
                client = closing.enter_context(TurnClient(network.client))
                with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                    client.socket.send(stun.encode(stun.BINDING))
                    client.receive(0.2)
                    break
            one, other = (closing.enter_context(TurnClient(network.client)) for _ in range(2))
            exchange(one, other, pair_up(one, other))
            assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(30) == 0
