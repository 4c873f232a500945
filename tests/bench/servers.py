"""How each server is started for a measurement: one worker thread, one user, no log."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

PORT = 3478
USER = "bench"
PASSWORD = "correct-horse"  # of servers that live for seconds in a namespace of their own

YUELAO_CONFIG = """\
listen: [udp:{address}:{port}]
relay: {{addresses: [{address}]}}
realm: bench
users: [{{name: {user}, password: {password}}}]
peers: {{allow: [198.18.0.0/15]}}
limits: {{per_client: 20000}}
metrics: off
log: {{level: error}}
threads: 1
state_directory: {directory}
"""


def yuelao(binary, directory, address):
    path = directory / "yuelao.yaml"
    path.write_text(YUELAO_CONFIG.format(address=address, port=PORT, user=USER,
                                         password=PASSWORD, directory=directory))
    path.chmod(0o600)
    return [str(binary), "serve", "--config", str(path)]


def coturn(_binary, directory, address):
    # What it does by default and yuelao does not at all is off, so that it costs nothing.
    return ["turnserver", "-n", f"--listening-ip={address}", f"--relay-ip={address}",
            f"--listening-port={PORT}", "--lt-cred-mech", f"--user={USER}:{PASSWORD}",
            "--realm=bench", "--relay-threads=1", f"--userdb={directory}/turndb",
            f"--pidfile={directory}/pid", "--log-file=/dev/null", "--simple-log",
            "--no-stdout-log", "--no-cli", "--no-tcp", "--no-tls", "--no-dtls", "--no-rfc5780",
            "--no-dynamic-ip-list", "--no-dynamic-realms"]


ALL = {"yuelao": yuelao, "coturn": coturn}


def answers(address):
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


def wait_until_it_serves(name, process, address):
    end = time.monotonic() + 10
    while not answers(address):
        if process.poll() is not None or time.monotonic() > end:
            sys.exit(f"compare: {name} does not serve:\n{process.stderr.read1().decode()}")


@contextlib.contextmanager
def start(name, binary, directory, network, core):
    # The server must not outlive this script, whatever ends it.
    command = ["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(core),
               *ALL[name](binary, directory, network.server)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    try:
        wait_until_it_serves(name, process, network.server)
        yield process
    finally:
        # yuelao drains on SIGTERM; nobody is left to wait for.
        process.send_signal(signal.SIGINT if name == "yuelao" else signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            sys.exit(f"compare: {name} did not stop")
