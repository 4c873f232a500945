"""NAT behaviour discovery (RFC 5780) through the built server: what its answers say and where they
come from, what `yuelao probe` and coturn's client find out by it, and what it is worth to whoever
forges requests."""

import contextlib
import ipaddress
import re
import socket
import struct
import threading

import pytest

import stun
from coturn import Coturn
from nat import BY_ADDRESS, BY_BOTH, HOME, KINDS, OTHER, Street
from network import CLIENT, PEER, SERVER, bracketed
from probing import run_probe
from yuelao import Yuelao, settings

PORTS = (3478, 3479)
DISCOVERY = {"addresses": [*SERVER.values(), *OTHER.values()], "ports": list(PORTS)}
FLAGS = {(): 0, ("port",): 2, ("ip",): 4, ("ip", "port"): 6}
IP_AND_UDP_BYTES = {4: 28, 6: 48}


@pytest.fixture(scope="module")
def built_street():
    made = Street()
    yield made
    made.remove()


@pytest.fixture
def street(built_street):
    built_street.become("no NAT")
    return built_street


@pytest.fixture
def serve(street, tmp_path):
    """serve(settings of its own...) -> Yuelao in the street; its end is checked."""
    with contextlib.ExitStack() as running:
        def start(**changes):
            server = Yuelao(street.server, tmp_path, settings(
                **{"behavior_discovery": DISCOVERY} | changes))
            running.callback(server.stop)
            server.wait_for_news("READY=1")
            return server

        yield start


@pytest.fixture
def coturn(street, tmp_path):
    server = Coturn(street.server, tmp_path / "coturn", other=OTHER[4])
    yield server
    server.stop()


def changing(*what):
    return stun.CHANGE_REQUEST, struct.pack(">I", FLAGS[what])


def outside(street, family, kind=socket.SOCK_DGRAM):
    """A socket where no NAT is between."""
    return street.router.socket(kind, family, CLIENT[family])


def ask(client, to, *attributes, receiver=None):
    """The answer and where it came from."""
    request = stun.encode(stun.BINDING, attributes)
    client.sendto(request, to)
    data, source = (receiver or client).recvfrom(65536)
    answer = stun.Message.parse(data)
    assert answer.transaction == request[8:20]
    return answer, source[:2]


# The server

@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("poller", ["epoll", "io_uring"])
@pytest.mark.parametrize("listen", [["udp:3478", "tcp:3478"], ["udp:3478", "udp:3479", "tcp:3478"],
                                    [f"udp:{SERVER[4]}:3478"]],
                         ids=["one port", "both ports", "one address"])
def test_the_answer_comes_from_where_it_is_asked_to(street, serve, listen, poller, family):
    """Table 1 of RFC 5780 §6.1, on the wire, whichever shard gets the request."""
    serve(listen=listen, poller=poller, threads=2)
    for address, changed_address in ((SERVER, OTHER), (OTHER, SERVER)):
        for port, changed_port in (PORTS, PORTS[::-1]):
            other = (changed_address[family], changed_port)
            for flags in FLAGS:
                expected = (changed_address[family] if "ip" in flags else address[family],
                            changed_port if "port" in flags else port)
                # The kernel chooses the shard by the client's port.
                for _ in range(4):
                    with outside(street, family) as client:
                        answer, source = ask(client, (address[family], port), changing(*flags))
                        assert answer.error is None
                        assert source == expected
                        assert answer.plain_address(stun.RESPONSE_ORIGIN) == expected
                        assert answer.plain_address(stun.OTHER_ADDRESS) == other
                        mapped = client.getsockname()[:2]
                        assert answer.address(stun.XOR_MAPPED_ADDRESS) == mapped
                        assert answer.plain_address(stun.MAPPED_ADDRESS) == mapped


@pytest.mark.parametrize("family", [4, 6])
def test_over_tcp_the_other_address_is_told_and_is_there(street, serve, family):
    serve()
    at = (SERVER[family], 3478)
    for _ in range(2):
        with outside(street, family, socket.SOCK_STREAM) as client:
            client.connect(at)
            client.sendall(stun.encode(stun.BINDING))
            answer = stun.Message.parse(client.recv(1000))
            assert answer.plain_address(stun.RESPONSE_ORIGIN) == at
            client.sendall(stun.encode(stun.BINDING, [changing("ip", "port")]))
            assert stun.Message.parse(client.recv(1000)).error == 420
            at = answer.plain_address(stun.OTHER_ADDRESS)
            assert at in ((OTHER[family], 3479), (SERVER[family], 3478))


@pytest.mark.parametrize("family", [4, 6])
def test_response_port_reaches_another_socket_of_the_same_address(street, serve, family):
    serve()
    with outside(street, family) as asking, outside(street, family) as told:
        port = told.getsockname()[1]
        answer, source = ask(asking, (SERVER[family], 3478), changing("ip"),
                             (stun.RESPONSE_PORT, struct.pack(">HH", port, 0)), receiver=told)
        assert source == (OTHER[family], 3478)
        assert answer.address(stun.XOR_MAPPED_ADDRESS) == asking.getsockname()[:2]
        for refused in [(stun.RESPONSE_PORT, struct.pack(">HH", 53, 0))], [
                (stun.RESPONSE_PORT, struct.pack(">HH", port, 0)), (stun.PADDING, bytes(1500))]:
            answer, _ = ask(asking, (SERVER[family], 3478), *refused)
            assert answer.error == 400


@pytest.mark.parametrize("family", [4, 6])
def test_padding_is_answered_in_fragments_too(street, serve, family):
    serve()
    with outside(street, family) as client:
        answer, source = ask(client, (SERVER[family], 3478), changing("ip", "port"),
                             (stun.PADDING, bytes(1500)))
        assert source == (OTHER[family], 3479)
        # As long as the request, and longer than the link takes in one piece.
        assert len(answer.data) == 20 + 8 + 4 + 1500
        assert len(answer.data) + IP_AND_UDP_BYTES[family] > 1500


@pytest.mark.parametrize("family", [4, 6])
def test_without_the_key_nothing_is_changed(street, serve, family):  # RFC 5780 §6
    serve(behavior_discovery={"addresses": [SERVER[10 - family], OTHER[10 - family]]})
    with outside(street, family) as client:
        answer, _ = ask(client, (SERVER[family], 3478))
        assert set(answer.attributes) == {stun.XOR_MAPPED_ADDRESS}
        for attribute in (changing("port"), (stun.PADDING, bytes(1000)),
                          (stun.RESPONSE_PORT, struct.pack(">HH", 40000, 0))):
            answer, source = ask(client, (SERVER[family], 3478), attribute)
            assert (answer.error, source) == (420, (SERVER[family], 3478))


@pytest.mark.parametrize("family, missing", [(4, "10.77.0.9"), (6, "fd77::9")])
def test_an_address_that_is_not_here_is_named_at_the_start(street, tmp_path, family, missing):
    server = Yuelao(street.server, tmp_path, settings(
        behavior_discovery={"addresses": [SERVER[family], missing]}))
    assert server.wait() == 1
    assert f"address {missing} that `behavior_discovery.addresses` names" in server.output


def test_other_addresses_wait_for_a_restart(street, serve):
    server = serve()
    server.reload(settings())
    server.wait_for_line(r"wait for a restart.*behavior_discovery")
    with outside(street, 4) as client:
        assert ask(client, (SERVER[4], 3478), changing("ip"))[1] == (OTHER[4], 3478)


# What it is worth to whoever forges a request: RFC 5780 §10

def wire_ratio(answer, request, family):
    return ((len(answer) + IP_AND_UDP_BYTES[family]) / (len(request) + IP_AND_UDP_BYTES[family])
            if answer else 0.0)


@pytest.mark.parametrize("family", [4, 6])
def test_nothing_makes_an_answer_longer_than_a_bare_binding_does(street, serve, family):
    server = serve()
    port = (stun.RESPONSE_PORT, struct.pack(">HH", 40000, 0))
    shapes = {
        "a bare Binding": [],
        "CHANGE-REQUEST": [changing("ip", "port")],
        "RESPONSE-PORT": [port],
        "RESPONSE-PORT and CHANGE-REQUEST": [port, changing("ip", "port")],
        "PADDING of 1500": [(stun.PADDING, bytes(1500))],
        "PADDING of 9000": [(stun.PADDING, bytes(9000))],
        "PADDING of 4": [(stun.PADDING, bytes(4))],
        "PADDING of 4 and CHANGE-REQUEST": [(stun.PADDING, bytes(4)), changing("ip", "port")],
        "PADDING and RESPONSE-PORT": [(stun.PADDING, bytes(1500)), port],
        "a port below 1024": [(stun.RESPONSE_PORT, struct.pack(">HH", 123, 0))],
    }
    requests = {shape: stun.encode(stun.BINDING, attributes)
                for shape, attributes in shapes.items()}
    answers = {shape: b"" for shape in shapes}
    silent = {"PADDING of 4", "PADDING of 4 and CHANGE-REQUEST"}
    moved = {"RESPONSE-PORT", "RESPONSE-PORT and CHANGE-REQUEST"}
    with outside(street, family) as client, \
            street.router.socket(socket.SOCK_DGRAM, family, CLIENT[family], 40000) as told:
        # What is met with silence comes first: it is decided when the others are answered.
        for shape in sorted(shapes, key=lambda shape: shape not in silent):
            client.sendto(requests[shape], (SERVER[family], 3478))
        shape_of = {request[8:20]: shape for shape, request in requests.items()}
        for receiver, count in ((told, len(moved)), (client, len(shapes) - len(moved | silent))):
            for _ in range(count):
                answer = receiver.recv(65536)
                answers[shape_of[answer[8:20]]] = answer
    bare = len(answers["a bare Binding"])
    assert bare == {4: 68, 6: 116}[family]
    for shape, request in requests.items():
        answer = answers[shape]
        print(f"IPv{family} {shape}: {len(request)} -> {len(answer)} octets, on the wire "
              f"{wire_ratio(answer, request, family):.2f}")
        assert len(answer) <= max(len(request), bare), shape
    assert {shape for shape, answer in answers.items() if not answer} == silent
    assert server.metric('yuelao_drops_total{reason="short_padding"}') == 2
    assert wire_ratio(answers["PADDING of 1500"], requests["PADDING of 1500"], family) == 1
    assert wire_ratio(answers["PADDING of 9000"], requests["PADDING of 9000"], family) < 0.2
    # What docs/configuration.md says it costs.
    assert wire_ratio(answers["a bare Binding"], requests["a bare Binding"], family) == (
        pytest.approx({4: 2.0, 6: 2.4}[family], abs=0.05))


# The clients

def host(family):
    return bracketed(SERVER[family])


def assert_found(probed, kind):
    _, mapping, filtering = KINDS[kind]
    assert probed.status == 0, probed.text
    assert probed.leg["nat"] == {"translated": mapping is not None,
                                 "mapping": mapping or "endpoint-independent",
                                 "filtering": filtering}, probed.text
    assert probed.step("nat")["verdict"] == "works"


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_the_probe_tells_every_kind_of_nat(street, serve, kind, family):
    serve()
    street.become(kind)
    assert_found(run_probe(street.home, f"stun:{host(family)}"), kind)


@pytest.mark.usefixtures("coturn")
@pytest.mark.parametrize("kind", KINDS)
def test_the_probe_finds_the_same_with_coturn(street, kind):
    street.become(kind)
    assert_found(run_probe(street.home, f"stun:{SERVER[4]}"), kind)


def verdicts(street, *options):
    """What turnutils_natdiscovery concludes."""
    done = street.home.run("turnutils_natdiscovery", *options, SERVER[4])
    assert done.returncode == 0, done.stdout
    found = re.findall(r"^(?:NAT with|No NAT|Mapping|NAT).*!|^NAT lifetime.*", done.stdout,
                       re.MULTILINE)
    assert found, done.stdout
    return found


WORDS = {"endpoint-independent": "Endpoint Independent", "address-dependent": "Address Dependent",
         "address and port-dependent": "Address and Port Dependent"}


@pytest.mark.parametrize("server", ["yuelao", "coturn"])
@pytest.mark.parametrize("padding", [[], ["-P"]], ids=["short", "padded"])
@pytest.mark.parametrize("kind", [kind for kind, (_, mapping, _) in KINDS.items() if mapping])
def test_coturns_client_finds_what_there_is(street, request, server, kind, padding):
    request.getfixturevalue("coturn") if server == "coturn" else request.getfixturevalue("serve")()
    street.become(kind)
    _, mapping, filtering = KINDS[kind]
    # Test III goes to the OTHER-ADDRESS of test II's answer, which by Table 1 of RFC 5780 §6.1 is
    # the first address again. coturn names the second one there, and is no judge of this kind.
    if server == "yuelao" and mapping == BY_ADDRESS:
        mapping = BY_BOTH
    assert verdicts(street, "-m", "-f", *padding) == [
        f"NAT with {WORDS[mapping]} Mapping!", f"NAT with {WORDS[filtering]} Filtering!"]


def test_people_read_what_their_nat_does(street, serve):
    serve()
    street.become("symmetric")
    text = run_probe(street.home, f"stun:{SERVER[4]}", json=False)
    assert text.status == 0
    assert "(address and port-dependent mapping): most calls need a relay." in text.text
    assert "finding out what kind of NAT is between ...\n" in text.waited
    street.become("no NAT")
    text = run_probe(street.home, f"stun:{SERVER[4]}", json=False).text
    assert "No NAT is between. Datagrams come in from anywhere" in text


def test_a_server_without_it_is_not_asked(street, serve):
    serve(behavior_discovery={"addresses": [SERVER[6], OTHER[6]]})
    street.become("masquerade")
    probed = run_probe(street.home, f"stun:{SERVER[4]}")
    assert probed.status == 0 and probed.leg["nat"] is None
    assert [step["step"] for step in probed.leg["steps"]] == ["binding", "features"]


def test_a_firewall_at_the_other_address_is_told_from_a_nat(street, serve):
    serve()
    street.become("full cone")
    street.drop_at_server(f"ip daddr {OTHER[4]}")
    try:
        probed = run_probe(street.home, f"stun:{SERVER[4]}")
    finally:
        street.drop_at_server(None)
    step = probed.step("nat")
    assert step["verdict"] == "attention" and probed.status == 0
    assert f"{OTHER[4]}:3479 as its other address, and nothing answers there" in step["text"]
    # The server may still send from there.
    assert probed.leg["nat"] == {
        "translated": True, "mapping": "unknown", "filtering": "endpoint-independent"}


def test_coturns_client_measures_a_lifetime(street, serve):
    """By RESPONSE-PORT: its second request comes from another socket than the answer goes to."""
    serve()
    street.become("masquerade")
    done = street.home.run("turnutils_natdiscovery", "-t", "-T", "1", SERVER[4])
    assert done.returncode == 0 and "RFC 5780 response 2" in done.stdout, done.stdout
    first, second = re.findall(r"UDP reflexive addr: (\S+)", done.stdout)
    assert first != second


class Impostor:
    """A STUN server that says of itself, and of the client, what a test wants."""

    def __init__(self, street, family, address, attributes):
        self._socket = street.server.socket(socket.SOCK_DGRAM, family, address, 3478)
        self._attributes = attributes
        self.requests = 0
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        # One datagram to itself ends the wait for the next.
        self._socket.sendto(b"end", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self):
        while (came := self._socket.recvfrom(1500))[0] != b"end":
            if came[0][0] > 3:  # RFC 7983: not STUN but a DTLS handshake, which it does not speak
                continue
            self.requests += 1
            transaction = stun.Message.parse(came[0]).transaction
            mapped = stun.xor_address(stun.XOR_MAPPED_ADDRESS, *came[1][:2], transaction)
            self._socket.sendto(stun.encode(stun.BINDING | stun.SUCCESS,
                                            [mapped, *self._attributes], transaction), came[1])


def plain(name, address, port):
    packed = ipaddress.ip_address(address).packed
    return name, struct.pack(">BBH", 0, 1 if len(packed) == 4 else 2, port) + packed


@pytest.mark.parametrize("family", [4, 6])
def test_a_gateway_that_rewrites_messages_is_told_of(street, family):
    street.become("masquerade")
    with Impostor(street, family, SERVER[family], [plain(stun.MAPPED_ADDRESS, HOME[family], 4000)]):
        probed = run_probe(street.home, f"stun:{host(family)}")
    step = probed.step("gateway")
    assert step["verdict"] == "attention"
    assert f"here to {bracketed(HOME[family])}:4000" in step["text"]


@pytest.mark.parametrize("family, public", [(4, "1.2.3.4"), (6, "2606:4700::4")])
def test_no_server_makes_the_probe_send_into_its_own_network(street, family, public):
    street.become("full cone")
    street.give_server(public, family)
    with Impostor(street, family, public, [plain(stun.OTHER_ADDRESS, HOME[family], 53)]) as impostor, \
            street.home.socket(socket.SOCK_DGRAM, family, HOME[family], 53) as inside:
        probed = run_probe(street.home, f"stun:{bracketed(public)}")
        step = probed.step("nat")
        assert step["verdict"] == "attention" and probed.leg["nat"] is None
        assert f"{bracketed(HOME[family])}:53 as its other address, which nobody elsewhere" in step["text"]
        assert impostor.requests > 1
        inside.setblocking(False)
        with pytest.raises(BlockingIOError):
            inside.recv(1500)


def test_a_relay_is_tried_as_well(street, serve, tmp_path):
    (tmp_path / "secret").write_text("marker-secret-rest\n")
    serve()
    street.become("full cone")
    probed = run_probe(street.home, f"turn:{SERVER[4]}?transport=udp", "--secret-file",
                       tmp_path / "secret")
    assert_found(probed, "full cone")
    assert probed.leg["relayed"].startswith(SERVER[4])
    assert PEER[4] not in probed.text
