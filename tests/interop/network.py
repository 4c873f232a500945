"""Two network namespaces joined by one cable: everything a test does happens in there."""

import contextlib
import ctypes
import os
import socket
import subprocess

SERVER = {4: "10.77.0.1", 6: "fd77::1"}
CLIENT = {4: "10.77.0.2", 6: "fd77::2"}
PEER = {4: "10.77.0.3", 6: "fd77::3"}  # a second address of the client's end
LOOPBACK = {4: "127.0.0.1", 6: "::1"}


def bracketed(address):
    """As it stands before a port, and in URIs."""
    return f"[{address}]" if ":" in address else address


_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000


def _ip(*argv):
    subprocess.run(["ip", *argv], check=True)


class Namespace:
    def __init__(self, role):
        self.name = f"yuelao-{os.getpid()}-{role}"
        _ip("netns", "add", self.name)
        _ip("-n", self.name, "link", "set", "lo", "up")

    def address(self, device, *addresses):
        for address in addresses:
            # nodad: an address that is still being checked cannot be bound.
            width, extra = ("64", ["nodad"]) if ":" in address else ("24", [])
            _ip("-n", self.name, "address", "add", f"{address}/{width}", "dev", device, *extra)
        _ip("-n", self.name, "link", "set", device, "up")

    def default_route(self, device, *gateways):
        for gateway in gateways:
            _ip("-n", self.name, "-6" if ":" in gateway else "-4", "route", "add", "default",
                "via", gateway, "dev", device)

    def command(self, *argv):
        return ["ip", "netns", "exec", self.name, *map(str, argv)]

    def run(self, *argv, timeout=60, **options):
        return subprocess.run(self.command(*argv), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=timeout, check=False, **options)

    @contextlib.contextmanager
    def entered(self):
        """Sockets made in here by this thread stay in the namespace."""
        with open("/proc/thread-self/ns/net", "rb") as home, \
                open(f"/run/netns/{self.name}", "rb") as there:
            self._enter(there)
            try:
                yield
            finally:
                self._enter(home)

    @staticmethod
    def _enter(namespace):
        if _libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def socket(self, kind, family=4, address=None, port=0):
        with self.entered():
            made = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, kind)
        made.settimeout(10)
        # A connection of an earlier test in TIME_WAIT is no reason to fail.
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address:
            made.bind((address, port))
        return made

    def remove(self):
        _ip("netns", "delete", self.name)


class Network:
    def __init__(self):
        self.server = Namespace("server")
        self.client = Namespace("client")
        _ip("link", "add", "uplink", "netns", self.server.name, "type", "veth",
            "peer", "name", "uplink", "netns", self.client.name)
        self.server.address("uplink", *SERVER.values())
        self.client.address("uplink", *CLIENT.values(), *PEER.values())
        self.server.default_route("uplink", *CLIENT.values())
        self.client.default_route("uplink", *SERVER.values())

    def remove(self):
        self.client.remove()
        self.server.remove()
