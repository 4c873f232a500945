"""What a core dump of the server would have: nothing that is secret."""

import json
import pathlib
import re
import shutil
import subprocess

import pytest

import http_client
from network import LOOPBACK, PEER
from turn_client import TurnClient, exchange, pair_up
from yuelao import settings

PASSWORDS = {
    "a password": "marker-password-of-ada", "a password of a file": "marker-password-of-bob",
    "a secret": "marker-secret-of-meetings", "a secret of a file": "marker-secret-of-a-file",
    "a key for credentials": "marker-key-for-credentials"}
PAYLOAD = b"marker-payload-of-a-call"
LARGEST = 1 << 28  # ASan's shadow is larger, and has nothing in it


def private_numbers(key):
    """The private key as OpenSSL has it, either end first, and as its file has it."""
    text = subprocess.run(["openssl", "ec", "-in", key, "-noout", "-text"], check=True, capture_output=True,
                          text=True).stdout
    octets = bytes.fromhex(re.sub(r"[\s:]", "", re.search(r"priv:\n([\s0-9a-f:]+)", text).group(1)))[-32:]
    lines = pathlib.Path(key).read_text().splitlines()[1:-1]
    return {"a private key": octets, "a private key, as OpenSSL computes with it": octets[::-1],
            "the file of a private key": lines[1].encode()}


def markers(certificate):
    return {what: text.encode() for what, text in PASSWORDS.items()} | private_numbers(certificate["key"]) | {
        "what was said": PAYLOAD}


def mappings(pid):
    """(first, last, flags) of each readable mapping with pages of its own."""
    text = pathlib.Path(f"/proc/{pid}/smaps").read_text()
    for block in re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", text, flags=re.MULTILINE)[1:]:
        first, last = (int(number, 16) for number in block.split()[0].split("-"))
        flags = re.search(r"^VmFlags: (.*)$", block, re.MULTILINE).group(1).split()
        own = int(re.search(r"^Anonymous: +(\d+)", block, re.MULTILINE).group(1))
        if "rd" in flags and own and last - first < LARGEST:
            yield first, last, flags


def found(pid, wanted, left_out):
    """Which of the markers are in memory that is left out of core dumps, or in that which is not."""
    names = set()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for first, last, flags in mappings(pid):
            if ("dd" in flags) != left_out:
                continue
            memory.seek(first)
            content = memory.read(last - first)
            names |= {what for what, octets in wanted.items() if octets in content}
    return names


@pytest.fixture
def after_a_call(network, serve, certificate, authority, tmp_path):
    """A server that has done all it does, with all there is to hide."""
    for name, what in (("bob.password", "a password of a file"), ("turn.secret", "a secret of a file")):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text(PASSWORDS[what] + "\n")
    server = serve(settings(
        tls=certificate, threads=1,
        users=[{"name": "ada", "password": PASSWORDS["a password"]},
               {"name": "bob", "password_file": str(tmp_path / "bob.password")}],
        secrets=[{"value": PASSWORDS["a secret"]}, {"file": str(tmp_path / "turn.secret")}],
        credentials={"listen": "127.0.0.1:9642", "keys": [{"value": PASSWORDS["a key for credentials"]}]},
        peers={"allow": list(PEER.values())}))
    with TurnClient(network.client, user="ada", password=PASSWORDS["a password"]) as one, \
            TurnClient(network.client, user="ada", password=PASSWORDS["a password"]) as other:
        relays = pair_up(one, other)
        exchange(one, other, relays, PAYLOAD)
        server.reload()
        server.wait_for_line("configuration reloaded")
        exchange(one, other, relays, PAYLOAD)
        with TurnClient(network.client, "tls", 4, 5349, authority.certificate, user="bob",
                        password=PASSWORDS["a password of a file"]) as secure:
            assert secure.allocate()
    # Last, so that a secret is what the thread has worked with since.
    status, _, text = http_client.ask(
        http_client.Connection(network.server, LOOPBACK[4], 9642),
        f"/turn/credentials?service=turn&key={PASSWORDS['a key for credentials']}")
    assert status == 200
    given = json.loads(text)
    with TurnClient(network.client, user=given["username"], password=given["password"]) as guest:
        guest.allocate()
    return server


def test_secrets_and_packets_lie_where_no_core_has_them(after_a_call, certificate):
    wanted = markers(certificate)
    pid = after_a_call.process.pid
    assert found(pid, wanted, left_out=False) == set()
    # They are there, so that the search finds what there is.
    assert set(PASSWORDS) | {"what was said"} <= found(pid, wanted, left_out=True)


def test_a_core_has_no_memory_at_all(after_a_call, certificate, tmp_path):
    gcore = shutil.which("gcore")
    assert gcore, "gcore is missing: install gdb"
    pid = after_a_call.process.pid
    assert int(pathlib.Path(f"/proc/{pid}/coredump_filter").read_text(), 16) == 0x10
    subprocess.run([gcore, "-o", tmp_path / "core", str(pid)], check=True, capture_output=True, timeout=300)
    core = (tmp_path / f"core.{pid}").read_bytes()
    assert core.startswith(b"\x7fELF")
    # Registers are part of it, so what a thread touched last may be.
    del (secrets := markers(certificate))["what was said"]
    assert {what for what, octets in secrets.items() if octets in core} == set()
