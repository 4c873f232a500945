"""Jitsi's Prosody, given what `yuelao integrate jitsi` prints, hands out credentials that the
server takes (XEP-0215)."""

import json
import pathlib
import subprocess

import pytest

import stun
from network import SERVER
from turn_client import Refused, TurnClient
from yuelao import PATIENCE, PROGRAM, SECRET

HERE = pathlib.Path(__file__).parent
ANSWERED = {("stun", "udp", "3478"), ("turn", "udp", "3478"), ("turn", "tcp", "3478"),
            ("turns", "tcp", "5349")}


@pytest.fixture
def printed(yuelao):
    """What the operator is told to put into Prosody's file beside this server."""
    sides = subprocess.run(
        [PROGRAM, "integrate", "jitsi", "--json", "--config", yuelao.file, "--host", SERVER[4]],
        capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    text, = (it["text"] for it in json.loads(sides)["snippets"]
             if it["where"].startswith("/etc/prosody/"))
    assert f'"{SECRET}"' in text
    return text


@pytest.fixture
def services(network, start, tmp_path):
    """services(the text for Prosody) -> what it answers a guest."""
    def asked(text):
        file = tmp_path / "external_services.cfg.lua"
        file.write_text(text)
        start(["prosody", "-F", "--config", HERE / "prosody.cfg.lua"], "Activated service 'c2s'",
              environment={"PROSODY_DATA": str(tmp_path), "EXTERNAL_SERVICES": str(file)})
        done = network.client.run("/usr/bin/python3", HERE / "external_services.py", SERVER[4],
                                  "meet.test")
        assert done.returncode == 0, done.stdout
        return json.loads(next(it for it in done.stdout.splitlines() if it.startswith("[")))

    return asked


def client(network, authority, service):
    transport = "tls" if service["type"] == "turns" else service["transport"]
    return TurnClient(network.client, transport, port=int(service["port"]),
                      authority=authority.certificate, user=service["username"],
                      password=service["password"])


def test_each_service_of_prosody_allocates(network, printed, authority, services):
    answer = services(printed)
    assert {(it["type"], it["transport"], it["port"]) for it in answer} == ANSWERED
    for service in answer:
        assert service["host"] == SERVER[4]
        if service["type"] == "stun":
            continue
        assert service["username"].isdigit()  # the bare expiry
        with client(network, authority, service) as connected:
            assert connected.allocate()[0] == SERVER[4]
            assert connected.ask(stun.BINDING).error is None


def test_a_prosody_with_another_secret_is_refused(network, printed, authority, services):
    turn = next(it for it in services(printed.replace(SECRET, "another-secret"))
                if it["type"] == "turn")
    with client(network, authority, turn) as connected, pytest.raises(Refused) as refusal:
        connected.allocate()
    assert refusal.value.code == 401
