"""`yuelao check` beside the server that it is about, as its operator runs it."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import threading

import pytest

from certificates import NAME
from network import CLIENT, LOOPBACK, SERVER, bracketed
from yuelao import PASSWORD, PROGRAM, SANITIZER, SECRET, USER, Yuelao, settings

PUBLIC = {4: "203.0.113.7", 6: "2001:db8::7"}  # addresses that the server does not have
FAMILIES = pytest.mark.parametrize("family", [4, 6])
HEALTHY = {"configuration", "listener", "address", "url", "certificate", "peer", "buffers",
           "descriptors", "relay ports", "sandbox"}


class Checked:
    def __init__(self, status, printed):
        self.status, self.text = status, printed

    @property
    def report(self):
        return json.loads(self.text)

    def lines(self, check, verdict=None):
        return [one["text"] for one in self.report["checks"]
                if one["check"] == check and verdict in (None, one["verdict"])]

    def line(self, check, verdict):
        found, = self.lines(check, verdict) or [None]
        assert found, f"no {check} that {verdict}:\n{self.text}"
        return found

    def verdicts(self, *but):
        return {one["verdict"] for one in self.report["checks"] if one["check"] not in but}


@pytest.fixture
def names(network):
    """names(NAME=ADDRESS, ...) for the programs of the server's namespace."""
    directory = pathlib.Path(f"/etc/netns/{network.server.name}")
    directory.mkdir(parents=True)

    def know(**hosts):
        (directory / "hosts").write_text(
            "".join(f"{address} {name.replace('_', '.')}\n" for name, address in hosts.items()))

    yield know
    (directory / "hosts").unlink(missing_ok=True)
    directory.rmdir()


@pytest.fixture
def check(network, authority):
    """check(file, option...) on the server's machine, with the certificate's authority known."""

    def run(file, *options, as_json=True):
        done = subprocess.run(
            network.server.command(PROGRAM, "check", "--config", file, "--ca",
                                   authority.certificate, *options,
                                   *(["--json"] if as_json else [])),
            capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
        assert not SANITIZER.search(done.stderr), done.stderr
        for secret in (PASSWORD, SECRET):
            assert secret not in done.stdout + done.stderr
        return Checked(done.returncode, done.stdout)

    return run


def test_a_server_that_is_well(serve, check, certificate, names):
    names(turn_test=SERVER[4])
    server = serve(settings(tls=certificate, external_address=NAME))
    checked = check(server.file)
    assert checked.status == 0, checked.text
    assert checked.report["works"]
    assert {one["check"] for one in checked.report["checks"]} >= HEALTHY
    # The certificate of the tests is for a day, and namespaces hide what buffers may be.
    assert checked.verdicts("certificate", "buffers", "descriptors", "url",
                            "configuration") == {"works"}, checked.text
    urls = checked.lines("url")
    assert [url.split(" ")[0].rstrip(":") for url in urls] == [
        f"stun:{NAME}:3478", f"turn:{NAME}:3478?transport=udp", f"turn:{NAME}:3478?transport=tcp",
        f"turns:{NAME}:5349?transport=tcp", f"turns:{NAME}:3478?transport=tcp"]
    assert all("works" in url for url in urls[:3])
    assert all("0 days left" in url for url in urls[3:])
    assert not checked.lines("url", "failed")


def test_for_a_person_each_check_is_a_line(serve, check):
    server = serve(settings())
    checked = check(server.file, as_json=False)
    assert checked.status == 0, checked.text
    *lines, empty, summary = checked.text.splitlines()
    assert all(line[:10] in ("  ok      ", "  look    ", "  -       ") for line in lines)
    assert f"  ok      turn:{SERVER[4]}:3478?transport=udp works (" in checked.text
    assert empty == "" and summary.startswith("It works"), summary


def test_a_server_that_does_not_run(check, tmp_path):
    file = tmp_path / "yuelao.yaml"
    file.write_text(json.dumps(settings()))
    file.chmod(0o600)
    checked = check(file)
    assert checked.status == 1
    assert len(checked.lines("listener", "failed")) == 3
    assert checked.lines("listener")[0].startswith(
        "UDP port 3478 is closed: start the server (`systemctl start yuelao`)")
    assert "not tried" in checked.line("url", "skipped")


def test_a_port_that_somebody_else_has(serve, check, network, tmp_path):
    server = serve(settings(listen=["udp:3478"]))
    wanted = settings(listen=["udp:3478", f"tcp:[{SERVER[6]}]:3479"])
    file = tmp_path / "wanted.yaml"
    file.write_text(json.dumps(wanted))
    file.chmod(0o600)
    with network.server.socket(socket.SOCK_STREAM, 6, SERVER[6], 3479) as taken:
        taken.listen()
        checked = check(file)
    assert server.process.poll() is None
    assert checked.status == 1
    holder = pathlib.Path("/proc/self/comm").read_text(encoding="ascii").strip()
    assert checked.line("listener", "failed") == (
        f"TCP port 3479 of {SERVER[6]} is held by {holder} (process {os.getpid()}): stop that "
        "program, or choose another port under `listen`.")


def test_ports_of_behaviour_discovery(serve, check):
    configuration = settings(listen=["udp:3478", "tcp:3478"], behavior_discovery={
        "addresses": [SERVER[4], LOOPBACK[4]]})
    ports = [f"{transport} port 3479 of {address}" for transport in ("UDP", "TCP")
             for address in (SERVER[4], LOOPBACK[4])]
    server = serve(settings(listen=["udp:3478", "tcp:3478"]))
    server.configure(configuration)
    checked = check(server.file)
    assert checked.lines("listener", "failed") == [
        f"{port} is closed: start the server (`systemctl start yuelao`), or restart it if it began "
        "with another `behavior_discovery.ports`." for port in ports]
    server.stop()
    server = serve(configuration)
    checked = check(server.file)
    assert checked.status == 0, checked.text
    assert checked.lines("listener", "works")[-len(ports):] == [f"{port} is open." for port in ports]


def test_a_program_cannot_write_on_the_terminal_by_its_name(serve, check, network):
    """prctl(2) takes any octets for a name, and root reads them here."""
    server = serve(settings())
    server.configure(settings(listen=["udp:3478", "tcp:3478", f"tcp:{SERVER[4]}:3479"]))
    taker = ("import ctypes, socket, sys\n"
             "ctypes.CDLL(None).prctl(15, b'\\x1b[2Jevil', 0, 0, 0)\n"
             f"taken = socket.create_server(('{SERVER[4]}', 3479))\n"
             "print(flush=True)\nsys.stdin.read()\n")
    with subprocess.Popen(network.server.command("/usr/bin/python3", "-c", taker),
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        holder.stdout.readline()
        checked = check(server.file, as_json=False)
        holder.stdin.close()
    assert "is held by ?[2Jevil (process " in checked.text
    assert "\x1b" not in checked.text


@FAMILIES
def test_another_address_of_the_port_is_no_conflict(serve, check, network, family):
    at = bracketed(SERVER[family])
    server = serve(settings(listen=[f"udp:{at}:3478", f"tcp:{at}:3478"]))
    with network.server.socket(socket.SOCK_STREAM, family, LOOPBACK[family], 3478) as other:
        other.listen()
        checked = check(server.file)
    assert checked.status == 0, checked.text
    assert checked.lines("listener", "failed") == []


def test_an_expired_certificate(serve, check, authority, certificate, names):
    names(turn_test=SERVER[4])
    server = serve(settings(tls=certificate))
    server.configure(settings(tls=authority.issue_expired()))
    checked = check(server.file)
    assert checked.status == 1
    text = checked.line("certificate", "failed")
    assert text.startswith(f"{server.file}:1:") and "expired" in text, text


def test_a_renewed_certificate_that_the_server_did_not_read(serve, check, authority, certificate,
                                                            names):
    names(turn_test=SERVER[4])
    server = serve(settings(tls=certificate))
    server.configure(settings(tls=authority.issue("renewed", "20260101000000Z", "20360101000000Z")))
    checked = check(server.file)
    assert "systemctl reload yuelao" in checked.line("certificate", "attention")
    server.reload()
    checked = check(server.file)
    assert not checked.lines("certificate", "attention"), checked.text
    assert "more days" in checked.line("certificate", "works")
    assert checked.verdicts("buffers", "descriptors", "configuration") == {"works"}, checked.text


def test_a_certificate_that_nobody_believes(serve, certificate, network, names):
    names(turn_test=SERVER[4])
    server = serve(settings(tls=certificate))
    done = network.server.run(PROGRAM, "check", "--config", server.file)
    assert done.returncode == 1
    refused = [line for line in done.stdout.splitlines() if line.startswith("  FAILED")]
    assert len(refused) == 2
    for line, port in zip(refused, (5349, 3478)):
        assert f"turns:{NAME}:{port}?transport=tcp: Clients refuse the certificate" in line


@pytest.fixture
def unreachable(network):
    """No packet goes to PUBLIC, and so nothing has to wait for an answer."""
    routes = [("ip", f"-{family}", "route", way, "unreachable", address)
              for family, address in PUBLIC.items() for way in ("add", "delete")]
    for add in routes[::2]:
        assert network.server.run(*add).returncode == 0
    yield
    for delete in routes[1::2]:
        assert network.server.run(*delete).returncode == 0


@FAMILIES
@pytest.mark.usefixtures("unreachable")
def test_a_wrong_external_address(serve, check, network, tmp_path, family):
    server = serve(settings(listen=["udp:3478"],
                            external_address=f"{PUBLIC[family]}/{SERVER[family]}"))
    tmp = tmp_path / "stun"
    tmp.mkdir()
    stun = Yuelao(network.client, tmp, settings(relay={"addresses": list(CLIENT.values())},
                                                metrics="off"))
    stun.wait_for_news("READY=1")
    try:
        checked = check(server.file, "--stun", bracketed(CLIENT[family]))
    finally:
        # Not stop(): this one's own address is a client's to every other test.
        stun.process.terminate()
        assert stun.wait() == 0
    assert checked.status == 1
    assert checked.line("seen from outside", "failed") == (
        f"The Internet sees {SERVER[family]} as {SERVER[family]}, and clients are told "
        f"{PUBLIC[family]}: take `external_address` out, or correct the router.")
    assert SERVER[10 - family] in checked.line("seen from outside", "skipped")


def test_behind_a_router_that_does_not_lead_back(serve, check):
    server = serve(settings(listen=["udp:3478"], external_address=f"{PUBLIC[4]}/{SERVER[4]}"))
    checked = check(server.file)
    assert checked.status == 0, checked.text
    assert "the router has to lead UDP ports 49152 to 65535" in checked.lines("address")[0]
    # Of the two families only IPv4 is behind it: stun: and turn:.
    for text in (looks := checked.lines("url", "attention")):
        assert f"By {SERVER[4]}:3478 it works" in text and "from outside" in text, text
    assert len(looks) == 2, checked.text


def test_a_name_that_leads_elsewhere(serve, check, certificate, names):
    names(turn_test=CLIENT[4])
    server = serve(settings(tls=certificate))
    checked = check(server.file)
    assert checked.line("name", "attention").startswith(
        f"{NAME} leads to {CLIENT[4]}, and none of that is this machine's")
    looks = checked.lines("url", "attention")
    assert [look.partition("?")[0] for look in looks] == [f"turns:{NAME}:5349", f"turns:{NAME}:3478"]
    assert "from outside" in looks[0]


def test_a_name_that_nobody_knows(serve, check, certificate, names):
    names()
    server = serve(settings(tls=certificate))
    checked = check(server.file)
    assert checked.status == 1
    assert checked.line("name", "failed").startswith(f"{NAME} has no address")
    assert f"By {SERVER[4]}:5349 " in checked.lines("url", "failed")[0]


def test_few_descriptors(launch, check):
    server = launch(settings(threads=1), descriptors=400)
    server.wait_for_news("READY=1")
    checked = check(server.file)
    assert checked.status == 0, checked.text
    assert checked.line("descriptors", "attention").startswith(
        "The server may open 400 files, and `limits` allow 20000 allocations and 10000 "
        "connections: raise the limit to 30064 ")
    server.configure(settings(threads=1, limits={"allocations": 100, "connections": 50}))
    checked = check(server.file)
    assert checked.line("descriptors", "works") == "The server may open 400 files."
    server.stop()


def test_the_sandbox(serve, check):
    server = serve(settings())
    assert check(server.file).line("sandbox", "works") == (
        "The server's sandbox holds: capabilities, privileges, system_calls, files.")


def test_a_sandbox_that_the_server_does_not_tell_of(serve, check, network):
    server = serve(settings(credentials={"listen": "127.0.0.1:9642", "keys": [{"value": "a-key"}]}))

    def why(metrics):
        server.configure(settings(metrics=metrics))
        return check(server.file).line("sandbox", "skipped")

    assert "(`metrics` is off)" in why("off")
    assert "(Connection refused)" in why("127.0.0.1:1")
    assert "(HTTP status 404)" in why("127.0.0.1:9642")
    with network.server.socket(socket.SOCK_STREAM, 4, LOOPBACK[4], 9643) as silent:
        silent.listen()
        assert "timeout" in why("127.0.0.1:9643")


@pytest.mark.parametrize("answer, reason", [
    (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "bad Transfer-Encoding"),
    (b"Content-Length: 1048577\r\n\r\n" + bytes(1048577), "body limit exceeded"),
    (b"\0\r\n\r\n", "bad"),
    (b"", "partial message"),
], ids=["chunks", "endless", "garbage", "cut"])
def test_whoever_has_the_port_of_the_metrics_is_not_believed(serve, check, network, answer, reason):
    server = serve(settings())
    server.configure(settings(metrics="127.0.0.1:9643"))
    with network.server.socket(socket.SOCK_STREAM, 4, LOOPBACK[4], 9643) as taken:
        taken.listen()
        taken.settimeout(60)

        def tell():
            connection, _ = taken.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\n" + answer if answer else b"HTTP/1.1 2")

        teller = threading.Thread(target=tell)
        teller.start()
        try:
            assert reason in check(server.file).line("sandbox", "skipped")
        finally:
            teller.join()


def test_a_layer_of_the_sandbox_that_is_missing(serve, check):
    server = serve(settings(), refused=["landlock_create_ruleset"])
    checked = check(server.file)
    assert checked.status == 0, checked.text
    assert checked.line("sandbox", "attention") == (
        "Layers of the server's sandbox are missing: files. Its log says why, in the line `sandbox`.")


def test_a_sandbox_that_is_off(serve, check):
    server = serve(settings(sandbox="off"))
    assert "as `sandbox` is off" in check(server.file).line("sandbox", "attention")
    server.configure(settings())
    assert "unlike its configuration: restart it" in check(server.file).line("sandbox", "attention")


def test_media_servers(serve, check):
    sfu = "10.99.0.5"
    server = serve(settings(listen=["udp:3478"]))
    checked = check(server.file, "--peer", sfu, "--peer", "fd99::5")
    assert checked.status == 1
    assert checked.lines("peer", "failed") == [
        f"Clients are not let through to {peer}: add {peer} to `peers.allow`, and reload."
        for peer in (sfu, "fd99::5")]
    assert len(checked.lines("peer", "works")) == 4  # this machine, and the cloud's keys, twice

    server.configure(settings(listen=["udp:3478"], peers={"allow": [sfu]}))
    checked = check(server.file)
    assert "unlike its configuration" in checked.line("peer", "failed")
    server.reload()
    checked = check(server.file)
    assert checked.status == 0, checked.text
    assert f"Clients are let through to {sfu}." in checked.lines("peer", "works")


@pytest.mark.parametrize("address, allowed", [("127.0.0.1", "127.0.0.0/8"), ("::1", "::/127")])
def test_a_relay_into_this_machine(serve, check, address, allowed):
    server = serve(settings(listen=["udp:3478"], peers={"allow": [allowed]}))
    checked = check(server.file)
    assert checked.status == 0
    assert f"{address}: whatever listens there is open to them" in checked.line("peer", "attention")


@FAMILIES
def test_the_web_server_behind(serve, check, certificate, network, names, family):
    names(turn_test=SERVER[family])
    at = f"{bracketed(LOOPBACK[family])}:8080"
    server = serve(settings(tls=certificate, listen=["tls:5349"], web_server={"plain": at}))
    checked = check(server.file)
    assert checked.status == 1
    assert "Web pages do not open" in checked.line("web server", "failed")
    with network.server.socket(socket.SOCK_STREAM, family, LOOPBACK[family], 8080) as web:
        web.listen()
        checked = check(server.file)
    assert f"answers on {at}" in checked.line("web server", "works")


def test_static_users_alone(serve, check):
    configuration = settings(listen=["udp:3478"])
    del configuration["secrets"]
    server = serve(configuration)
    checked = check(server.file)
    assert checked.status == 0, checked.text
    assert USER not in checked.text


def test_a_configuration_that_is_wrong(check, tmp_path):
    file = tmp_path / "yuelao.yaml"
    file.write_text("listen: [udp:99999]\n")
    checked = check(file)
    assert checked.status == 1
    only, = checked.report["checks"]
    assert (only["check"], only["verdict"]) == ("configuration", "failed")
    assert only["text"].startswith(f"{file}:1:10: ")


@pytest.mark.parametrize("options, said", [
    (("--peer", "sfu.example.org"), "--peer sfu.example.org is not an IP address."),
    (("--stun", "turn:x"), "--stun turn:x is not HOST or HOST:PORT."),
    (("--ca", "/nonexistent"), "/nonexistent"),
])
def test_used_wrongly(options, said):
    done = subprocess.run([PROGRAM, "check", *options], capture_output=True, text=True, timeout=60,
                          check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr
