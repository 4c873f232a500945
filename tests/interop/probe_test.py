"""`yuelao probe` as a person and a script meet it: what it says of servers that work and of
servers that do not, ours and coturn."""

import functools
import json
import os
import re
import subprocess

import pytest

from certificates import NAME
from coturn import Coturn
from name_servers import NO_DNS, etc
from network import SERVER, Namespace, bracketed
from probing import run_probe
from yuelao import PASSWORD, PROGRAM, SECRET, USER, settings


@pytest.fixture
def files(tmp_path):
    """Files that hold the password and the secret."""
    made = {"password": PASSWORD, "secret": SECRET, "wrong": "not-the-password"}
    for name, text in made.items():
        (tmp_path / name).write_text(text + "\n")
    return {name: tmp_path / name for name in made}


@pytest.fixture
def probe(network):
    """probe(URI, option...) from the client's side, with the name of the certificate known."""
    hosts = f"{SERVER[4]} {NAME} other.test\n{SERVER[4]} both.test\n{SERVER[6]} both.test\n"
    with etc(network.client, hosts=hosts, **{"resolv.conf": NO_DNS}):
        yield functools.partial(run_probe, network.client)


@pytest.fixture
def user(files):
    return "--user", USER, "--password-file", files["password"]


def assert_it_works(probed, family, transport):
    assert probed.status == 0, probed.text
    assert probed.report["works"]
    leg = probed.leg
    assert (leg["verdict"], leg["transport"]) == ("works", transport), probed.text
    assert leg["relayed"].startswith(f"{host(family)}:")
    assert leg["mapped"] == leg["local"]
    assert leg["round_trip_ms"] > 0
    data = leg["data"][0]
    assert data["way"] == "between relays"
    assert (data["sent"], data["arrived"], data["returned"]) == (50, 50, 50), probed.text
    trip = data["round_trip_ms"]
    assert 0 < trip["fastest"] <= trip["median"] <= trip["percentile_95"] <= trip["slowest"]
    assert data["megabits_per_second"] > 0


def host(family):
    return bracketed(SERVER[family])


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_server_that_works_is_said_to_work(yuelao, probe, user, transport, family):
    probed = probe(f"turn:{host(family)}?transport={transport}", *user)
    assert_it_works(probed, family, transport)
    assert probed.leg["realm"] == "yuelao"


@pytest.mark.parametrize("anonymous", [False, True])
def test_it_says_how_it_authenticated_and_what_is_offered(serve, probe, user, anonymous):
    configuration = settings()
    if anonymous:
        del configuration["secrets"]
    serve(configuration)
    probed = probe(f"turn:{SERVER[4]}?transport=udp", *user)
    assert_it_works(probed, 4, "udp")
    assert probed.leg["authentication"] == {
        "password_algorithms": ["SHA-256", "MD5"], "user_anonymity": anonymous, "used": "SHA-256"}
    assert probed.step("authentication")["text"] == (
        "The server offers the password algorithms SHA-256, MD5, of which SHA-256 was used, and "
        + ("hides" if anonymous else "does not hide") + " user names.")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_probe_leaves_no_relay_behind(yuelao, probe, user, transport):  # RFC 8656 §8
    assert_it_works(probe(f"turn:{SERVER[4]}?transport={transport}", *user), 4, transport)
    # The end of a stream travels like any message: a scrape may overtake it once.
    assert any(yuelao.metric("yuelao_sessions") == 0 for _ in range(50))


@pytest.mark.parametrize("family", [4, 6])
def test_tls_works_with_its_certificate_looked_at(yuelao, probe, user, authority, family):
    probed = probe(f"turns:{host(family)}", *user, "--ca", authority.certificate)
    assert_it_works_over_tls(probed, family)


def assert_it_works_over_tls(probed, family):
    # A certificate for a day is one to renew, which is no failure.
    assert probed.status == 0, probed.text
    assert probed.step("certificate")["verdict"] == "attention"
    certificate = probed.leg["certificate"]
    assert certificate["trusted"] and certificate["days_left"] in (0, 1)
    assert certificate["issuer"] == "yuelao test"
    assert {NAME, SERVER[4], SERVER[6]} <= set(certificate["names"])
    assert certificate["protocol"] in ("TLSv1.2", "TLSv1.3")
    assert probed.leg["relayed"].startswith(host(family) + ":")
    assert probed.leg["data"][0]["returned"] == 50, probed.text


def test_a_shared_secret_does_as_well_and_nothing_is_asked_of_the_user(yuelao, probe, files):
    assert_it_works(probe(f"turn:{SERVER[4]}?transport=udp", "--secret-file", files["secret"]),
                    4, "udp")
    assert_it_works(probe(f"turn:{SERVER[4]}?transport=udp", YUELAO_SECRET=SECRET), 4, "udp")
    assert_it_works(probe(f"turn:{SERVER[4]}?transport=udp", "--user", USER,
                          YUELAO_PASSWORD=PASSWORD), 4, "udp")


def test_a_name_without_a_transport_is_tried_on_all_its_addresses_over_udp_and_tcp(
        yuelao, probe, user):
    probed = probe("turn:both.test", *user)
    assert probed.status == 0, probed.text
    tried = [(leg["transport"], leg["server"]) for leg in probed.report["legs"]]
    addresses = {f"{SERVER[4]}:3478", f"[{SERVER[6]}]:3478"}
    assert [transport for transport, _ in tried] == ["udp", "udp", "tcp", "tcp"]
    assert {server for _, server in tried[:2]} == {server for _, server in tried[2:]} == addresses


@pytest.mark.parametrize("family", [4, 6])
def test_a_stun_uri_asks_for_the_address_alone(yuelao, probe, family):
    probed = probe(f"stun:{host(family)}")
    assert probed.status == 0, probed.text
    assert [step["step"] for step in probed.leg["steps"]] == ["binding", "features"]
    assert probed.leg["relayed"] is None


def test_people_get_sentences_and_progress_meanwhile(yuelao, probe, user):
    probed = probe(f"turn:{NAME}?transport=udp", *user, json=False)
    assert probed.status == 0, probed.text
    assert f"turn.test has the address {SERVER[4]}." in probed.text
    assert f"UDP to {SERVER[4]}:3478: works\n" in probed.text
    assert "second relay of the server 50 of 50 packets arrived and 50 came back" in probed.text
    assert re.search(r"One way it carried [\d.]+ Mbit/s", probed.text)
    assert probed.text.endswith("\nIt works.\n")
    assert f"UDP to {SERVER[4]}:3478: asking for a relay ...\n" in probed.waited


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_wrong_password_is_named_as_such(yuelao, probe, files, transport):
    probed = probe(f"turn:{SERVER[4]}?transport={transport}", "--user", USER, "--password-file",
                   files["wrong"])
    assert probed.status == 1 and not probed.report["works"]
    assert probed.step("binding")["verdict"] == "works"
    assert "does not accept the user name or the password" in probed.step("allocation")["text"]


def test_no_credentials_is_named_as_such(yuelao, probe):
    probed = probe(f"turn:{SERVER[4]}?transport=udp")
    assert probed.status == 1
    assert "--password-file" in probed.step("allocation")["text"]


def test_one_transport_may_fail_while_another_works(serve, probe, user):
    serve(settings(listen=["udp:3478"]))
    probed = probe(f"turn:{SERVER[4]}", *user)
    assert probed.status == 1
    udp, tcp = probed.report["legs"]
    assert (udp["verdict"], tcp["verdict"]) == ("works", "failed")
    assert "Nothing listens on TCP port 3478" in probed.step("connect", tcp)["text"]
    text = probe(f"turn:{SERVER[4]}", *user, json=False).text
    assert text.endswith("\n1 of 2 ways to the server work.\n")


@pytest.mark.parametrize("transport,step,family", [("udp", "binding", 6), ("tcp", "connect", 4)])
def test_a_closed_port_is_told_from_a_dropped_one(network, probe, transport, step, family):
    uri = f"turn:{host(family)}:3999?transport={transport}"
    refused = probe(uri)
    assert refused.status == 1
    assert f"Nothing listens on {transport.upper()} port 3999" in refused.step(step)["text"]
    rules = f"table inet probe {{ chain c {{ type filter hook input priority 0;\n" \
            f"{transport} dport 3999 drop\n}}\n}}\n"
    done = network.server.run("nft", "-f", "-", input=rules)
    assert done.returncode == 0, done.stdout
    try:
        dropped = probe(uri)
    finally:
        network.server.run("nft", "delete", "table", "inet", "probe")
    assert dropped.status == 1
    assert f"No answer on {transport.upper()} port 3999" in dropped.step(step)["text"]
    assert dropped.report["seconds"] < 15


def test_relay_ports_behind_a_firewall_are_found(network, serve, probe, user):
    serve(settings(listen=["udp:3478"], peers={"allow": ["10.77.0.0/24"]}))
    rules = "table inet probe { chain c { type filter hook input priority 0;\n" \
            "udp dport 49152-65535 drop\n}\n}\n"
    done = network.server.run("nft", "-f", "-", input=rules)
    assert done.returncode == 0, done.stdout
    try:
        probed = probe(f"turn:{SERVER[4]}?transport=udp", *user)
    finally:
        network.server.run("nft", "delete", "table", "inet", "probe")
    assert probed.status == 1
    assert probed.step("allocation")["verdict"] == "works"
    assert "closed for the relay ports" in probed.step("peer")["text"]


@pytest.mark.parametrize("family", [4, 6])
def test_where_there_is_no_second_relay_a_socket_is_the_peer(serve, probe, user, family):
    serve(settings(listen=["udp:3478"], limits={"per_user": 1},
                   peers={"allow": ["10.77.0.0/24", "fd77::/64"]}))
    probed = probe(f"turn:{host(family)}?transport=udp", *user)
    assert probed.status == 0, probed.text
    assert "486" in probed.step("relays")["text"]
    data, = probed.leg["data"]
    assert data["way"] == "from a socket"
    assert (data["sent"], data["arrived"], data["returned"]) == (50, 50, 50)


def test_a_peer_that_the_server_may_not_send_to_is_no_failure(yuelao, probe, user):
    probed = probe(f"turn:{SERVER[4]}?transport=udp", *user)
    step = probed.step("peer")
    assert step["verdict"] == "skipped" and "403" in step["text"]
    assert probed.leg["verdict"] == "works" and probed.status == 0


@pytest.mark.parametrize("family", [4, 6])
def test_a_machine_without_a_route_says_nothing_about_the_server(family):
    alone = Namespace("alone")
    try:
        done = subprocess.run(alone.command(PROGRAM, "probe", f"turn:{host(family)}", "--json"),
                              capture_output=True, text=True, timeout=60, check=False)
    finally:
        alone.remove()
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert [leg["verdict"] for leg in report["legs"]] == ["skipped", "skipped"]
    assert f"no IPv{family} route" in report["legs"][0]["steps"][0]["text"]


def test_an_untrusted_certificate_ends_the_leg_before_credentials_are_sent(yuelao, probe, user):
    probed = probe(f"turns:{NAME}", *user)
    assert probed.status == 1
    step = probed.step("certificate")
    assert step["verdict"] == "failed" and "unable to get local issuer" in step["text"]
    assert probed.leg["relayed"] is None and probed.leg["realm"] == ""


def test_a_certificate_for_another_name_is_refused(yuelao, probe, user, authority):
    probed = probe("turns:other.test", *user, "--ca", authority.certificate)
    assert probed.status == 1
    text = probed.step("certificate")["text"]
    assert "hostname mismatch" in text and NAME in text and "valid for other.test" in text
    assert not probed.leg["certificate"]["trusted"]


def test_an_expired_certificate_is_refused(network, tmp_path, probe, user, authority):
    server = Coturn(network.server, tmp_path / "coturn", authority.issue_expired())
    try:
        probed = probe(f"turns:{NAME}", *user, "--ca", authority.certificate)
    finally:
        server.stop()
    assert probed.status == 1
    assert "certificate has expired" in probed.step("certificate")["text"]
    assert probed.leg["certificate"]["days_left"] < 0


def test_a_port_without_tls_is_said_to_have_none(network, tmp_path, probe, user):
    server = Coturn(network.server, tmp_path / "coturn")
    try:
        probed = probe(f"turns:{NAME}:3478", *user)
    finally:
        server.stop()
    assert probed.status == 1
    assert probed.step("connect")["verdict"] == "works"
    assert "TLS does not come about" in probed.step("tls")["text"]


@pytest.mark.parametrize("scheme,transport", [("turn", "udp"), ("turn", "tcp"), ("turns", "tls")])
def test_coturn_is_looked_at_as_well_as_our_own(network, tmp_path, probe, user, authority,
                                                certificate, scheme, transport):
    server = Coturn(network.server, tmp_path / "coturn", certificate)
    try:
        query = "" if transport == "tls" else f"?transport={transport}"
        probed = probe(f"{scheme}:{SERVER[4]}{query}", *user, "--ca", authority.certificate)
        wrong = probe(f"{scheme}:{SERVER[4]}{query}", "--user", "nobody", "--ca",
                      authority.certificate, YUELAO_PASSWORD="x")
    finally:
        server.stop()
    if transport == "tls":
        assert_it_works_over_tls(probed, 4)
    else:
        assert_it_works(probed, 4, transport)
    assert probed.leg["realm"] == "coturn.test" and "Coturn" in probed.leg["software"]
    assert probed.leg["authentication"] == {
        "password_algorithms": [], "user_anonymity": False, "used": "MD5"}
    assert wrong.status == 1 and "401" in wrong.step("allocation")["text"], wrong.text


@pytest.mark.parametrize("what,options,sentence", [
    ("no URI's scheme", ["http:turn.test"], "http:turn.test: "),
    ("a user without a password", ["turn:turn.test", "--user", "x"], "--password-file"),
    ("a password without a user", ["turn:turn.test", "--password-file", "password"], "--user"),
    ("a missing file", ["turn:turn.test", "--secret-file", "missing"], "cannot be read"),
    ("no authorities", ["turns:turn.test", "--ca", "password"], "PEM"),
    ("a transport that nobody has", ["turns:turn.test?transport=dtls"],
     "turns:turn.test?transport=dtls: "),
])
def test_wrong_use_ends_with_2_and_one_sentence(files, what, options, sentence):
    directory = files["password"].parent
    done = subprocess.run([os.path.abspath(PROGRAM), "probe", *options], capture_output=True,
                          text=True, timeout=60, check=False, cwd=directory)
    assert done.returncode == 2, what
    assert sentence in done.stderr and done.stderr.endswith(".\n") and done.stdout == ""


def test_a_name_that_leads_nowhere_fails(network, probe):
    probed = probe("turn:does-not-exist.invalid?transport=udp")
    assert probed.status == 1 and probed.report["legs"] == []
    (verdict, sentence), = probed.resolution("resolve")
    assert verdict == "failed" and "leads to no address" in sentence
    assert probed.report["seconds"] < 15


def test_no_secret_is_taken_from_the_command_line(network):
    shown = subprocess.run([PROGRAM, "probe", "--help"], capture_output=True, text=True, timeout=60,
                           check=True).stdout
    assert not re.search(r"--(password|secret)\b(?!-file)", shown)
