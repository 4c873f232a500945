"""The real clients: how each is called, and what it has to say of a call without loss."""

import contextlib
import pathlib
import re
import subprocess

from network import PEER, SERVER
from yuelao import PASSWORD, PATIENCE, USER

HERE = pathlib.Path(__file__).parent


def uclient(namespace, *options, family=4, messages=50, sessions=4, peer=True, password=True,
            pairs=False):
    """turnutils_uclient: -c because it asks for `pairs` of ports otherwise, and -s (Send
    indications) because it draws channel numbers up to 0x7FFF as RFC 5766 let it; RFC 8656
    §12.2 has 400 for those above 0x4FFF. Channels are the other clients' part."""
    credentials = ["-u", USER, "-w", PASSWORD] if password else []
    to = ["-e", PEER[family]] if peer else ["-y"]
    options = [*options] if pairs else ["-c", *options]
    done = namespace.run("turnutils_uclient", "-s", *credentials, "-n", messages, "-m", sessions,
                         "-l", 170, "-z", 20, *to, *options, SERVER[family], timeout=120)
    return done.returncode, done.stdout


def assert_no_loss(result, sessions=4, messages=50):
    status, text = result
    assert status == 0, text
    sent, received = map(int, re.findall(r"tot_(?:send|recv)_msgs=(\d+)", text)[-2:])
    assert sent == received == sessions * messages, text
    assert re.search(r"Total lost packets 0 \(0\.0+%\)", text), text


@contextlib.contextmanager
def echo_peer(namespace, family=4):
    """turnutils_peer, sending back all that reaches it."""
    process = subprocess.Popen(
        namespace.command("turnutils_peer", "-L", PEER[family], "-v"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout.readline()  # it has bound its port when it says so
        yield
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def run_script(namespace, name, *argv, password):
    return namespace.run("/usr/bin/python3", HERE / name, *argv, timeout=90, input=password + "\n")
