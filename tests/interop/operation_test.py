"""What the operator does: start, reload, drain, make mistakes. Calls in progress go on."""

import contextlib
import json
import os
import re
import socket
import ssl
import subprocess

import pytest

import stun
from network import CLIENT, LOOPBACK, PEER, SERVER, bracketed
from turn_client import Refused, TurnClient, exchange, pair_up
from yuelao import PATIENCE, PROGRAM, Yuelao, settings


FAMILIES = pytest.mark.parametrize("family", [4, 6])


@contextlib.contextmanager
def call(network, family=4):
    """Two clients in a call: (one, other, relays)."""
    with TurnClient(network.client, family=family) as one, \
            TurnClient(network.client, "tcp", family) as other:
        relays = pair_up(one, other)
        exchange(one, other, relays)
        yield one, other, relays


def serial(network, authority, port=3478):
    """The serial number of the certificate that is served."""
    context = ssl.create_default_context(cafile=authority.certificate)
    with network.client.socket(socket.SOCK_STREAM) as plain:
        plain.connect((SERVER[4], port))
        with context.wrap_socket(plain, server_hostname=SERVER[4]) as secure:
            return secure.getpeercert()["serialNumber"]


def one_sentence(server, status=1):
    """What a start that failed has to say."""
    assert server.wait() == status, server.output
    errors = [line for line in server.output.strip().split("\n") if " warning " not in line]
    assert len(errors) == 1 and errors[0].startswith("yuelao: "), server.output
    return errors[0]


# Reload


@FAMILIES
def test_a_reload_applies_and_drops_no_call(network, serve, family):
    server = serve(settings())
    with call(network, family) as (one, other, relays):
        server.reload(settings(users=[{"name": "newcomer", "password": "secret-of-hers"},
                                      *settings()["users"]], limits={"allocations": 3}))
        exchange(one, other, relays, b"after the reload")
        with TurnClient(network.client, family=family, user="newcomer",
                        password="secret-of-hers") as third:
            assert third.allocate()
            with TurnClient(network.client, family=family) as beyond, pytest.raises(Refused) as refusal:
                beyond.allocate()
            assert refusal.value.code == 508


@pytest.mark.parametrize("broken, said", [
    ("relam: x\n", r"yuelao.yaml:1:1: .*relam.*realm"),
    ("listen: [\n", r"yuelao.yaml:\d+:\d+: "),
    ("{secrets: [{value: marker-secret-of-another-kind}], tls: {certificate: /nowhere.pem, key: /nowhere.key}}\n",
     r"/nowhere.pem does not exist"),
], ids=["unknown-key", "no-yaml", "no-certificate"])
def test_a_reload_that_cannot_be_is_refused_in_one_sentence(network, serve, broken, said):
    server = serve(settings())
    with call(network) as (one, other, relays):
        before = len(server.lines)
        server.reload(broken)
        assert "the old one stays" in server.wait_for_line(said, before)
        assert [" warning " in line for line in server.lines[before:]].count(False) == 1
        exchange(one, other, relays, b"with the old one")
        with TurnClient(network.client) as third:
            assert third.allocate()


def test_a_new_certificate_serves_new_clients_and_leaves_the_old_ones(network, serve, authority):
    files = authority.issue("first")
    server = serve(settings(tls=files))
    first = serial(network, authority)
    with TurnClient(network.client, "tls", authority=authority.certificate) as one, \
            TurnClient(network.client) as other:
        relays = pair_up(one, other)
        # A renewal writes the same two files anew.
        renewed = authority.issue("second")
        for name in files:
            with open(renewed[name], encoding="ascii") as new, open(files[name], "w", encoding="ascii") as old:
                old.write(new.read())
        server.reload()
        exchange(one, other, relays, b"under the old certificate")
        assert serial(network, authority) != first
        assert serial(network, authority, 5349) != first


# Drain


@FAMILIES
def test_a_drain_takes_no_new_call_and_waits_for_the_last(network, serve, family):
    server = serve(settings(drain_timeout="1h"))
    with call(network, family) as (one, other, relays):
        with TurnClient(network.client, family=family) as late, \
                TurnClient(network.client, "tcp", family) as later:
            later.ask(stun.BINDING)
            server.drain()
            # Each shard answers in the order it was asked: it drains by now.
            server.metric("yuelao_allocations")
            for client in (late, later):
                with pytest.raises(Refused) as refusal:
                    client.allocate()
                assert refusal.value.code == 508
        exchange(one, other, relays, b"while draining")
        assert one.refresh(600).lifetime == 600
        assert server.http("/readyz")[0] == 503
        assert server.http("/healthz")[0] == 200
        with network.client.socket(socket.SOCK_STREAM, family) as newcomer:
            with pytest.raises(ConnectionRefusedError):
                newcomer.connect((SERVER[family], 3478))
        one.refresh(0)
        other.refresh(0)
        assert server.wait() == 0, server.output


def test_a_drain_ends_calls_at_its_limit(network, serve):
    server = serve(settings(drain_timeout="1s"))
    with call(network):
        server.drain()
        assert server.wait() == 0, server.output


def test_sigint_ends_at_once(network, serve):
    server = serve(settings(drain_timeout="1h"))
    with call(network):
        server.process.send_signal(2)
        assert server.wait() == 0, server.output


# Starts that cannot be


def this_program():
    with open("/proc/self/comm", encoding="ascii") as name:
        return f"{name.read().strip()} (process {os.getpid()})"


@pytest.mark.parametrize("kind, protocol", [(socket.SOCK_DGRAM, "UDP"), (socket.SOCK_STREAM, "TCP")],
                         ids=["udp", "tcp"])
@FAMILIES
def test_a_taken_port_is_named(network, launch, kind, protocol, family):
    with network.server.socket(kind, family, SERVER[family], 3478) as squatter:
        if kind == socket.SOCK_STREAM:
            squatter.listen()
        said = one_sentence(launch())
    assert f"{protocol} port 3478" in said and "listen" in said, said
    assert f"taken by {this_program()}:" in said, said


def test_a_second_server_is_not_shared_with(serve, launch):
    first = serve()
    said = one_sentence(launch(settings(metrics="off")))
    assert f"port 3478 is already taken by yuelao (process {first.process.pid}):" in said, said


@FAMILIES
def test_a_taken_metrics_port_is_named(network, launch, family):
    with network.server.socket(socket.SOCK_STREAM, family, LOOPBACK[family], 9641) as squatter:
        squatter.listen()
        said = one_sentence(launch(settings(metrics=f"{bracketed(LOOPBACK[family])}:9641")))
    assert f"{bracketed(LOOPBACK[family])}:9641" in said and "metrics" in said, said


def test_a_missing_certificate_is_named(launch, certificate):
    said = one_sentence(launch(settings(tls=certificate | {"certificate": "/nowhere.pem"})))
    assert "/nowhere.pem" in said and "does not exist" in said, said


def test_an_expired_certificate_is_named(launch, authority):
    said = one_sentence(launch(settings(tls=authority.issue_expired())))
    assert "expired.pem" in said and "2020-02-01" in said, said


def test_a_key_of_another_certificate_is_named(launch, authority, certificate):
    other = authority.issue("other")
    said = one_sentence(launch(settings(tls={"certificate": certificate["certificate"],
                                             "key": other["key"]})))
    assert "other.key" in said, said


@pytest.mark.parametrize("text, place", [
    ("realm: a\nlisten: [udp:99999]\n", ":2:"), ("peers: {alow: []}\n", ":1:"), ("- a\n", ":1:"),
    ("lifetimes: {nonce: often}\n", ":1:"), ("users: [{name: a}]\n", ":1:"),
])
def test_a_wrong_configuration_is_placed(launch, text, place):
    said = one_sentence(launch(text))
    assert f"yuelao.yaml{place}" in said, said


def test_a_missing_configuration_is_named(network, tmp_path):
    done = network.server.run(PROGRAM, "--config", tmp_path / "nowhere.yaml")
    assert done.returncode == 1 and "nowhere.yaml" in done.stdout and done.stdout.count("\n") == 1


# Becomes its arguments on a machine of its own that has the file where yuelao looks for one.
WITH_THE_USUAL_FILE = """mount -t tmpfs none /etc && mkdir /etc/yuelao && cp "$0" /etc/yuelao/yuelao.yaml
chmod 700 /etc/yuelao && exec "$@" """


def with_the_usual_file(directory, configuration):
    file = directory / "usual.yaml"
    file.write_text(json.dumps(configuration))
    return ["unshare", "--mount", "sh", "-euc", WITH_THE_USUAL_FILE, file]


def test_a_usual_configuration_that_is_closed_is_not_taken_for_none(tmp_path):
    command = with_the_usual_file(tmp_path, settings())
    asked = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", PROGRAM, "credentials",
             "--state-directory", tmp_path / "state"]
    done = subprocess.run([*command, *asked], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(r"^yuelao: /etc/yuelao/yuelao.yaml.*cannot be read \(Permission denied\).*\n\Z",
                     done.stderr), done.stderr


def test_a_configuration_that_is_gone_is_no_reason_to_forget_it(network, tmp_path):
    server = Yuelao(network.server, tmp_path, None, behind=with_the_usual_file(tmp_path, settings()))
    try:
        server.wait_for_news("READY=1")
        with call(network) as (one, other, relays):
            os.unlink(f"/proc/{server.process.pid}/root/etc/yuelao/yuelao.yaml")
            server.reload()
            line = server.wait_for_line("the old one stays")
            assert "/etc/yuelao/yuelao.yaml" in line and "No such file" in line
            exchange(one, other, relays, b"all the same")
    finally:
        server.stop()


@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db8::77"])
def test_an_address_of_another_machine_is_named(launch, address):
    assert address in one_sentence(launch(settings(listen=[f"udp:{bracketed(address)}:3478"])))


# Exhaustion


def test_without_descriptors_new_calls_are_refused_and_old_ones_go_on(network, serve):
    server = serve(settings(threads=1), descriptors=40)
    with call(network) as (one, other, relays), contextlib.ExitStack() as stack:
        codes = []
        for _ in range(60):
            client = stack.enter_context(TurnClient(network.client))
            try:
                client.allocate()
                codes.append(None)
            except Refused as refusal:
                codes.append(refusal.code)
        assert set(codes) == {None, 508}, codes
        exchange(one, other, relays, b"through it all")
        # And what is given back can be had again.
        one.refresh(0)
        with TurnClient(network.client) as late:
            assert late.allocate()


def test_without_descriptors_streams_wait_and_calls_go_on(network, serve):
    serve(settings(threads=1), descriptors=40)
    with call(network) as (one, other, relays), contextlib.ExitStack() as stack:
        for _ in range(60):
            stream = stack.enter_context(network.client.socket(socket.SOCK_STREAM))
            with contextlib.suppress(ConnectionError):
                stream.connect((SERVER[4], 3478))
        exchange(one, other, relays, b"through it all")
        stack.close()
        with TurnClient(network.client, "tcp") as late:
            assert late.allocate()


def test_connections_over_the_limit_are_closed(network, serve):
    server = serve(settings(limits={"connections": 3}))
    with contextlib.ExitStack() as stack:
        answers = []
        for _ in range(6):
            client = stack.enter_context(TurnClient(network.client, "tcp"))
            try:
                answers.append(client.ask(stun.BINDING).error)
            except (EOFError, ConnectionError):
                answers.append("closed")
        assert answers == [None] * 3 + ["closed"] * 3
    assert server.metric('yuelao_connections_total{outcome="refused"}') == 3


def test_the_relay_ports_may_run_out(network, serve):
    server = serve(settings(relay={"addresses": [SERVER[4]], "ports": "50000-50001"}))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(TurnClient(network.client)) for _ in range(8)]
        codes = []
        for client in clients:
            try:
                assert client.allocate()[1] in (50000, 50001)
                codes.append(None)
            except Refused as refusal:
                codes.append(refusal.code)
        assert set(codes) == {None, 508} and 1 <= codes.count(None) <= 2, codes
    assert server.metric("yuelao_sessions") == codes.count(None)


# To IPv6's limit per client all of a /64 is one.
@pytest.mark.parametrize("limit, family, places", [
    ("per_user", 4, [CLIENT]), ("per_client", 4, [CLIENT]), ("per_client", 6, [CLIENT, PEER]),
    ("allocations", 4, [CLIENT])])
def test_a_quota_is_answered_and_counted(network, serve, limit, family, places):
    server = serve(settings(limits={limit: 2}))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(TurnClient(network.client, family=family,
                                                  local=places[i % len(places)][family]))
                   for i in range(3)]
        clients[0].allocate()
        clients[1].allocate()
        with pytest.raises(Refused) as refusal:
            clients[2].allocate()
        assert refusal.value.code in (486, 508)
        clients[0].refresh(0)
        assert clients[2].allocate()
    assert server.metric("yuelao_quota_refusals_total") == 1


# The built-in default


def test_without_any_configuration_it_prints_what_to_paste(network, tmp_path):
    server = Yuelao(network.server, tmp_path, None)
    try:
        server.wait_for_news("READY=1")
        server.wait_for_line(r" ready ")
        ice = json.loads(re.search(r"^\{.*?^\}", server.output, re.DOTALL | re.MULTILINE).group())
        assert f"turn:{SERVER[4]}:3478?transport=udp" in ice["urls"]
        with TurnClient(network.client, user=ice["username"], password=ice["credential"]) as one, \
                TurnClient(network.client, "tcp", user=ice["username"],
                           password=ice["credential"]) as other:
            exchange(one, other, pair_up(one, other))
            one.refresh(0)
            other.refresh(0)
        secret, = (tmp_path / "state").iterdir()
        assert secret.stat().st_mode & 0o777 == 0o600
        assert secret.read_text().strip() not in server.output
        assert CLIENT[4] not in server.output
    finally:
        server.process.terminate()
        assert server.wait() == 0, server.output


def test_prometheus_understands_the_metrics(network, serve):
    server = serve()
    with call(network):
        checked = subprocess.run(["promtool", "check", "metrics"], input=server.http("/metrics")[1],
                                 text=True, capture_output=True, timeout=PATIENCE, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
