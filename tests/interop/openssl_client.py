"""OpenSSL's own client over TLS or DTLS, and what it asks: somebody else's idea of a secure way."""

import contextlib
import os
import select
import struct
import subprocess

import stun
from certificates import NAME
from network import SERVER, bracketed
from yuelao import PATIENCE


class OpensslClient:
    """`openssl s_client`, which believes the authority alone."""

    def __init__(self, namespace, authority, *options, protocol="-dtls1_2", port=5349, family=4):
        self.process = subprocess.Popen(
            namespace.command(
                "openssl", "s_client", protocol, "-connect", f"{bracketed(SERVER[family])}:{port}", "-quiet",
                "-no_ign_eof", "-nocommands", "-CAfile", authority.certificate, "-verify_return_error",
                "-verify_hostname", NAME, "-servername", NAME, *options),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def ask(self, message, patience=PATIENCE):
        """The answer to a message: b"" when the client has given up, None when none came."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(message)
            self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], patience)
        return os.read(self.process.stdout.fileno(), 65536) if ready else None

    def say_goodbye(self):
        self.process.stdin.close()
        self.process.stdin = None
        self.process.wait(PATIENCE)

    def stop(self):
        self.process.kill()
        return self.process.communicate(timeout=PATIENCE)[1].decode(errors="replace")


def binding():
    return struct.pack(">HHI", stun.BINDING, 0, stun.MAGIC) + os.urandom(12)


@contextlib.contextmanager
def openssl_client(*arguments, **options):
    client = OpensslClient(*arguments, **options)
    try:
        yield client
    finally:
        client.stop()


def assert_it_answers(client):
    answer = client.ask(binding())
    assert answer, client.stop()
    assert stun.Message.parse(answer).kind == stun.BINDING | stun.SUCCESS
