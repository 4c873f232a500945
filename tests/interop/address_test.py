"""The server's addresses change while calls relay on: by interface, by NAT, by name."""

import pathlib
import shutil
import socket
import subprocess
import threading

import pytest

import stun
from network import CLIENT, PEER, SERVER, Namespace
from turn_client import TurnClient, exchange, pair_up
from yuelao import Yuelao, settings

STUN = "203.0.113.100"
PUBLIC = ("203.0.113.5", "203.0.113.9")


class Home:
    """A server behind a router: `router` is where its clients are, and does NAT towards
    `world`, where a STUN server is."""

    def __init__(self):
        self.server, self.router, self.world = map(Namespace, ("home", "router", "world"))
        self._link("uplink", self.server, "uplink")
        self._link("wan", self.world, "internet")
        self.server.address("uplink", SERVER[4])
        self.router.address("uplink", CLIENT[4], PEER[4])
        self.router.address("wan", "203.0.113.1", *PUBLIC)
        self.world.address("internet", STUN)
        self.server.default_route("uplink", CLIENT[4])
        self.router.default_route("uplink", SERVER[4])
        self.router.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")

    def _link(self, router_end, other, other_end):
        subprocess.run(["ip", "link", "add", router_end, "netns", self.router.name, "type", "veth",
                        "peer", "name", other_end, "netns", other.name], check=True)

    def ip(self, *argv):
        subprocess.run(["ip", "-n", self.server.name, *argv], check=True)

    def appear_as(self, public):
        """What the world sees the server as from now on."""
        rules = ("add table ip nat\nflush table ip nat\n"
                 "table ip nat {\n chain leaving {\n"
                 "  type nat hook postrouting priority 100;\n"
                 f"  oifname \"wan\" snat to {public}\n }}\n}}\n")
        done = self.router.run("nft", "-f", "-", input=rules)
        assert done.returncode == 0, done.stdout

    def remove(self):
        for namespace in (self.server, self.router, self.world):
            namespace.remove()


class StunServer:
    """Answers Binding requests in a namespace, when it is not silent."""

    def __init__(self, namespace):
        self.silent = False
        self._socket = namespace.socket(socket.SOCK_DGRAM, 4, STUN, 3478)
        self._socket.settimeout(0.2)
        self._running = True
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while self._running:
            try:
                request, client = self._socket.recvfrom(1500)
            except TimeoutError:
                continue
            transaction = stun.Message.parse(request).transaction
            mapped = stun.xor_address(stun.XOR_MAPPED_ADDRESS, *client, transaction)
            if not self.silent:
                self._socket.sendto(
                    stun.encode(stun.BINDING | stun.SUCCESS, [mapped], transaction), client)

    def stop(self):
        self._running = False
        self._thread.join()
        self._socket.close()


@pytest.fixture
def home():
    made = Home()
    yield made
    made.remove()


@pytest.fixture
def stun_server(home):
    made = StunServer(home.world)
    yield made
    made.stop()


@pytest.fixture
def serve(home, tmp_path):
    """serve(**settings) -> Yuelao at home, ready, with relays where it finds itself."""
    running = []

    def start(**changes):
        server = Yuelao(home.server, tmp_path,
                        settings(**{"relay": {}, "address_check": "1s"} | changes))
        running.append(server)
        server.wait_for_news("READY=1")
        return server

    yield start
    for server in running:
        if server.process.poll() is None:
            server.stop()


def relay_of_a_new_call(home):
    with TurnClient(home.router) as client:
        return client.allocate()[0]


def changed(server, after):
    """Waits for the line about it, which holds no address."""
    line = server.wait_for_line("addresses changed", after)
    assert not any(address in line for address in (*PUBLIC, "10.7")), line


def test_a_call_goes_on_when_the_interface_gets_another_address(home, serve):
    home.ip("address", "add", "10.78.0.1/24", "dev", "uplink")
    home.ip("route", "replace", "default", "via", CLIENT[4], "src", "10.78.0.1")
    # Only the kernel's word counts here.
    server = serve(address_check="off")
    with TurnClient(home.router) as one, TurnClient(home.router, "tcp") as other:
        relays = pair_up(one, other)
        assert relays[0][0] == "10.78.0.1"
        before = len(server.lines)
        home.ip("address", "add", "10.79.0.1/24", "dev", "uplink")
        home.ip("route", "replace", "default", "via", CLIENT[4], "src", "10.79.0.1")
        changed(server, before)
        exchange(one, other, relays, b"after the change")
        with TurnClient(home.router) as third, TurnClient(home.router) as fourth:
            fresh = pair_up(third, fourth)
            assert fresh[0][0] == "10.79.0.1"
            exchange(third, fourth, fresh)
            # The old address leaves the machine, and takes only its own relays' traffic along.
            home.ip("address", "del", "10.78.0.1/24", "dev", "uplink")
            assert one.refresh(600).lifetime == 600
            exchange(third, fourth, fresh, b"after the old one left")
            home.ip("address", "add", "10.78.0.1/24", "dev", "uplink")
            exchange(one, other, relays, b"after it came back")
    assert server.metric("yuelao_address_changes_total") == 1


def test_what_a_stun_server_says_is_followed_and_its_silence_is_not(home, stun_server, serve):
    home.appear_as(PUBLIC[0])
    stun_server.silent = True
    server = serve(external_address={"stun": f"{STUN}:3478"})
    server.wait_for_line("does not answer over IPv4")
    assert relay_of_a_new_call(home) == SERVER[4]

    before = len(server.lines)
    stun_server.silent = False
    changed(server, before)
    with TurnClient(home.router) as one, TurnClient(home.router) as other:
        relays = pair_up(one, other)
        assert relays[0][0] == PUBLIC[0]
        exchange(one, other, relays)
        before = len(server.lines)
        home.appear_as(PUBLIC[1])
        changed(server, before)
        exchange(one, other, relays, b"after the change")
        with TurnClient(home.router) as third:
            late = third.allocate()
            assert late[0] == PUBLIC[1]
            third.permit(relays[0][0])
            one.permit(late[0])
            exchange(one, third, (relays[0], late), b"old and new")

    before = len(server.lines)
    stun_server.silent = True
    server.wait_for_line("does not answer over IPv4", before)
    assert relay_of_a_new_call(home) == PUBLIC[1]
    assert server.metric("yuelao_address_changes_total") == 2
    assert server.metric("yuelao_address_check_failures_total") >= 1


def test_a_host_name_is_followed_and_kept_when_it_is_gone(home, serve):
    # ip-netns(8) shows a namespace's programs its own files in place of those in /etc.
    files = pathlib.Path("/etc/netns") / home.server.name
    files.mkdir(parents=True)
    try:
        (files / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        hosts = files / "hosts"
        hosts.write_text(f"{PUBLIC[0]} turn.test\n")
        server = serve(external_address="turn.test")
        assert relay_of_a_new_call(home) == PUBLIC[0]
        with TurnClient(home.router) as one, TurnClient(home.router) as other:
            relays = pair_up(one, other)
            before = len(server.lines)
            hosts.write_text(f"{PUBLIC[1]} turn.test\n")
            changed(server, before)
            exchange(one, other, relays)
            assert relay_of_a_new_call(home) == PUBLIC[1]
            before = len(server.lines)
            hosts.write_text("")
            server.wait_for_line("turn.test cannot be looked up", before)
            assert relay_of_a_new_call(home) == PUBLIC[1]
    finally:
        shutil.rmtree(files)
