"""What the server takes away from itself, and that it serves all the same (docs/sandbox.md)."""

import contextlib
import os
import pathlib
import shutil
import tempfile

import pytest

from operation_test import serial
from turn_client import Refused, TurnClient, exchange, pair_up
from yuelao import Yuelao, settings

NOBODY = 65534
LAYERS = ["capabilities", "privileges", "system_calls", "files"]


def threads(server):
    """What /proc says of each thread: {"Seccomp": "2", ...}."""
    for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        yield dict(line.replace("\t", "").split(":", 1) for line in lines)


def held(server):
    return [layer for layer in LAYERS if server.metric(f'yuelao_sandbox{{layer="{layer}"}}') == 1]


@pytest.mark.parametrize("poller", ["epoll", "io_uring"])
def test_every_thread_is_in_the_sandbox_and_calls_go_through(network, serve, certificate, poller):
    server = serve(settings(poller=poller, tls=certificate))
    assert f'layers="{", ".join(LAYERS)}"' in server.wait_for_line(r" sandbox ")
    with TurnClient(network.client) as one, TurnClient(network.client, "tcp") as other:
        exchange(one, other, pair_up(one, other), b"from the inside")
    found = list(threads(server))
    assert len(found) >= 6  # two shards, what is at their doors, the main thread, the one that may block
    for thread in found:
        assert thread["NoNewPrivs"] == "1" and thread["Seccomp"] == "2"
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(thread[name], 16) == 0, (thread["Name"], name)
    assert held(server) == LAYERS
    assert server.metric("process_resident_memory_bytes") > 1_000_000
    assert server.metric("process_open_fds") >= 10
    assert server.metric("process_start_time_seconds") > 0


def test_it_can_be_left_off(network, serve):
    server = serve(settings(sandbox="off"))
    assert "`sandbox` is off" in server.wait_for_line("no sandbox")
    assert {thread["Seccomp"] for thread in threads(server)} == {"0"}
    assert held(server) == []
    server.reload(settings())
    assert "sandbox" in server.wait_for_line("wait for a restart")


@pytest.mark.parametrize("refused, missing", [
    ("landlock_create_ruleset", "files (Landlock: Operation not permitted"),
    ("seccomp", "system_calls (seccomp: Operation not supported"),
    ("capset", "capabilities (capset: Operation not permitted")])
def test_what_a_container_refuses_is_named_and_costs_nothing_else(network, serve, refused, missing):
    server = serve(settings(), refused=[refused])
    line = server.wait_for_line(r" sandbox ")
    assert f'missing="{missing})"' in line
    assert held(server) == [layer for layer in LAYERS if layer != missing.split()[0]]
    with TurnClient(network.client) as one, TurnClient(network.client) as other:
        exchange(one, other, pair_up(one, other), b"all the same")


def lineage(directory, number, issued):
    """As certbot lays them out: archive/ has the files, live/ links to the newest."""
    archive, live = directory / "archive" / "turn", directory / "live" / "turn"
    for made in (archive, live):
        made.mkdir(parents=True, exist_ok=True)
    for name, key in (("fullchain", "certificate"), ("privkey", "key")):
        shutil.copy(issued[key], archive / f"{name}{number}.pem")
        link = live / f"{name}.pem"
        link.unlink(missing_ok=True)
        link.symlink_to(f"../../archive/turn/{name}{number}.pem")
    return {"certificate": str(live / "fullchain.pem"), "key": str(live / "privkey.pem")}


def test_a_renewed_certificate_behind_a_link_is_found(network, serve, authority, tmp_path):
    files = lineage(tmp_path, 1, authority.issue("one"))
    server = serve(settings(tls=files))
    first = serial(network, authority)
    lineage(tmp_path, 2, authority.issue("two"))
    server.reload()
    server.wait_for_line("configuration reloaded")
    assert serial(network, authority) != first


def test_a_file_that_was_replaced_is_read_anew(network, serve, tmp_path):
    secrets = tmp_path / "secrets"
    secrets.mkdir()

    def put(name, password):
        draft = secrets / "draft"
        draft.touch(0o600)
        draft.write_text(password + "\n")
        draft.rename(secrets / name)

    put("ada", "the first password")
    users = [{"name": "ada", "password_file": str(secrets / "ada")}]
    server = serve(settings(users=users))
    put("ada", "the second password")
    put("bob", "the password of bob")
    users.append({"name": "bob", "password_file": str(secrets / "bob")})
    server.file.unlink()  # as an editor replaces it
    server.reload(settings(users=users))
    server.wait_for_line("configuration reloaded")
    for user, password in (("ada", "the second password"), ("bob", "the password of bob")):
        with TurnClient(network.client, user=user, password=password) as client:
            assert client.allocate()
    with TurnClient(network.client, user="ada", password="the first password") as client, \
            pytest.raises(Refused):
        client.allocate()


def test_a_file_elsewhere_is_refused_with_the_reason(network, serve, authority, certificate, tmp_path):
    server = serve(settings())
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = {key: shutil.copy(file, elsewhere) for key, file in certificate.items()}
    server.reload(settings(tls=moved, listen=["udp:3478", "tcp:3478"]))
    assert "restart it to have it use others" in server.wait_for_line("the old one stays")
    (elsewhere / "password").write_text("one more password")
    users = [{"name": "eve", "password_file": str(elsewhere / "password")}]
    before = len(server.lines)
    server.reload(settings(users=users))
    line = server.wait_for_line("the old one stays", before)
    assert "yuelao.yaml:1:" in line and "restart it to have it use others" in line
    with TurnClient(network.client) as client:
        assert client.allocate()


def test_a_secret_that_is_needed_later_is_made_and_kept(network, serve, tmp_path):
    state = tmp_path / "kept"
    state.mkdir(mode=0o700)
    server = serve(settings(state_directory=str(state)))
    server.reload(settings(state_directory=str(state), users=[], secrets=[]))
    server.wait_for_line("configuration reloaded")
    assert len((state / "rest-secret").read_text().strip()) == 64


def test_a_secret_that_has_no_place_waits_for_a_restart(network, serve, tmp_path):
    server = serve(settings())
    server.reload(settings(users=[], secrets=[]))
    line = server.wait_for_line("the old one stays")
    assert "state cannot be made (Permission denied)" in line and "restart it to have it use others" in line


def test_root_is_told_what_it_will_not_read_again(network, serve, tmp_path):
    secrets = tmp_path / "of-somebody-else"
    secrets.mkdir()
    password = secrets / "password"
    password.write_text("the password of bob")
    password.chmod(0o600)
    os.chown(password, NOBODY, NOBODY)
    server = serve(settings(users=[{"name": "bob", "password_file": str(password)}]))
    assert str(password) in server.wait_for_line("a reload will find a file closed")
    server.reload()
    server.wait_for_line("the old one stays")
    with TurnClient(network.client, user="bob", password="the password of bob") as client:
        assert client.allocate()


@contextlib.contextmanager
def serving_as_nobody(network, **options):
    """A server without privileges from the start, in a directory of its own."""
    with tempfile.TemporaryDirectory() as name:
        options = {"configuration": settings()} | options
        server = Yuelao(network.server, pathlib.Path(name), user=NOBODY, **options)
        server.wait_for_news("READY=1")
        yield server
        server.stop()


@pytest.fixture
def of_nobody(network):
    with serving_as_nobody(network) as server:
        yield server


@pytest.mark.parametrize("poller", ["epoll", "io_uring"])
def test_as_a_service_it_keeps_its_port_and_no_capability(network, poller):
    """systemd's unit gives CAP_NET_BIND_SERVICE, and no capset(2) to be rid of it."""
    configuration = settings(listen=["udp:443", "tcp:443", "udp:3478"], poller=poller)
    with serving_as_nobody(network, configuration=configuration, refused=["capset"],
                           capability="net_bind_service") as server:
        assert f'layers="{", ".join(LAYERS)}"' in server.wait_for_line(r" sandbox ")
        assert held(server) == LAYERS
        for thread in threads(server):
            for name in ("CapPrm", "CapEff", "CapAmb"):
                assert int(thread[name], 16) == 0, (thread["Name"], name)
        clients = [TurnClient(network.client, transport, family, port)
                   for transport, port in (("udp", 443), ("tcp", 443), ("udp", 3478))
                   for family in (4, 6)]
        for one in clients:
            with one:
                assert one.allocate()
        # It is one process, started once: nothing is said twice, nothing left over.
        assert server.output.count(" ready ") == server.output.count(" sandbox ") == 1
        server.reload()
        server.wait_for_line("configuration reloaded")


def test_a_user_without_privileges_has_it_too(network, of_nobody):
    assert f'layers="{", ".join(LAYERS)}"' in of_nobody.wait_for_line(r" sandbox ")
    for thread in threads(of_nobody):
        assert (thread["NoNewPrivs"], thread["Seccomp"]) == ("1", "2")
        assert int(thread["CapPrm"], 16) == 0
    of_nobody.reload()
    of_nobody.wait_for_line("configuration reloaded")
    with TurnClient(network.client) as client:
        assert client.allocate()
