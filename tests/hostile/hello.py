"""A DTLS ClientHello as OpenSSL's client sends it."""

import functools
import socket
import subprocess

from network import CLIENT, PEER


@functools.cache
def _captured(namespace):
    with namespace.socket(socket.SOCK_DGRAM, 4, PEER[4]) as listener:
        client = subprocess.Popen(
            namespace.command("openssl", "s_client", "-dtls1_2", "-bind", CLIENT[4], "-connect",
                              f"{PEER[4]}:{listener.getsockname()[1]}"),
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return listener.recv(1500)
        finally:
            client.kill()
            client.communicate()


def client_hello(stage):
    return _captured(stage.network.client)
