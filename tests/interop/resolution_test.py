"""`yuelao probe` finds servers by the records that a DNS server has of them (RFC 5928)."""

import contextlib
import functools
import pathlib
import re
import shlex

import pytest

from certificates import NAME
from name_servers import Dnsmasq, Misbehaving, NO_DNS, etc
from network import SERVER, bracketed
from probing import run_probe
from yuelao import USER, settings



@pytest.fixture
def family():
    """Of the DNS server. A test may have another, and both."""
    return 4


@pytest.fixture
def server(serve):
    """On ports that only SRV records tell of."""
    return serve(settings(listen=["udp:4000", "tcp:4001"]))


@pytest.fixture
def probe_with(network, tmp_path, family):
    """probe_with(record...) -> a probe with credentials whose DNS server knows these records;
    probe_with(server=...) -> one with another DNS server."""
    (tmp_path / "password").write_text("correct-horse\n")
    with contextlib.ExitStack() as kept:
        resolvers = {"resolv.conf": f"nameserver {SERVER[family]}\n"}
        kept.enter_context(etc(network.client, hosts="", **resolvers))

        def start(*records, server=None):
            server = server or Dnsmasq(network.server, records, family)
            kept.callback(server.stop)
            return functools.partial(run_probe, network.client)

        yield start


@pytest.fixture
def user(tmp_path):
    return "--user", USER, "--password-file", tmp_path / "password"


def host(name, family=4):
    return f"host-record={name},{SERVER[family]}"


def naptr(owner, order, flags, services, replacement):
    return f"naptr-record={owner},{order},10,{flags},{services},,{replacement}"


def tried(probed):
    return [f"{leg['transport']} {leg['server']} {leg['verdict']}" for leg in probed.report["legs"]]


@pytest.mark.parametrize("family", [4, 6])
def test_naptr_records_lead_to_srv_records_and_those_to_the_server(server, probe_with, user, family):
    probe = probe_with(
        naptr("call.test", 200, "", "RELAY:turn.udp", "udp.call.test"),
        naptr("call.test", 100, "S", "RELAY:turn.tcp", "_turn._tcp.call.test"),
        naptr("call.test", 50, "S", "SIP+D2U", "_sip._udp.call.test"),
        naptr("udp.call.test", 100, "s", "RELAY:turn.udp", "_turn._udp.call.test"),
        "srv-host=_turn._udp.call.test,one.test,4000,0,5",
        "srv-host=_turn._tcp.call.test,one.test,4001", host("one.test", family))
    probed = probe("turn:call.test", *user)
    assert probed.status == 0, probed.text
    assert probed.targets == ["tcp one.test 4001", "udp one.test 4000"]
    at = bracketed(SERVER[family])
    assert tried(probed) == [f"tcp {at}:4001 works", f"udp {at}:4000 works"]
    lookups = {lookup["name"]: lookup for lookup in probed.report["lookups"]}
    assert lookups["call.test"]["type"] == "NAPTR"
    assert lookups["call.test"]["records"] == [
        '50 10 "S" "SIP+D2U" _sip._udp.call.test',
        '100 10 "S" "RELAY:turn.tcp" _turn._tcp.call.test',
        '200 10 "" "RELAY:turn.udp" udp.call.test']
    assert lookups["_turn._udp.call.test"]["records"] == ["0 5 4000 one.test"]
    assert all(lookup["outcome"] == "found" for lookup in lookups.values())


def test_people_are_told_the_records_and_the_order(server, probe_with, user):
    probe = probe_with("srv-host=_turn._udp.call.test,one.test,4000,10,5",
                       "srv-host=_turn._udp.call.test,gone.test,1,20",
                       "srv-host=_turn._tcp.call.test", host("one.test"))
    text = probe("turn:call.test", *user, json=False).text
    for sentence in (
            "The SRV records of _turn._udp.call.test, in their order: 10 5 4000 one.test; and 20 0 1 "
            "gone.test.\n",
            "There are no NAPTR records of call.test.\n",
            "The target \".\" of _turn._tcp.call.test says that there is no such service.\n",
            "Clients try, in this order: UDP to one.test port 4000, then UDP to gone.test port 1. ",
            "Browsers do not look at these records",
            f"one.test has the address {SERVER[4]}.\n"):
        assert sentence in text


def test_srv_records_alone_do(server, probe_with, user):
    probe = probe_with("srv-host=_turn._udp.call.test,one.test,4000",
                       "srv-host=_turn._tcp.call.test,one.test,4001", host("one.test"))
    both = probe("turn:call.test", *user)
    assert both.status == 0, both.text
    assert both.targets == ["udp one.test 4000", "tcp one.test 4001"]
    tcp = probe("turn:call.test?transport=tcp", *user)
    assert tcp.status == 0 and tcp.targets == ["tcp one.test 4001"], tcp.text


def test_a_host_without_such_records_is_the_server(yuelao, probe_with, user):
    probe = probe_with(host("call.test"))
    probed = probe("turn:call.test", *user)
    assert probed.status == 0, probed.text
    assert probed.targets == ["udp call.test 3478", "tcp call.test 3478"]
    assert [lookup["outcome"] for lookup in probed.report["lookups"]] == [
        "none", "no such name", "no such name"]


def test_a_port_in_the_uri_keeps_all_records_out(yuelao, probe_with, user):
    probe = probe_with(naptr("call.test", 1, "A", "RELAY:turn.udp", "gone.test"),
                       "srv-host=_turn._udp.call.test,gone.test,1", host("call.test"))
    probed = probe("turn:call.test:3478?transport=udp", *user)
    assert probed.status == 0, probed.text
    assert probed.targets == ["udp call.test 3478"] and probed.report["lookups"] == []


def test_a_stun_uri_has_records_of_its_own(server, probe_with):
    probe = probe_with("srv-host=_stun._udp.call.test,one.test,4000", host("one.test"))
    probed = probe("stun:call.test")
    assert probed.status == 0, probed.text
    assert tried(probed) == [f"udp {SERVER[4]}:4000 works"]


def test_a_certificate_is_for_the_uris_host_and_not_for_the_records(
        yuelao, probe_with, user, authority):  # RFC 5928 §5
    records = [f"srv-host=_turns._tcp.{name},one.test,5349" for name in (NAME, "other.test")]
    probe = probe_with(*records, naptr("naptr.test", 1, "A", "RELAY:turn.tls", NAME),
                       host("one.test"), host(NAME))
    options = (*user, "--ca", authority.certificate)
    right = probe(f"turns:{NAME}", *options)
    assert right.status == 0 and right.targets == ["tls one.test 5349"], right.text
    for uri in ("turns:other.test", "turn:naptr.test"):
        wrong = probe(uri, *options)
        assert wrong.status == 1 and wrong.leg["transport"] == "tls"
        assert "hostname mismatch" in wrong.step("certificate")["text"], wrong.text


def published():
    """The records that docs/probe.md says to publish, as dnsmasq's options."""
    page = pathlib.Path(__file__).parents[2] / "docs/probe.md"
    zone, = re.findall(r"```zone\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for line in zone.splitlines():
        owner, _, kind, *data = [word.removesuffix(".") for word in shlex.split(line)]
        if kind == "NAPTR":
            yield f"naptr-record={owner},{','.join(data)}"
        elif kind == "SRV":
            priority, weight, port, target = data
            yield f"srv-host={owner},{target},{port},{priority},{weight}"
        else:
            assert kind == "A", line
            yield host(owner)


def test_the_records_that_the_documentation_publishes_lead_to_the_server(
        yuelao, probe_with, user, authority):
    probe = probe_with(*published())
    options = (*user, "--ca", authority.certificate)
    for uri, targets in {
            "turn:example.org": ["udp turn.example.org 3478", "tcp turn.example.org 3478",
                                 "tls turn.example.org 5349"],
            "turns:example.org": ["tls turn.example.org 5349"],
            "turn:example.org?transport=tcp": ["tcp turn.example.org 3478"],
            "stun:example.org": ["udp turn.example.org 3478"],
            "stuns:example.org": ["tls turn.example.org 5349"]}.items():
        probed = probe(uri, *options)
        assert probed.targets == targets, probed.text
        # The test's certificate is for another name, and nothing else is to fail.
        assert [leg["verdict"] for leg in probed.report["legs"]] == [
            "failed" if target.startswith("tls") else "works" for target in targets], probed.text
        failed = [step["step"] for leg in probed.report["legs"] for step in leg["steps"]
                  if step["verdict"] == "failed"]
        assert set(failed) <= {"certificate"}
        assert {step["verdict"] for step in probed.report["resolution"]} == {"works"}


def test_a_record_that_names_no_host_fails_and_the_next_is_tried(server, probe_with, user):
    probe = probe_with("srv-host=_turn._udp.call.test,gone.test,4000,1",
                       "srv-host=_turn._udp.call.test,one.test,4000,2", host("one.test"))
    probed = probe("turn:call.test?transport=udp", *user)
    assert probed.status == 1
    assert probed.targets == ["udp gone.test 4000", "udp one.test 4000"]
    assert tried(probed) == [f"udp {SERVER[4]}:4000 works"]
    assert "gone.test leads to no address" in dict(probed.resolution("resolve"))["failed"]
    assert "correct the record" in dict(probed.resolution("resolve"))["failed"]


def test_a_target_that_is_a_dot_is_no_server(server, probe_with, user):
    probe = probe_with("srv-host=_turn._udp.call.test", "srv-host=_turn._tcp.call.test,one.test,4001",
                       host("one.test"), host("call.test"))
    probed = probe("turn:call.test", *user)
    assert probed.status == 0 and probed.targets == ["tcp one.test 4001"], probed.text
    nothing = probe("turn:call.test?transport=udp", *user)
    assert nothing.status == 1 and nothing.report["legs"] == []
    assert nothing.resolution("order") == [
        ("failed", "The records lead to no server for this URI.")]


def test_a_naptr_loop_is_told_and_ends(server, probe_with, user):
    probe = probe_with(naptr("call.test", 1, "", "RELAY:turn.udp:turn.tcp", "round.test"),
                       naptr("round.test", 1, "", "RELAY:turn.udp:turn.tcp", "call.test"))
    probed = probe("turn:call.test", *user)
    assert probed.status == 1 and probed.report["legs"] == []
    assert len(probed.report["lookups"]) == 2
    assert "in a circle back to call.test" in dict(probed.resolution("records"))["failed"]


def test_thousands_of_records_are_bounded(server, probe_with, user):
    probe = probe_with(*[f"srv-host=_turn._udp.call.test,one.test,{4000 + i},{i}"
                         for i in range(1500)], host("one.test"))
    probed = probe("turn:call.test?transport=udp", *user)
    lookup, = probed.report["lookups"]
    assert lookup["outcome"] == "found" and len(lookup["records"]) == 32
    assert len(probed.targets) == 16 and len(probed.report["legs"]) == 8
    assert tried(probed)[0] == f"udp {SERVER[4]}:4000 works"
    told = " ".join(text for _, text in probed.resolution("records"))
    assert "has more than 32 records" in told and "more than 16 servers" in told
    assert "No more than 8 ways" in dict(probed.resolution("resolve"))["skipped"]
    assert probed.report["seconds"] < 35


def test_without_a_dns_server_what_the_machine_knows_itself_counts(network, yuelao, tmp_path, user):
    (tmp_path / "password").write_text("correct-horse\n")
    with etc(network.client, hosts=f"{SERVER[4]} call.test\n", **{"resolv.conf": NO_DNS}):
        known = run_probe(network.client, "turn:call.test", *user)
        unknown = run_probe(network.client, "turn:unknown.test", *user)
    assert known.status == 0, known.text
    assert known.targets == ["udp call.test 3478", "tcp call.test 3478"]
    assert [lookup["outcome"] for lookup in known.report["lookups"]] == ["no answer"] * 3
    assert "No DNS server" in dict(known.resolution("records"))["skipped"]
    assert unknown.status == 1 and unknown.report["legs"] == []
    assert "unknown.test leads to no address" in dict(unknown.resolution("resolve"))["failed"]
    assert unknown.report["seconds"] < 15


@pytest.mark.parametrize("what,answer,outcome,verdict", [
    ("nothing", lambda question: None, "no answer", "skipped"),
    ("a header that promises records", lambda question: question[:2] + b"\x81\x80" + question[4:6]
     + b"\xff\xff" + question[8:] + b"\xc0\x0c\x00\x21", "malformed", "attention"),
    ("SERVFAIL", lambda question: question[:2] + b"\x81\x82" + question[4:], "refused",
     "attention"),
])
def test_a_dns_server_that_misbehaves_costs_little_time(network, server, probe_with, user, what,
                                                        answer, outcome, verdict):
    probe = probe_with(server=Misbehaving(network.server, answer))
    probed = probe("turn:call.test", *user)
    assert [lookup["outcome"] for lookup in probed.report["lookups"]] == [outcome] * 3, what
    assert verdict in dict(probed.resolution("records"))
    assert probed.status == 1 and probed.report["legs"] == []
    assert probed.report["seconds"] < 15
