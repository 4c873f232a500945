"""DNS servers for tests: dnsmasq with the records of a test, and ones that misbehave."""

import contextlib
import os
import socket
import subprocess
import threading

from network import CLIENT, SERVER
from yuelao import PATIENCE


class Dnsmasq:
    """Serves `records`, options of dnsmasq's without their dashes, and knows of no other name.
    Records of one name come in the order in which they are listed."""

    def __init__(self, namespace, records, family=4):
        self.process = subprocess.Popen(
            namespace.command(
                "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-",
                "--pid-file=", "--user=root", "--no-resolv", "--no-hosts", "--local=/test/",
                "--bind-interfaces", f"--listen-address={SERVER[family]}", "--except-interface=lo",
                *[f"--{record}" for record in records]),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._started = threading.Event()
        self._lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._started.wait(PATIENCE), "".join(self._lines)

    def _read(self):
        for line in self.process.stderr:
            self._lines.append(line)
            if " started, " in line:
                self._started.set()

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)


class Misbehaving:
    """Answers every question over UDP with answer(question), or not at all for None."""

    def __init__(self, namespace, answer):
        self._answer = answer
        self._socket = namespace.socket(socket.SOCK_DGRAM, 4, SERVER[4], 53)
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            question, source = self._socket.recvfrom(4096)
            if not question:
                return
            answer = self._answer(question)
            if answer is not None:
                self._socket.sendto(answer, source)

    def stop(self):
        # recvfrom() does not return for a closed socket, but for an empty datagram.
        self._socket.sendto(b"", (SERVER[4], 53))
        self._thread.join(PATIENCE)
        self._socket.close()


@contextlib.contextmanager
def etc(namespace, **files):
    """The files in the /etc of the namespace's programs: etc(client, hosts="...").

    `ip netns exec` lays what it finds in /etc/netns over /etc."""
    directory = f"/etc/netns/{namespace.name}"
    os.makedirs(directory)
    try:
        for name, text in files.items():
            with open(f"{directory}/{name}", "w", encoding="utf-8") as file:
                file.write(text)
        yield
    finally:
        for name in os.listdir(directory):
            os.remove(f"{directory}/{name}")
        os.rmdir(directory)


# Nobody serves names there, which is known at once and not after a timeout.
NO_DNS = f"nameserver {CLIENT[4]}\n"
