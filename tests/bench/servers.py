"""How each server is started for a measurement: one worker thread, one user, no log."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

PORT = 3478
TLS_PORT = 5349
USER = "bench"
PASSWORD = "correct-horse"  # of servers that live for seconds in a namespace of their own

# 18,000 relays need more than the usual range.
FIRST_RELAY_PORT = 32768

YUELAO_CONFIG = """\
listen: [udp:{address}:{port}, tcp:{address}:{port}, tls:{address}:{tls_port}]
tls: {{certificate: {directory}/cert.pem, key: {directory}/key.pem}}
relay: {{addresses: [{address}], ports: {first}-65535}}
realm: bench
users: [{{name: {user}, password: {password}}}]
peers: {{allow: [198.18.0.0/15]}}
limits: {{per_client: 20000, new_peers: 0, new_peers_per_client: 0}}
bandwidth: {{strangers: off}}
metrics: off
log: {{level: error}}
threads: 1
poller: {poller}
state_directory: {directory}
"""


class Setting:
    """Where a server runs and what with."""

    def __init__(self, binaries, directory, address, transport):
        self.binaries, self.directory = binaries, directory
        self.address, self.transport = address, transport

    @property
    def port(self):
        return TLS_PORT if self.transport == "tls" else PORT

    def make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=bench",
                        "-keyout", "key.pem", "-out", "cert.pem"], cwd=self.directory, check=True,
                       capture_output=True)


def yuelao(poller, program="yuelao", lines=""):
    """`lines` are more of its configuration."""
    def command(setting):
        path = setting.directory / "yuelao.yaml"
        path.write_text(YUELAO_CONFIG.format(
            address=setting.address, port=PORT, tls_port=TLS_PORT, user=USER, password=PASSWORD,
            first=FIRST_RELAY_PORT, poller=poller, directory=setting.directory) + lines)
        path.chmod(0o600)
        return [str(setting.binaries[program]), "serve", "--config", str(path)]
    return command


def coturn(setting):
    # What it does by default and yuelao does not at all is off, so that it costs nothing.
    command = ["turnserver", "-n", f"--listening-ip={setting.address}",
               f"--relay-ip={setting.address}", f"--listening-port={PORT}",
               f"--tls-listening-port={TLS_PORT}", "--lt-cred-mech", f"--user={USER}:{PASSWORD}",
               "--realm=bench", "--relay-threads=1", f"--min-port={FIRST_RELAY_PORT}",
               f"--userdb={setting.directory}/turndb", f"--pidfile={setting.directory}/pid",
               "--log-file=/dev/null", "--simple-log", "--no-stdout-log", "--no-cli", "--no-dtls",
               "--no-rfc5780", "--no-software-attribute", "--no-dynamic-ip-list",
               "--no-dynamic-realms"]
    if setting.transport == "udp":
        command += ["--no-tcp", "--no-tls"]
    else:
        command += [f"--cert={setting.directory}/cert.pem", f"--pkey={setting.directory}/key.pem"]
    return command


def forwarder(mode):
    def command(setting):
        return [str(setting.binaries["forwarder"]), "--listen", f"{setting.address}:{PORT}",
                "--mode", mode]
    return command


COMMANDS = {"yuelao": yuelao("auto"), "yuelao-epoll": yuelao("epoll"), "coturn": coturn,
            "forwarder": forwarder("plain"), "forwarder-segment": forwarder("segment"),
            "forwarder-merge": forwarder("merge"), "forwarder-ring": forwarder("ring")}
BESIDE = "yuelao-beside"  # among them when it is asked for


def binding_answered(address):
    """Whether a Binding request (RFC 8489) gets an answer."""
    request = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + os.urandom(12)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.05)
        try:
            probe.connect((address, PORT))
            probe.send(request)
            return probe.recv(1500)[8:20] == request[8:20]
        except (TimeoutError, ConnectionRefusedError):
            return False


def is_bound(_address):
    """Whether somebody has the port: a forwarder answers nobody it does not know. Trying to
    bind it would take it away from the one that is about to."""
    with open("/proc/net/udp", encoding="ascii") as table:
        return any(f":{PORT:04X} " in line.split(maxsplit=2)[1] + " " for line in table)


def wait_until_it_serves(name, process, address):
    serves = is_bound if name.startswith("forwarder") else binding_answered
    end = time.monotonic() + 10
    while not serves(address):
        if process.poll() is not None or time.monotonic() > end:
            sys.exit(f"compare: {name} does not serve:\n{process.stderr.read1().decode()}")


@contextlib.contextmanager
def start(name, setting, core):
    setting.make_certificate()
    # The server must not outlive this script, whatever ends it.
    command = ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(core),
               *COMMANDS[name](setting)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    try:
        wait_until_it_serves(name, process, setting.address)
        yield process
    finally:
        # yuelao drains on SIGTERM; nobody is left to wait for.
        process.send_signal(signal.SIGINT if name.startswith("yuelao") else signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            sys.exit(f"compare: {name} did not stop")
