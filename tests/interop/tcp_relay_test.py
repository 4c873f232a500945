"""TCP relays (RFC 6062), through the built server: over TCP and TLS, from both sides."""

import contextlib
import hashlib
import os
import re
import socket
import struct
import threading

import pytest

import stun
from coturn import Coturn
from network import PEER, SERVER
from turn_client import Refused, TurnClient
from yuelao import PASSWORD, PATIENCE, USER, settings

ON = {"peers": {"allow": list(PEER.values())}, "tcp_relays": {"enabled": "on"}}
TRANSPORTS = [("tcp", 3478), ("tls", 5349)]
FAMILIES = pytest.mark.parametrize("family", [4, 6])
NOT_LET_IN = {4: "10.9.9.9", 6: "fd99::9"}


class DataSocket:
    """A socket, with what came together with the answer to ConnectionBind."""

    def __init__(self, sock, first):
        self.socket, self._first = sock, first

    def recv(self, size):
        if not self._first:
            return self.socket.recv(size)
        first, self._first = self._first[:size], self._first[size:]
        return first

    def __getattr__(self, name):
        return getattr(self.socket, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


class TcpClient(TurnClient):
    """A control connection with a TCP relay, and as many data connections as are asked for."""

    def __init__(self, network, transport="tcp", port=3478, family=4, authority=None, **options):
        self.opened = lambda: TurnClient(network.client, transport, family, port,
                                         authority=authority, **options)
        super().__init__(network.client, transport, family, port, authority=authority, **options)
        self.attempts = []  # (peer, connection id) that ConnectionAttempt told of

    def _take(self, message):
        parsed = None if message[0] & 0xC0 else stun.Message.parse(message)
        if parsed and parsed.kind == stun.CONNECTION_ATTEMPT | stun.INDICATION:
            self.attempts.append((parsed.address(stun.XOR_PEER_ADDRESS),
                                  parsed.attributes[stun.CONNECTION_ID]))
            return True
        return super()._take(message)

    def relay(self, *attributes):
        answer = self.request(stun.ALLOCATE, [stun.TCP_TRANSPORT, *attributes])
        self.relayed = answer.address(stun.XOR_RELAYED_ADDRESS)
        return self.relayed

    def connect(self, peer):
        """The connection's id."""
        transaction = stun.new_transaction()
        return self.request(stun.CONNECT, [
            stun.xor_address(stun.XOR_PEER_ADDRESS, *peer, transaction)],
            transaction).attributes[stun.CONNECTION_ID]

    def next_attempt(self):
        while not self.attempts:
            self._take(self.receive())
        return self.attempts.pop(0)

    def bind_data(self, connection):
        """The socket of a new data connection."""
        data = self.opened()
        try:
            data.request(stun.CONNECTION_BIND, [(stun.CONNECTION_ID, connection)])
        except BaseException:
            data.socket.close()
            raise
        data.socket.settimeout(PATIENCE)
        return DataSocket(data.socket, data._buffer)


@contextlib.contextmanager
def listening_peer(network, family=4):
    with network.client.socket(socket.SOCK_STREAM, family, PEER[family]) as listener:
        listener.listen()
        listener.settimeout(PATIENCE)
        yield listener


def accept(listener):
    accepted, source = listener.accept()
    accepted.settimeout(PATIENCE)
    return accepted, source[:2]


def address(listener):
    return listener.getsockname()[:2]


def refusal(call):
    with pytest.raises(Refused) as refused:
        call()
    return refused.value.code


def digest_of_all(source):
    """Reads to the end of the stream."""
    digest = hashlib.sha256()
    while octets := source.recv(65536):
        digest.update(octets)
    return digest.hexdigest()


def in_background(work):
    result = []
    thread = threading.Thread(target=lambda: result.append(work()), daemon=True)
    thread.start()

    def join():
        thread.join(4 * PATIENCE)
        assert result, "the other side does not get on"
        return result[0]

    return join


def send_all_and_end(sink, octets):
    sink.sendall(octets)
    sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def tcp_server(serve, certificate):
    return serve(settings(tls=certificate, **ON))


def test_off_by_default(network, yuelao):
    """RFC 6062 §5.1."""
    with TcpClient(network) as client:
        assert refusal(client.relay) == 442
        assert refusal(lambda: client.connect((PEER[4], 80))) == 437
        client.allocate()


@FAMILIES
@pytest.mark.parametrize("transport, port", TRANSPORTS)
def test_a_client_connects_to_a_peer(network, tcp_server, authority, transport, port, family):
    """RFC 6062 §5.2, §5.4: from the relayed address; data as it is, both ways; the end of one side
    is the end of the other."""
    with TcpClient(network, transport, port, family, authority.certificate) as client, \
            listening_peer(network, family) as listener:
        relayed = client.relay()
        assert relayed[0] == SERVER[family]
        connection = client.connect(address(listener))
        peer, source = accept(listener)
        assert source == relayed
        # What the peer says before the client has bound the connection waits for it (§5.4).
        peer.sendall(b"early")
        with client.bind_data(connection) as data, peer:
            assert data.recv(100) == b"early"
            data.sendall(b"hello")
            assert peer.recv(100) == b"hello"
            peer.close()
            assert data.recv(100) == b""


@pytest.mark.parametrize("transport, port, family", [("tcp", 3478, 4), ("tls", 5349, 6)])
def test_a_peer_connects_to_the_client(network, tcp_server, authority, transport, port, family):
    """RFC 6062 §5.3."""
    with TcpClient(network, transport, port, family, authority.certificate) as client:
        relayed = client.relay()
        client.permit(PEER[family])
        with network.client.socket(socket.SOCK_STREAM, family, PEER[family]) as peer:
            peer.connect(relayed)
            peer.sendall(b"first")
            told, connection = client.next_attempt()
            assert told == address(peer)
            with client.bind_data(connection) as data:
                assert data.recv(100) == b"first"
                data.sendall(b"answer")
                assert peer.recv(100) == b"answer"
            assert peer.recv(100) == b""


@FAMILIES
def test_a_peer_without_permission_is_closed(network, tcp_server, family):
    """RFC 6062 §5.3."""
    with TcpClient(network, family=family) as client:
        relayed = client.relay()
        with network.client.socket(socket.SOCK_STREAM, family, PEER[family]) as peer:
            peer.connect(relayed)
            assert peer.recv(100) == b""
        assert tcp_server.metric('yuelao_drops_total{reason="no_permission"') == 1
        assert not client.attempts


@FAMILIES
def test_connects_that_are_refused(network, tcp_server, family):
    """RFC 6062 §5.2."""
    with TcpClient(network, family=family) as client, listening_peer(network, family) as listener:
        assert refusal(lambda: client.connect(address(listener))) == 437
        client.relay()
        connection = client.connect(address(listener))
        assert refusal(lambda: client.connect(address(listener))) == 446
        with client.bind_data(connection):
            assert refusal(lambda: client.connect(address(listener))) == 446
            assert refusal(lambda: client.bind_data(connection)) == 400
        # Nobody listens there.
        with network.client.socket(socket.SOCK_STREAM, family, PEER[family]) as nobody:
            assert refusal(lambda: client.connect(address(nobody))) == 447
        assert refusal(lambda: client.connect((NOT_LET_IN[family], 80))) == 403
        assert refusal(lambda: client.connect((SERVER[family], 3478))) == 403
        assert refusal(lambda: client.connect((PEER[10 - family], 80))) == 443
        assert refusal(lambda: client.bind_data(b"\xff\xff\xff\xff")) == 400
    with TurnClient(network.client, family=family) as udp:
        with pytest.raises(Refused) as refused:
            udp.request(stun.ALLOCATE, [stun.TCP_TRANSPORT])
        assert refused.value.code == 400


@pytest.mark.parametrize("transport, port", TRANSPORTS)
def test_megabytes_pass_both_ways_at_once(network, tcp_server, authority, transport, port):
    """RFC 6062 §5.4, over several shards: the data connection lands on any of them."""
    there, back = os.urandom(5_000_000), os.urandom(5_000_000)
    with TcpClient(network, transport, port, authority=authority.certificate) as client, \
            listening_peer(network) as listener:
        client.relay()
        connection = client.connect(address(listener))
        peer, _ = accept(listener)
        with client.bind_data(connection) as data, peer:
            sent = in_background(lambda: send_all_and_end(peer, back) or True)
            if transport == "tls":
                # One thread a direction is one too many for Python's TLS.
                assert digest_of_all(data) == hashlib.sha256(back).hexdigest()
                assert sent()
                received = in_background(lambda: digest_of_all(peer))
                data.sendall(there)
                data.unwrap().close()
            else:
                received = in_background(lambda: digest_of_all(peer))
                came = in_background(lambda: digest_of_all(data))
                send_all_and_end(data, there)
                assert came() == hashlib.sha256(back).hexdigest()
                assert sent()
            assert received() == hashlib.sha256(there).hexdigest()
        assert tcp_server.metric(
            'yuelao_tcp_relayed_bytes_total{direction="client_to_peer"') == len(there)
        assert tcp_server.metric(
            'yuelao_tcp_relayed_bytes_total{direction="peer_to_client"') == len(back)


def fill(sink):
    """As much as all buffers on the way take."""
    sink.settimeout(1)
    digest, size, chunk = hashlib.sha256(), 0, os.urandom(65536)
    with contextlib.suppress(TimeoutError):
        while size < 400_000_000:
            sent = sink.send(chunk)
            digest.update(chunk[:sent])
            size += sent
    sink.settimeout(PATIENCE)
    return digest, size


@pytest.mark.parametrize("slow", ["client", "peer"])
def test_a_slow_reader_stops_its_sender(network, tcp_server, slow):
    """RFC 6062 §3: what cannot be written is not read; nothing piles up in the server."""
    with TcpClient(network) as client, listening_peer(network) as listener:
        client.relay()
        connection = client.connect(address(listener))
        peer, _ = accept(listener)
        with client.bind_data(connection) as data, peer:
            reader, writer = (data, peer) if slow == "client" else (peer, data)
            before = tcp_server.metric("process_resident_memory_bytes")
            digest, size = fill(writer)
            assert 100_000 < size < 100_000_000
            assert tcp_server.metric("process_resident_memory_bytes") - before < 16_000_000
            # The other way is open all the while, and so are other clients.
            reader.sendall(b"still here")
            assert writer.recv(100) == b"still here"
            with TcpClient(network) as other:
                other.relay()
            # And nothing is lost once it reads.
            writer.shutdown(socket.SHUT_WR)
            assert digest_of_all(reader) == digest.hexdigest()


@pytest.mark.parametrize("end, family", [("refresh", 4), ("control connection", 6)])
def test_data_connections_end_with_their_allocation(network, tcp_server, end, family):
    """RFC 6062 §5.5."""
    with TcpClient(network, family=family) as client, listening_peer(network, family) as listener:
        relayed = client.relay()
        connection = client.connect(address(listener))
        peer, _ = accept(listener)
        with client.bind_data(connection) as data, peer:
            if end == "refresh":
                client.refresh(0)
            else:
                client.socket.close()
            assert data.recv(100) == b""
            assert peer.recv(100) == b""
        with network.client.socket(socket.SOCK_STREAM, family, PEER[family]) as late:
            with pytest.raises(ConnectionRefusedError):
                late.connect(relayed)
        assert tcp_server.metric("yuelao_peer_connections") == 0


def test_half_of_a_connection_may_end_first(network, tcp_server):
    with TcpClient(network) as client, listening_peer(network) as listener:
        client.relay()
        connection = client.connect(address(listener))
        peer, _ = accept(listener)
        with client.bind_data(connection) as data, peer:
            send_all_and_end(data, b"question")
            assert peer.recv(100) == b"question"
            assert peer.recv(100) == b""
            peer.sendall(b"answer")
            assert data.recv(100) == b"answer"
            peer.close()
            assert data.recv(100) == b""


def test_a_reset_is_passed_on(network, tcp_server):
    """RFC 6062 §5.5; what was cut off is not taken for all there was."""
    with TcpClient(network) as client, listening_peer(network) as listener:
        client.relay()
        connection = client.connect(address(listener))
        peer, _ = accept(listener)
        with client.bind_data(connection) as data:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
            with pytest.raises(ConnectionResetError):
                data.recv(100)


def test_connections_land_on_every_shard(network, serve):
    """A ConnectionBind that came to another shard than the allocation's goes there."""
    server = serve(settings(**ON, threads=4))
    with TcpClient(network) as client, listening_peer(network) as listener, \
            contextlib.ExitStack() as open_sockets:
        client.relay()
        client.permit(PEER[4])
        pairs = []
        for number in range(12):
            peer = open_sockets.enter_context(network.client.socket(socket.SOCK_STREAM, 4, PEER[4]))
            peer.connect(client.relayed)
            _, connection = client.next_attempt()
            pairs.append((open_sockets.enter_context(client.bind_data(connection)), peer, number))
        for data, peer, number in pairs:
            data.sendall(b"%d" % number)
            assert peer.recv(100) == b"%d" % number
            peer.sendall(b"back %d" % number)
            assert data.recv(100) == b"back %d" % number
        assert server.metric('yuelao_peer_connections{state="bound"') == 12
        assert server.metric("yuelao_open_connections") == 13


def test_a_limit_of_connections_is_kept(network, serve):
    serve(settings(**ON | {"tcp_relays": {"enabled": "on", "per_allocation": 1}}))
    with TcpClient(network) as client, listening_peer(network) as listener, \
            listening_peer(network) as other:
        relayed = client.relay()
        client.permit(PEER[4])
        client.connect(address(listener))
        assert refusal(lambda: client.connect(address(other))) == 508
        with network.client.socket(socket.SOCK_STREAM, 4, PEER[4]) as peer:
            peer.connect(relayed)
            assert peer.recv(100) == b""


def test_without_descriptors_nothing_else_is_harmed(network, serve):
    """Connect is 508 then; the connections that there are go on."""
    many = {"enabled": "on", "per_allocation": 100}
    serve(settings(**ON | {"tcp_relays": many}, threads=1), descriptors=64)
    with TcpClient(network) as client, listening_peer(network) as listener, \
            contextlib.ExitStack() as peers:
        client.relay()
        first = client.connect(address(listener))
        peer, _ = accept(listener)
        with client.bind_data(first) as data, peer:
            codes = []
            while len(codes) < 64 and 508 not in codes:
                another = peers.enter_context(listening_peer(network))
                try:
                    client.connect(address(another))
                except Refused as refused:
                    codes.append(refused.code)
                else:
                    codes.append(0)
            assert codes[-1] == 508, codes
            data.sendall(b"still here")
            assert peer.recv(100) == b"still here"


@FAMILIES
def test_new_peer_rules_end_what_they_forbid(network, serve, family):
    server = serve(settings(**ON))
    with TcpClient(network, family=family) as client, listening_peer(network, family) as listener:
        client.relay()
        connection = client.connect(address(listener))
        peer, _ = accept(listener)
        with client.bind_data(connection) as data, peer:
            server.reload(settings(tcp_relays=ON["tcp_relays"],
                                   peers={"allow": [PEER[10 - family]]}))
            assert data.recv(100) == b""


# turnutils_uclient -T: clients whose relays connect to each other.

@pytest.mark.parametrize("options, family", [(["-T", "-x"], 6), (["-T", "-S"], 4)],
                         ids=["tcp over ipv6", "tls"])
@pytest.mark.parametrize("judged", ["yuelao", "coturn"])
def test_coturns_clients_connect_their_relays(network, serve, certificate, tmp_path, judged,
                                              options, family):
    if "-S" in options and judged == "yuelao":
        options = [*options, "-p", "5349"]
    if judged == "yuelao":
        serve(settings(tls=certificate, tcp_relays=ON["tcp_relays"]))
        stop = lambda: None
    else:
        stop = Coturn(network.server, tmp_path / "coturn", certificate, family=family).stop
    try:
        done = network.client.run("turnutils_uclient", *options, "-u", USER, "-w", PASSWORD, "-n",
                                  20, "-m", 2, "-l", 170, "-z", 20, SERVER[family], timeout=60)
    finally:
        stop()
    sent, received = map(int, re.findall(r"tot_(?:send|recv)_msgs=(\d+)", done.stdout)[-2:])
    assert sent == received > 0, done.stdout
