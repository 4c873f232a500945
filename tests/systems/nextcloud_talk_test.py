"""Nextcloud Talk without its high-performance backend: PHP makes the credentials, and the
admin page's button looks at relay candidates and at the certificate."""

import pathlib
import subprocess
import time

import pytest

from network import SERVER
from turn_client import TurnClient
from yuelao import SECRET, settings

SCRIPT = pathlib.Path(__file__).parent / "nextcloud_talk.php"


def credential(user):
    made = subprocess.run(["php", SCRIPT, "credential", user], input=SECRET, text=True,
                          capture_output=True, check=True, timeout=30)
    return made.stdout.strip()


def test_php_makes_the_password_that_other_systems_make():
    made = subprocess.run(["php", SCRIPT, "credential", "1795490997:nLsXwP13M2gZokox"],
                          input="e2e-turn-secret", text=True, capture_output=True, check=True,
                          timeout=30)
    assert made.stdout.strip() == "q7N5YRic43Hqo4FrW0DDxvEPL88="


@pytest.mark.parametrize("name", ["turn-test-user", "nLsXwP13M2gZokox", "a+b/c0123456789+"])
def test_a_guest_of_talk_relays_over_every_transport_of_one_port(network, yuelao, authority, name):
    user = f"{int(time.time()) + 300}:{name}"
    password = credential(user)
    for transport in ("udp", "tcp", "tls"):
        with TurnClient(network.client, transport, authority=authority.certificate, user=user,
                        password=password) as client:
            assert client.allocate()[0] == SERVER[4]
            client.refresh(0)


def test_the_certificate_probe_learns_the_end_and_leaves_no_line(network, serve, certificate):
    server = serve(settings(tls=certificate, log={"level": "info"}))
    server.wait_for_line("ready")
    before = server.output
    probe = network.client.run("php", SCRIPT, "certificate", f"{SERVER[4]}:3478")
    assert probe.returncode == 0, probe.stdout
    # The test's certificates last a day.
    assert 0 < int(probe.stdout) - time.time() < 25 * 3600
    assert server.metric("yuelao_tls_handshakes_total") == 1
    assert server.output == before
