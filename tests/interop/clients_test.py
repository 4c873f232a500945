"""Calls of clients that others wrote, through the built server; none may lose a datagram."""

import os
import subprocess

import pytest

from clients import HERE, assert_no_loss, echo_peer, run_script, uclient
from network import PEER, SERVER
from yuelao import PASSWORD, SECRET, USER, settings

ALLOWED = {"peers": {"allow": list(PEER.values())}}
FAMILIES = pytest.mark.parametrize("family", [4, 6])


# It asks for an IPv4 relay wherever it stands itself, unless it is told to.
RELAY = {4: [], 6: ["-x"]}


@FAMILIES
@pytest.mark.parametrize("options", [[], ["-t"]], ids=["udp", "tcp"])
def test_coturns_clients_call_each_other(network, yuelao, options, family):
    assert_no_loss(uclient(network.client, *RELAY[family], *options, family=family, peer=False))


@FAMILIES
@pytest.mark.parametrize("options", [[], ["-t"]], ids=["udp", "tcp"])
def test_coturns_client_reaches_a_peer(network, serve, options, family):
    serve(settings(**ALLOWED))
    with echo_peer(network.client, family=family):
        assert_no_loss(uclient(network.client, *RELAY[family], *options, family=family))


@pytest.mark.parametrize("options", [[], ["-t"]], ids=["udp", "tcp"])
def test_coturns_client_uses_a_rest_secret(network, yuelao, options):
    assert_no_loss(uclient(network.client, "-u", USER, "-W", SECRET, *options, peer=False,
                           password=False))


def test_sixty_sessions_at_once(network, serve):
    server = serve(settings(**ALLOWED))
    with echo_peer(network.client):
        assert_no_loss(uclient(network.client, sessions=60, messages=20), 60, 20)
    # Each session asks which server it has got by an allocation that it gives back.
    assert server.metric("yuelao_allocations_created_total") == 120


def test_coturns_client_with_a_wrong_password_gets_nothing(network, yuelao):
    status, text = uclient(network.client, "-u", USER, "-w", "wrong", peer=False, password=False)
    assert status != 0, text


@FAMILIES
def test_coturns_stun_client_learns_its_address(network, yuelao, family):
    done = network.client.run("turnutils_stunclient", SERVER[family])
    assert done.returncode == 0, done.stdout
    assert "UDP reflexive addr" in done.stdout, done.stdout


def test_the_classic_stun_client_is_content(network, yuelao):
    # RFC 3489, as `bbb-conf --check` runs and judges it.
    done = network.client.run("stun", SERVER[4])
    assert done.returncode & 0xF <= 9, done.stdout


@FAMILIES
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_aioice(network, yuelao, authority, transport, family):
    done = run_script(network.client, "aioice_call.py", SERVER[family],
                      5349 if transport == "tls" else 3478, transport, USER,
                      authority.certificate, password=PASSWORD)
    assert done.returncode == 0 and "100 of 100" in done.stdout, done.stdout


@pytest.fixture(scope="session")
def pion(build_directory):
    program = build_directory / "pion"
    subprocess.run(["go", "build", "-o", program, "./main.go"], cwd=HERE / "pion", check=True,
                   env=os.environ | {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode",
                                     "GOFLAGS": "", "GOCACHE": str(build_directory / "go")})
    return program


@pytest.mark.parametrize("transport, port", [("udp", 3478), ("tcp", 3478), ("tls", 5349),
                                             ("tls", 3478)])
def test_pion(network, yuelao, authority, pion, transport, port):
    # pion/turn 2 looks up its server among IPv4 addresses alone.
    done = network.client.run(pion, f"{SERVER[4]}:{port}", transport, USER, authority.certificate,
                              input=PASSWORD + "\n")
    assert done.returncode == 0 and "100 of 100" in done.stdout, done.stdout


@pytest.fixture(scope="session")
def libnice(build_directory):
    program = build_directory / "nice"
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "nice"], check=True,
                           capture_output=True, text=True).stdout.split()
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", "-o", program, HERE / "nice/call.c", *flags],
                   check=True)
    return program


@FAMILIES
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_libnice(network, yuelao, libnice, transport, family):
    done = network.client.run(libnice, SERVER[family], 3478, transport, USER, input=PASSWORD + "\n")
    assert done.returncode == 0 and "100 of 100" in done.stdout, done.stdout
