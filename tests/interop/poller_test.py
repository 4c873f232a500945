"""Both ways for a shard to wait, receive and send. The rest of the tests run with the one the kernel allows."""

import contextlib
import itertools
import re
import socket
import time

import pytest

from network import PEER, SERVER
from turn_client import Refused, TurnClient, exchange, pair_up
from yuelao import PATIENCE, settings

ALLOWED = {"peers": {"allow": list(PEER.values())}}
FAMILIES = pytest.mark.parametrize("family", [4, 6])
PORT_UNREACHABLE = {4: (3, 3), 6: (1, 4)}  # ICMP's type and code


@pytest.fixture(params=["epoll", "io_uring"])
def with_poller(request, serve):
    """with_poller(settings...) -> Yuelao. Where the kernel refuses io_uring, these tests fail and say so."""
    def start(descriptors=None, **changes):
        server = serve(settings(poller=request.param, **changes), descriptors=descriptors)
        assert request.param in server.wait_for_line(r" ready ")
        return server

    return start


@FAMILIES
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_calls_go_through_a_reload_and_a_drain(network, with_poller, authority, certificate, transport, family):
    server = with_poller(tls=certificate, drain_timeout="1h")
    port = 5349 if transport == "tls" else 3478
    with TurnClient(network.client, transport, family, port, authority.certificate) as one, \
            TurnClient(network.client, "udp", family) as other:
        relays = pair_up(one, other)
        for size in (1, 200, 1200, 9000):
            exchange(one, other, relays, bytes(size))
        server.reload()
        exchange(one, other, relays, b"after the reload")
        server.drain()
        exchange(one, other, relays, b"while draining")
        one.refresh(0)
        other.refresh(0)
    assert server.wait() == 0


@FAMILIES
def test_a_burst_arrives_whole_and_in_order(network, with_poller, family):
    with_poller(**ALLOWED)
    with TurnClient(network.client, family=family) as client, \
            network.client.socket(socket.SOCK_DGRAM, family, PEER[family]) as peer:
        peer.settimeout(10)
        at = (PEER[family], peer.getsockname()[1])
        relayed = client.allocate()
        client.permit(PEER[family])
        # Of one size, so that the kernel merges them on their way in and cuts them up on their way out.
        for _ in range(20):
            sent = [bytes([i]) * 500 for i in range(40)]
            for payload in sent:
                client.send_to(at, payload)
            assert [peer.recv(1000) for _ in sent] == sent
            for payload in sent:
                peer.sendto(payload, relayed)
            assert [client.next_data()[1] for _ in sent] == sent


@FAMILIES
def test_a_peer_that_is_not_there_costs_the_others_nothing(network, with_poller, family):
    server = with_poller(**ALLOWED)
    with TurnClient(network.client, family=family) as client, \
            network.client.socket(socket.SOCK_DGRAM, family, PEER[family]) as peer, \
            network.client.socket(socket.SOCK_DGRAM, family, PEER[family]) as closed:
        peer.settimeout(10)
        at, nowhere = peer.getsockname()[:2], closed.getsockname()[:2]
        closed.close()
        relayed = client.allocate()
        client.permit(PEER[family])
        # Kernels send few ICMP errors a second, so there may be none at first.
        deadline = time.monotonic() + PATIENCE
        for i in itertools.count():
            client.send_to(nowhere, b"anybody there?")
            client.send_to(at, b"%d" % i)
            assert peer.recv(100) == b"%d" % i
            peer.sendto(b"%d" % i, relayed)
            assert client.next_data() == (at, b"%d" % i)
            if i >= 30 and client.errors:
                break
            assert time.monotonic() < deadline
        assert client.next_error()[:3] == (nowhere, *PORT_UNREACHABLE[family])
        before = server.metric("yuelao_round_duration_seconds_count")
        # Errors that nobody took would wake the shard for ever.
        assert server.metric("yuelao_round_duration_seconds_count") - before < 100


def test_ports_are_free_again_as_soon_as_they_are_given_back(network, with_poller):
    with_poller(threads=1, relay={"addresses": [SERVER[4]], "ports": "50000-50003"})
    for _ in range(10):
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(TurnClient(network.client)) for _ in range(4)]
            assert {client.allocate()[1] for client in clients} == set(range(50000, 50004))
            for client in clients:
                client.refresh(0)


def test_without_descriptors_new_calls_are_refused_and_old_ones_go_on(network, with_poller):
    with_poller(threads=1, descriptors=40)
    with TurnClient(network.client) as one, TurnClient(network.client, "tcp") as other, \
            contextlib.ExitStack() as stack:
        relays = pair_up(one, other)
        codes = set()
        for _ in range(60):
            client = stack.enter_context(TurnClient(network.client))
            try:
                client.allocate()
                codes.add(None)
            except Refused as refusal:
                codes.add(refusal.code)
        assert codes == {None, 508}
        exchange(one, other, relays, b"through it all")


def test_where_the_kernel_refuses_io_uring_epoll_does_the_work(network, serve):
    server = serve(settings(), refused=["io_uring_setup"])
    assert "epoll" in server.wait_for_line(r" ready ")
    with TurnClient(network.client) as one, TurnClient(network.client) as other:
        exchange(one, other, pair_up(one, other), b"all the same")


def test_io_uring_by_name_is_not_replaced_in_silence(launch):
    server = launch(settings(poller="io_uring"), refused=["io_uring_setup"])
    assert server.wait() == 1
    assert re.search(r"`poller: io_uring` does not work here \(Operation not permitted\): .*choose auto",
                     server.output)
