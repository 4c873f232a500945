"""Where the attacks happen: two namespaces, a certificate, and one server at a time."""

import contextlib
import pathlib
import resource
import socket
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[0] / "interop"))

from certificates import Authority  # noqa: E402
from network import Network  # noqa: E402
from subjects import Coturn, OurServer  # noqa: E402
from turn_client import Refused  # noqa: E402

# An address that is nobody's special one, at the client's end: a peer whom everybody may reach.
OUTSIDE = {4: "51.77.0.3", 6: "2a77:77::3"}
# A second server, in the first one's namespace.
BESIDE = "10.77.0.5"


class Stage:
    def __init__(self, directory, quick):
        self.directory, self.quick = pathlib.Path(directory), quick
        # A system that keeps core files, so that it shows who turns them off.
        _, most = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (most, most))
        self.network = Network()
        try:
            for namespace in (self.network.server, self.network.client):
                # Room for a datagram of 1500 octets in one packet.
                subprocess.run(["ip", "-n", namespace.name, "link", "set", "uplink", "mtu", "1600"],
                               check=True)
            self.network.client.address("uplink", *OUTSIDE.values())
            self.network.server.address("uplink", BESIDE)
            (self.directory / "authority").mkdir()
            self.authority = Authority(self.directory / "authority")
            self.certificate = self.authority.issue("good")
        except BaseException:
            self.network.remove()
            raise
        self._started = 0

    def close(self):
        self.network.remove()

    def scaled(self, whole, quick):
        """How much of something is done."""
        return quick if self.quick else whole

    @contextlib.contextmanager
    def serving(self, kind, changes=None, options=(), **common):
        """A server that serves, ended behind it. `changes` are yuelao's, `options` coturn's."""
        self._started += 1
        directory = self.directory / f"server{self._started}"
        directory.mkdir()
        if kind == "yuelao":
            subject = OurServer(self, directory, changes or {}, **common)
        else:
            subject = Coturn(self, directory, options, **common)
        try:
            yield subject
        finally:
            subject.stop()

    def client(self, subject, *arguments, **options):
        return subject.client(self.network, *arguments, **options)

    def allocated(self, subject, *attributes, **options):
        """A client over UDP that has a relay, at `relay`."""
        for _ in range(9):
            client = self.client(subject, **options)
            with contextlib.suppress(AssertionError):
                client.relay = client.allocate(*attributes)
                return client
            # coturn remembers a client's address for a while after it has gone (437), and the
            # kernel may give it to the next one.
            client.socket.close()
        raise AssertionError("no client got a relay")

    def is_served(self, subject, transport="udp", port=3478, **options):
        """Whether a new client gets a relay, and what goes into it comes out."""
        if transport == "tls":
            options |= {"authority": self.authority.certificate}
        try:
            with self.client(subject, transport, port=port, **options) as client, \
                    self.network.client.socket(socket.SOCK_DGRAM, 4, OUTSIDE[4]) as peer:
                client.allocate()
                client.permit(OUTSIDE[4])
                client.send_to(peer.getsockname(), b"is anybody there")
                served = peer.recv(100) == b"is anybody there"
                client.refresh(0)
                return served
        except (OSError, EOFError, AssertionError, Refused):
            return False
