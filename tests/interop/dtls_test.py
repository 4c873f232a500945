"""DTLS (RFC 7350) through the built server: OpenSSL's client, coturn's and our own probe, lost
flights, forged floods."""

import contextlib
import functools
import ipaddress
import socket
import struct
import subprocess
import time

import pytest

from certificates import NAME
from clients import assert_no_loss, echo_peer, uclient
from coturn import Coturn
from name_servers import NO_DNS, etc
from network import PEER, SERVER, bracketed
from openssl_client import assert_it_answers, binding, openssl_client
from probing import run_probe
from yuelao import PASSWORD, PATIENCE, USER, settings

LISTEN = ["udp:3478", "tcp:3478", "dtls:5349"]
FAMILIES = pytest.mark.parametrize("family", [4, 6])
IP_AND_UDP_BYTES = {4: 28, 6: 48}


@pytest.fixture
def server(serve, certificate):
    return serve(settings(tls=certificate, listen=LISTEN, peers={"allow": list(PEER.values())}))


def wait_for_metric(server, name, value, before=0):
    """A datagram that has left may wait for its turn: each look takes one."""
    end = time.monotonic() + PATIENCE
    while (seen := server.metric(name) - before) != value:
        assert time.monotonic() < end, (name, seen)


@pytest.mark.parametrize("port", [5349, 3478])
@FAMILIES
def test_openssls_client_is_answered(network, server, authority, port, family):
    """RFC 7350 §3, on its own port and on the one of UDP."""
    with openssl_client(network.client, authority, port=port, family=family) as client:
        assert_it_answers(client)
    assert server.metric('yuelao_tls_handshakes_total{transport="dtls",result="success"}') == 1


@pytest.mark.parametrize("suite, spoken", [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-AES256-GCM-SHA384", True),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", True), ("NULL", False), ("aNULL", False), ("PSK", False),
    ("AES128-GCM-SHA256", False)])
def test_suites_with_forward_secrecy_alone_are_spoken(network, server, authority, suite, spoken):
    """RFC 7350 §3, RFC 9325 §4.1."""
    with openssl_client(network.client, authority, "-cipher", f"{suite}:@SECLEVEL=0") as client:
        if spoken:
            assert_it_answers(client)
        else:
            assert client.ask(binding()) == b""


def test_the_suite_that_everybody_has_is_spoken(network, serve, tmp_path):
    """RFC 7350 §3: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, with an RSA certificate."""
    files = {"certificate": str(tmp_path / "rsa.pem"), "key": str(tmp_path / "rsa.key")}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-keyout",
                    files["key"], "-out", files["certificate"]], check=True, capture_output=True)
    serve(settings(tls=files, listen=LISTEN))
    done = network.client.run("openssl", "s_client", "-dtls1_2", "-connect", f"{SERVER[4]}:5349",
                              "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", input="")
    assert "Cipher is ECDHE-RSA-AES128-GCM-SHA256" in done.stdout, done.stdout
    assert "Secure Renegotiation IS supported" in done.stdout
    assert "Compression: NONE" in done.stdout


@pytest.mark.parametrize("offered, selected", [
    (["-alpn", "stun.turn"], "ALPN protocol: stun.turn"),
    (["-alpn", "stun.nat-discovery"], "ALPN protocol: stun.nat-discovery"),
    (["-alpn", "http/1.1"], "No ALPN negotiated"), ([], "No ALPN negotiated")])
def test_alpn_is_selected_when_offered_and_never_required(network, server, offered, selected):
    """RFC 7443 §1."""
    done = network.client.run("openssl", "s_client", "-dtls1_2", "-connect", f"{SERVER[4]}:5349",
                              *offered, input="")
    assert selected in done.stdout, done.stdout


def test_nothing_older_is_spoken(network, server):
    done = network.client.run("openssl", "s_client", "-dtls1", "-connect", f"{SERVER[4]}:5349",
                              "-cipher", "ALL:@SECLEVEL=0", input="")
    assert "Cipher is (NONE)" in done.stdout, done.stdout


def test_coturns_client_calls_over_dtls(network, server):
    assert_no_loss(uclient(network.client, "-S", peer=False))
    with echo_peer(network.client, 6):
        assert_no_loss(uclient(network.client, "-S", "-x", family=6))


def test_the_same_client_against_coturn(network, certificate, tmp_path):
    """The judge: what the client does with its own server."""
    server = Coturn(network.server, tmp_path / "coturn", certificate)
    try:
        assert_no_loss(uclient(network.client, "-S", peer=False))
    finally:
        server.stop()


def test_sixty_dtls_sessions_at_once(network, server):
    with echo_peer(network.client):
        assert_no_loss(uclient(network.client, "-S", sessions=60, messages=20), 60, 20)


@pytest.fixture
def probe(network, tmp_path):
    (tmp_path / "password").write_text(PASSWORD + "\n")
    hosts = f"{SERVER[4]} {NAME}\n"
    with etc(network.client, hosts=hosts, **{"resolv.conf": NO_DNS}):
        yield functools.partial(run_probe, network.client, f"turns:{NAME}?transport=udp", "--user",
                                USER, "--password-file", tmp_path / "password")


def assert_it_works(probed):
    # The certificate of a test ends too soon for its taste.
    assert probed.report["works"] and probed.leg["transport"] == "dtls", probed.text
    assert probed.leg["certificate"]["protocol"] == "DTLSv1.2"
    assert probed.leg["data"][0]["returned"] == 50, probed.text


def test_the_probe_speaks_dtls_with_this_server(server, probe, authority):
    probed = probe("--ca", authority.certificate)
    assert_it_works(probed)
    assert probed.leg["certificate"]["alpn"] == "stun.turn"
    # It said goodbye, and left nothing behind.
    wait_for_metric(server, "yuelao_open_connections", 0)


def test_the_probe_speaks_dtls_with_coturn(network, probe, certificate, authority, tmp_path):
    server = Coturn(network.server, tmp_path / "coturn", certificate)
    try:
        assert_it_works(probe("--ca", authority.certificate))
    finally:
        server.stop()


def test_the_probe_believes_no_strange_certificate_over_dtls(server, probe):
    probed = probe()
    assert probed.status == 1 and probed.step("certificate")["verdict"] == "failed", probed.text


def test_the_probe_tells_of_a_server_without_dtls(serve, probe):
    serve(settings())
    probed = probe()
    assert probed.status == 1
    assert "DTLS does not come about" in probed.step("dtls")["text"], probed.text


@contextlib.contextmanager
def dropping(namespace, hook, which):
    """These datagrams of this direction are lost."""
    rules = (f"table inet loss {{\n chain some {{\n  type filter hook {hook} priority 0;\n"
             f"  meta l4proto udp {which} drop\n }}\n}}\n")
    loaded = namespace.run("nft", "-f", "-", input=rules)
    assert loaded.returncode == 0, loaded.stdout
    try:
        yield
    finally:
        namespace.run("nft", "delete", "table", "inet", "loss")


@pytest.mark.parametrize("end, family", [("client", 4), ("server", 6)])
def test_flights_that_are_lost_are_sent_again(network, server, end, family):
    """RFC 6347 §4.2.4."""
    # A flight of OpenSSL's client has three datagrams: of every third it would always be the same.
    with dropping(getattr(network, end), "input", "numgen inc mod 4 == 0"):
        for _ in range(4):
            done = network.client.run("openssl", "s_client", "-dtls1_2", "-connect",
                                      f"{bracketed(SERVER[family])}:5349", input="")
            assert "Cipher is ECDHE-ECDSA" in done.stdout, done.stdout
    assert server.metric('yuelao_tls_handshakes_total{transport="dtls",result="success"}') == 4


@FAMILIES
def test_a_long_certificate_needs_no_fragments_of_ip(network, serve, tmp_path, family):
    """RFC 6347 §4.2.3: no datagram of the handshake is longer than 1200 octets."""
    files = {"certificate": str(tmp_path / "long.pem"), "key": str(tmp_path / "long.key")}
    names = ",".join(f"DNS:{'long-' * 8}{i}.test" for i in range(60))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", f"/CN={NAME}", "-addext", f"subjectAltName={names}", "-keyout",
                    files["key"], "-out", files["certificate"]], check=True, capture_output=True)
    serve(settings(tls=files, listen=LISTEN))
    longest = 1200 + IP_AND_UDP_BYTES[family]
    with dropping(network.server, "output", f"meta length > {longest}"):
        done = network.client.run("openssl", "s_client", "-dtls1_2", "-connect",
                                  f"{bracketed(SERVER[family])}:5349", input="")
    assert "Cipher is ECDHE-RSA" in done.stdout, done.stdout


def client_hello(network):
    """The first datagram of OpenSSL's client, as it leaves."""
    with network.client.socket(socket.SOCK_DGRAM, address="127.0.0.1") as heard:
        port = heard.getsockname()[1]
        client = subprocess.Popen(
            network.client.command("openssl", "s_client", "-dtls1_2", "-connect",
                                   f"127.0.0.1:{port}"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return heard.recv(4096)
        finally:
            client.kill()
            client.wait(PATIENCE)


class Forger:
    """Sends UDP from addresses that are not ours, a /16 or /112 of them."""

    FIRST = {4: "198.18.0.0", 6: "2001:db8::"}

    def __init__(self, network, family, payload):
        with network.client.entered():
            self.socket = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET,
                                        socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._header = self._ipv6 if family == 6 else self._ipv4
        self._first = int(ipaddress.ip_address(self.FIRST[family]))
        self._to, self._payload = ipaddress.ip_address(SERVER[family]).packed, payload
        self._at = (SERVER[family], 0)
        # All that the checksum of a pseudo-header is over, but for what differs in each.
        length = 8 + len(payload)
        fixed = self._to + payload + bytes(len(payload) % 2)
        self._sum = sum(struct.unpack(f">{len(fixed) // 2}H", fixed)) + 5349 + socket.IPPROTO_UDP
        self._sum += 2 * length

    def send(self, number):
        source = (self._first + (number & 0xffff)).to_bytes(len(self._to), "big")
        port, length = 1024 + number, 8 + len(self._payload)
        total = self._sum + port + sum(struct.unpack(f">{len(source) // 2}H", source))
        # IPv6 has no packets without one.
        checksum = ~(total % 0xffff) & 0xffff or 0xffff
        udp = struct.pack(">HHHH", port, 5349, length, checksum) + self._payload
        self.socket.sendto(self._header(source, length) + udp, self._at)

    def _ipv4(self, source, length):
        return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + length, 0, 0, 64, socket.IPPROTO_UDP, 0,
                           source, self._to)

    def _ipv6(self, source, length):
        return struct.pack(">IHBB16s16s", 6 << 28, length, socket.IPPROTO_UDP, 64, source, self._to)


@FAMILIES
def test_a_flood_from_forged_addresses_leaves_nothing(network, serve, certificate, family):
    """RFC 7350 §4.6, RFC 6347 §4.2.1: no memory, no association, no answer longer than the question."""
    server = serve(settings(tls=certificate, listen=LISTEN),
                   environment={"ASAN_OPTIONS": "quarantine_size_mb=1"})
    hello = client_hello(network)
    forger = Forger(network, family, hello)

    def flood(first, end):
        for i in range(first, end):
            forger.send(i)

    with forger.socket:
        flood(0, 5000)
        memory = server.metric("process_resident_memory_bytes")
        asked = server.metric("yuelao_dtls_challenges_total")
        flood(5000, 25000)
    assert server.metric("yuelao_dtls_challenges_total") - asked > 5000
    assert server.metric("process_resident_memory_bytes") - memory < 4 << 20
    assert server.metric("yuelao_open_connections") == 0
    assert server.metric('yuelao_tls_handshakes_total{transport="dtls"}') == 0


def test_a_client_that_goes_gives_back_its_relay(network, server, authority):
    """RFC 7350 §3: close_notify ends the association, and with it the allocation."""
    with openssl_client(network.client, authority) as client:
        assert_it_answers(client)
        assert server.metric("yuelao_open_connections") == 1
        client.say_goodbye()
    wait_for_metric(server, "yuelao_open_connections", 0)


def test_what_is_neither_costs_one_counter(network, server):
    """RFC 7983 §7, on every UDP port."""
    with network.client.socket(socket.SOCK_DGRAM) as client:
        for port in (3478, 5349):
            before = server.metric("yuelao_drops_total")
            for first in range(256):
                client.sendto(bytes([first]) + bytes(39), (SERVER[4], port))
            client.sendto(binding(), (SERVER[4], 3478))
            client.settimeout(10)
            assert client.recv(1500)
            wait_for_metric(server, "yuelao_drops_total", 256, before)
