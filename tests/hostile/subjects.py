"""The servers that are attacked: each with its defaults, and what every installation has to say."""

import os
import resource
import signal
import socket
import subprocess
import time

import stun
from network import SERVER
from turn_client import TurnClient
from yuelao import PASSWORD, PATIENCE, SECRET, USER, Yuelao

KINDS = ("yuelao", "coturn")
OTHER_SECRET = "marker-secret-other"


class Subject:
    """What an attack may ask of a server, whichever it is."""

    kind: str
    process: subprocess.Popen
    namespace = None

    @property
    def alive(self):
        return self.process.poll() is None

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def client(self, network, transport="udp", name="caller", secret=SECRET, lifetime=3600,
               **options):
        """A TURN client with credentials of the shared secret."""
        user, password = stun.rest_credentials(secret, name, lifetime)
        return TurnClient(network.client, transport, user=user, password=password, **options)


class OurServer(Subject):
    kind = "yuelao"

    def __init__(self, stage, directory, changes, descriptors=None, address=None,
                 static_users=False):
        assert not static_users or "users" in changes
        # Nobody waits for calls that an attack leaves behind.
        configuration = {"secrets": [{"value": SECRET}], "drain_timeout": "0s",
                         "tls": stage.certificate} | changes
        if address:  # beside another server
            configuration |= {"listen": [f"udp:{address}:3478"], "metrics": "off",
                              "relay": {"addresses": [address]}}
            configuration.pop("tls")
        # AddressSanitizer keeps what was given back, which would look like a leak.
        environment = {"ASAN_OPTIONS": "quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}
        self.namespace = stage.network.server
        self.server = Yuelao(self.namespace, directory, configuration, descriptors=descriptors,
                             environment=environment)
        self.process = self.server.process
        self.configuration = configuration
        try:
            self.server.wait_for_news("READY=1")
        except AssertionError:
            self.process.kill()
            raise

    def output(self):
        return self.server.output

    def metric(self, name):
        return self.server.metric(name)

    def reload(self, **changes):
        self.configuration |= changes
        self.server.reload(self.configuration)

    def stop(self):
        self.server.stop()


# What coturn's own example and Nextcloud Talk's guide have beside Debian's turnserver.conf. Behind
# it stands what keeps two runs on one machine apart.
COTURN = """\
no-rfc5780
no-stun-backward-compatibility
response-origin-only-with-rfc5780
listening-port=3478
tls-listening-port=5349
fingerprint
{users}
realm=turn.test
total-quota=0
bps-capacity=0
stale-nonce
no-multicast-peers
no-cli
cert={certificate}
pkey={key}

{listening}
userdb={directory}/turndb
pidfile={directory}/pid
log-file={directory}/log
simple-log
no-stdout-log
"""


REST_USERS = f"use-auth-secret\nstatic-auth-secret={SECRET}"
STATIC_USERS = f"lt-cred-mech\nuser={USER}:{PASSWORD}"


class Coturn(Subject):
    kind = "coturn"

    def __init__(self, stage, directory, options=(), descriptors=None, address=None,
                 static_users=False):
        addresses = [address] if address else list(SERVER.values())
        self.file, self._log = directory / "turnserver.conf", directory / "log"
        listening = "\n".join(f"{key}={each}" for each in addresses
                              for key in ("listening-ip", "relay-ip"))
        self.file.write_text(COTURN.format(
            users=STATIC_USERS if static_users else REST_USERS, directory=directory,
            listening=listening, **stage.certificate) + "".join(f"{each}\n" for each in options))
        limit = (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
                 ) if descriptors else None
        self.namespace = stage.network.server
        self.process = subprocess.Popen(
            self.namespace.command("turnserver", "-c", self.file), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, preexec_fn=limit)
        try:
            self._wait_until_it_serves(addresses[0])
        except AssertionError:
            self.stop()
            raise

    def _wait_until_it_serves(self, address):
        end = time.monotonic() + PATIENCE
        with self.namespace.socket(socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.1)  # nothing tells when it listens
            while self.alive and time.monotonic() < end:
                try:
                    probe.sendto(stun.encode(stun.BINDING), (address, 3478))
                    probe.recv(1500)
                    return
                except (TimeoutError, ConnectionRefusedError):
                    continue
        raise AssertionError(f"coturn does not serve:\n{self.output()}")

    def output(self):
        # It names its log file after the day and itself, unless told not to.
        return "".join(path.read_text(errors="replace")
                       for path in self._log.parent.glob("log*"))

    def metric(self, name):
        """It has metrics only where it was told to."""
        return None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def version(kind):
    if kind == "yuelao":
        command = [os.environ.get("YUELAO", "build/dev/server/yuelao"), "--version"]
    else:
        command = ["dpkg-query", "-W", "-f", "coturn ${Version}", "coturn"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
