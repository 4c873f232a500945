"""The server's addresses change while calls relay on: by interface, by NAT, by name."""

import pathlib
import shutil
import socket
import subprocess
import threading

import pytest

import stun
from network import CLIENT, PEER, SERVER, Namespace, bracketed
from turn_client import TurnClient, exchange, pair_up
from yuelao import Yuelao, settings

ROUTER = {4: "203.0.113.1", 6: "2001:db8::1"}
STUN = {4: "203.0.113.100", 6: "2001:db8::100"}
PUBLIC = {4: ("203.0.113.5", "203.0.113.9"), 6: ("2001:db8::5", "2001:db8::9")}
# What the server's interface gets as well.
NEW = {4: ("10.78.0.1", "10.79.0.1"), 6: ("fd78::1", "fd79::1")}
FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}
NFT = {4: "ip", 6: "ip6"}


class Home:
    """A server behind a router: `router` is where its clients are, and does NAT towards
    `world`, where a STUN server is. All of one family: the server has no other address."""

    def __init__(self, family):
        self.family = family
        self.server, self.router, self.world = map(Namespace, ("home", "router", "world"))
        self._link("uplink", self.server, "uplink")
        self._link("wan", self.world, "internet")
        self.server.address("uplink", SERVER[family])
        self.router.address("uplink", CLIENT[family], PEER[family])
        self.router.address("wan", ROUTER[family], *PUBLIC[family])
        self.world.address("internet", STUN[family])
        self.server.default_route("uplink", CLIENT[family])
        self.router.default_route("uplink", SERVER[family])
        done = self.router.run("sysctl", "-qw", f"{FORWARDING[family]}=1")
        assert done.returncode == 0, done.stdout

    def _link(self, router_end, other, other_end):
        subprocess.run(["ip", "link", "add", router_end, "netns", self.router.name, "type", "veth",
                        "peer", "name", other_end, "netns", other.name], check=True)

    def ip(self, *argv):
        subprocess.run(["ip", "-n", self.server.name, f"-{self.family}", *argv], check=True)

    def send_from(self, address):
        """The server's interface has this address from now on, and prefers it."""
        self.server.address("uplink", address)
        self.ip("route", "replace", "default", "via", CLIENT[self.family], "dev", "uplink", "src",
                address)

    def appear_as(self, public):
        """What the world sees the server as from now on."""
        table = f"table {NFT[self.family]} nat"
        rules = (f"add {table}\nflush {table}\n{table} {{\n chain leaving {{\n"
                 "  type nat hook postrouting priority 100;\n"
                 f"  oifname \"wan\" snat to {public}\n }}\n}}\n")
        done = self.router.run("nft", "-f", "-", input=rules)
        assert done.returncode == 0, done.stdout

    def remove(self):
        for namespace in (self.server, self.router, self.world):
            namespace.remove()


class StunServer:
    """Answers Binding requests in a namespace, when it is not silent."""

    def __init__(self, namespace, family):
        self.silent = False
        self._socket = namespace.socket(socket.SOCK_DGRAM, family, STUN[family], 3478)
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
            mapped = stun.xor_address(stun.XOR_MAPPED_ADDRESS, *client[:2], transaction)
            if not self.silent:
                self._socket.sendto(
                    stun.encode(stun.BINDING | stun.SUCCESS, [mapped], transaction), client)

    def stop(self):
        self._running = False
        self._thread.join()
        self._socket.close()


@pytest.fixture(params=[4, 6])
def home(request):
    made = Home(request.param)
    yield made
    made.remove()


@pytest.fixture
def stun_server(home):
    made = StunServer(home.world, home.family)
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


def client_of(home, transport="udp"):
    return TurnClient(home.router, transport, home.family)


def relay_of_a_new_call(home):
    with client_of(home) as client:
        return client.allocate()[0]


def changed(server, after):
    """Waits for the line about it, which holds no address."""
    line = server.wait_for_line("addresses changed", after)
    told = (address for each in (*PUBLIC.values(), *NEW.values()) for address in each)
    assert not any(address in line for address in told), line


def test_a_call_goes_on_when_the_interface_gets_another_address(home, serve):
    first, second = NEW[home.family]
    home.send_from(first)
    # Only the kernel's word counts here.
    server = serve(address_check="off")
    with client_of(home) as one, client_of(home, "tcp") as other:
        relays = pair_up(one, other)
        assert relays[0][0] == first
        before = len(server.lines)
        home.send_from(second)
        changed(server, before)
        exchange(one, other, relays, b"after the change")
        with client_of(home) as third, client_of(home) as fourth:
            fresh = pair_up(third, fourth)
            assert fresh[0][0] == second
            exchange(third, fourth, fresh)
            # The old address leaves the machine, and takes only its own relays' traffic along.
            home.ip("address", "del", f"{first}/{64 if home.family == 6 else 24}", "dev", "uplink")
            assert one.refresh(600).lifetime == 600
            exchange(third, fourth, fresh, b"after the old one left")
            home.server.address("uplink", first)
            exchange(one, other, relays, b"after it came back")
    assert server.metric("yuelao_address_changes_total") == 1


def test_what_a_stun_server_says_is_followed_and_its_silence_is_not(home, stun_server, serve):
    first, second = PUBLIC[home.family]
    home.appear_as(first)
    stun_server.silent = True
    server = serve(external_address={"stun": f"{bracketed(STUN[home.family])}:3478"})
    server.wait_for_line(f"does not answer over IPv{home.family}")
    assert relay_of_a_new_call(home) == SERVER[home.family]

    before = len(server.lines)
    stun_server.silent = False
    changed(server, before)
    with client_of(home) as one, client_of(home) as other:
        relays = pair_up(one, other)
        assert relays[0][0] == first
        exchange(one, other, relays)
        before = len(server.lines)
        home.appear_as(second)
        changed(server, before)
        exchange(one, other, relays, b"after the change")
        with client_of(home) as third:
            late = third.allocate()
            assert late[0] == second
            third.permit(relays[0][0])
            one.permit(late[0])
            exchange(one, third, (relays[0], late), b"old and new")

    before = len(server.lines)
    stun_server.silent = True
    server.wait_for_line(f"does not answer over IPv{home.family}", before)
    assert relay_of_a_new_call(home) == second
    assert server.metric("yuelao_address_changes_total") == 2
    assert server.metric("yuelao_address_check_failures_total") >= 1


def test_a_host_name_is_followed_and_kept_when_it_is_gone(home, serve):
    # ip-netns(8) shows a namespace's programs its own files in place of those in /etc.
    first, second = PUBLIC[home.family]
    files = pathlib.Path("/etc/netns") / home.server.name
    files.mkdir(parents=True)
    try:
        (files / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        hosts = files / "hosts"
        hosts.write_text(f"{first} turn.test\n")
        server = serve(external_address="turn.test")
        assert relay_of_a_new_call(home) == first
        with client_of(home) as one, client_of(home) as other:
            relays = pair_up(one, other)
            before = len(server.lines)
            hosts.write_text(f"{second} turn.test\n")
            changed(server, before)
            exchange(one, other, relays)
            assert relay_of_a_new_call(home) == second
            before = len(server.lines)
            hosts.write_text("")
            server.wait_for_line("turn.test cannot be looked up", before)
            assert relay_of_a_new_call(home) == second
    finally:
        shutil.rmtree(files)
