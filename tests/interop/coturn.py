"""Debian's coturn, a server that is not ours, in a namespace."""

import socket
import subprocess
import time

from network import SERVER
from yuelao import PASSWORD, PATIENCE, SECRET, USER


class Coturn:
    """Ready when it is made: UDP and TCP on 3478, TLS and DTLS on 5349 with a certificate."""

    def __init__(self, namespace, directory, certificate=None, rest=False, family=4,
                 other=None, options=()):
        """`other` is a second address of the namespace's, for RFC 5780."""
        directory.mkdir(exist_ok=True)
        tls = ["--no-tls", "--no-dtls"] if certificate is None else [
            "--tls-listening-port=5349", f"--cert={certificate['certificate']}",
            f"--pkey={certificate['key']}"]
        users = ["--use-auth-secret", f"--static-auth-secret={SECRET}"] if rest else [
            "--lt-cred-mech", f"--user={USER}:{PASSWORD}"]
        discovery = ["--no-rfc5780"] if other is None else [
            f"--listening-ip={other}", "--alt-listening-port=3479"]
        self.process = subprocess.Popen(
            namespace.command(
                "turnserver", "-n", f"--listening-ip={SERVER[family]}",
                f"--relay-ip={SERVER[family]}", "--listening-port=3478", *tls, *users,
                "--realm=coturn.test", "--relay-threads=1", f"--userdb={directory}/turndb",
                f"--pidfile={directory}/pid", f"--log-file={directory}/log", "--simple-log",
                "--no-stdout-log", "--no-cli", *discovery, *options),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        try:
            for port in [3478] + ([5349] if certificate else []):
                self._wait_until_it_listens(namespace, SERVER[family], family, port)
        except AssertionError:
            self.stop()
            raise

    def _wait_until_it_listens(self, namespace, address, family, port):
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            with namespace.socket(socket.SOCK_STREAM, family) as tried:
                if tried.connect_ex((address, port)) == 0:
                    return
            # Nothing tells when it listens: look again, and not too often.
            time.sleep(0.05)
        raise AssertionError(f"coturn does not listen on port {port}")

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
