"""RFC 8016 through the built server: a client changes addresses, shards and transports while its
peer goes on talking to the same relay."""

import socket

import pytest

import stun
from clients import assert_no_loss, echo_peer, uclient
from coturn import Coturn
from network import CLIENT, PEER, SERVER
from turn_client import Refused, TurnClient
from yuelao import settings

ALLOWED = {"peers": {"allow": list(PEER.values())}}
ASKING = (stun.MOBILITY_TICKET, b"")
PORTS = {"udp": 3478, "tcp": 3478, "tls": 5349}


def ticket_of(answer):
    return answer.attributes[stun.MOBILITY_TICKET]


class Call:
    """A peer, and a client that can be anywhere in the client's namespace."""

    def __init__(self, network, authority, family=4):
        self.network, self.authority, self.family = network, authority, family
        self.peer = network.client.socket(socket.SOCK_DGRAM, family, PEER[family])
        self.at = PEER[family], self.peer.getsockname()[1]
        self.client = self.ticket = self.relayed = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.peer.close()
        self.client.socket.close()

    def dial(self, transport, local=None, family=None):
        return TurnClient(self.network.client, transport, family or self.family, PORTS[transport],
                          self.authority.certificate, local=local)

    def begin(self, transport):
        self.client = self.dial(transport)
        answer = self.client.ask_for_relays(ASKING)
        self.ticket = ticket_of(answer)
        self.relayed = answer.address(stun.XOR_RELAYED_ADDRESS)
        self.client.bind(0x4001, self.at)
        self.talk()

    def move(self, transport, **where):
        moved = self.dial(transport, **where)
        answer = moved.refresh(600, (stun.MOBILITY_TICKET, self.ticket))
        assert ticket_of(answer) != self.ticket
        # The old address serves until something comes from the new one.
        self.hear(self.client)
        self.ticket, old, self.client = ticket_of(answer), self.client, moved
        self.talk()
        old.socket.close()
        self.talk()

    def hear(self, client):
        self.peer.sendto(b"from the peer", self.relayed)
        assert client.next_data() == (0x4001, b"from the peer")

    def talk(self):
        for i in range(3):
            self.client.send_on(0x4001, b"from the client %d" % i)
            payload, source = self.peer.recvfrom(1000)
            assert payload == b"from the client %d" % i
            assert source[:2] == self.relayed
        self.hear(self.client)


@pytest.fixture(params=["epoll", "auto"])
def mobile(serve, certificate, request):
    return serve(settings(poller=request.param, mobility="on", tls=certificate, threads=4,
                          **ALLOWED))


@pytest.mark.parametrize("family", [4, 6])
def test_a_call_goes_on_wherever_its_client_is(network, mobile, authority, family):
    with Call(network, authority, family) as call:
        call.begin("udp")
        # By turns from both addresses, each time from another port: from shard to shard.
        for i in range(24):
            call.move("udp", local=(CLIENT if i % 2 else PEER)[family])
        assert mobile.metric("yuelao_sessions") == 1
        assert mobile.metric("yuelao_mobile_allocations") == 1
        assert mobile.metric("yuelao_allocations_moved_total") == 24
        assert mobile.metric("yuelao_allocations_created_total") == 1
        assert mobile.metric("yuelao_drops_total") == 0
        call.client.refresh(0)
        assert mobile.metric("yuelao_sessions") == 0
    assert "allocation moved" in mobile.output


@pytest.mark.parametrize("family", [4, 6])
def test_from_any_transport_and_family_to_any_other(network, mobile, authority, family):
    """A phone between networks: its relay stays of the family that it began with."""
    with Call(network, authority, family) as call:
        call.begin("udp")
        ways = ["tcp", "tls", "tcp", "udp", "tls", "udp", "udp"]
        # An odd number of ways: on the second round each is of the other family.
        for i, transport in enumerate(ways * 2):
            call.move(transport, family=4 if i % 2 else 6)
            assert mobile.metric(f'yuelao_allocations{{transport="{transport}"}}') == 1
        assert mobile.metric("yuelao_sessions") == 1
        assert mobile.metric(f'yuelao_allocations{{family="ipv{family}"}}') == 1


def test_many_calls_move_and_none_is_lost_or_counted_twice(network, serve, authority, certificate):
    server = serve(settings(mobility="on", tls=certificate, threads=4,
                            limits={"allocations": 12}, **ALLOWED))
    calls = [Call(network, authority) for _ in range(12)]
    for call in calls:
        call.begin("udp")
    for _ in range(3):
        for call in calls:
            call.move("udp")
        # As many as there may be: not one more, and after one has gone one more.
        assert server.metric("yuelao_sessions") == 12
        with TurnClient(network.client) as late:
            with pytest.raises(Refused) as refused:
                late.allocate()
            assert refused.value.code == 508
            calls[0].client.refresh(0)
            late.allocate()
            late.refresh(0)
        calls[0].client.socket.close()
        calls[0].begin("udp")
    for call in calls:
        call.client.refresh(0)
        call.__exit__()
    assert server.metric("yuelao_sessions") == 0


def test_where_mobility_is_off(network, serve, authority, certificate):
    server = serve(settings(tls=certificate, **ALLOWED))
    with TurnClient(network.client) as client:
        with pytest.raises(Refused) as refused:
            client.ask_for_relays(ASKING)
        assert refused.value.code == 405
        client.allocate()
    assert server.metric('yuelao_error_responses_total{code="405"}') == 1


def test_a_reload_turns_it_off_for_calls_that_are_up(network, serve, authority, certificate):
    wanted = settings(mobility="on", tls=certificate, **ALLOWED)
    server = serve(wanted)
    with Call(network, authority) as call:
        call.begin("udp")
        server.reload(wanted | {"mobility": "off"})
        with call.dial("udp") as moved:
            with pytest.raises(Refused) as refused:
                moved.refresh(600, (stun.MOBILITY_TICKET, call.ticket))
            assert refused.value.code == 405
        call.talk()
        server.reload(wanted)
        call.move("tcp")


# It breaks before it makes. Over TLS it writes to the session that it has closed, and over TCP
# it does not get on with coturn.
@pytest.mark.parametrize("judged, options, family", [
    ("yuelao", [], 4), ("yuelao", ["-t", "-x"], 6), ("coturn", [], 4)],
    ids=["udp", "tcp over ipv6", "coturn's udp"])
def test_coturns_client_moves(network, serve, tmp_path, judged, options, family):
    if judged == "yuelao":
        server = serve(settings(mobility="on", **ALLOWED))
        stop = lambda: None
    else:
        stop = Coturn(network.server, tmp_path / "coturn",
                      options=["--mobility", "--allow-loopback-peers"]).stop
    try:
        with echo_peer(network.client, family):
            assert_no_loss(uclient(network.client, "-M", *options, family=family))
    finally:
        stop()
    if judged == "yuelao":
        assert server.metric("yuelao_allocations_moved_total") > 0
