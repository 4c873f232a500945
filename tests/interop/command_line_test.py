"""The command line as a person meets it: what it prints, and with what status it ends."""

import json
import os
import re
import signal
import stat
import subprocess
import time

import pytest

import stun
from network import SERVER
from turn_client import TurnClient

YUELAO = os.environ.get("YUELAO", "build/dev/server/yuelao")
LOOPBACK = "relay: {addresses: 127.0.0.1}\n"


def environment(**more):
    kept = {key: value for key, value in os.environ.items()
            if key not in ("YUELAO_CONFIG", "STATE_DIRECTORY", "JOURNAL_STREAM")}
    return kept | more


def run(*argv, **more):
    return subprocess.run([YUELAO, *map(str, argv)], capture_output=True, text=True, timeout=60,
                          check=False, env=environment(**more))


def one_sentence(text):
    return text.count("\n") == 1 and text.endswith(".\n")


@pytest.fixture
def first_run(network, tmp_path):
    """Starts the server without a configuration; gives what it printed to paste."""
    processes = []

    def start():
        process = subprocess.Popen(
            network.server.command(YUELAO, "--state-directory", tmp_path / "state"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        processes.append(process)
        printed = ""
        for line in process.stdout:
            printed += line
            if line == "}\n":
                return json.loads(printed)
        raise AssertionError(process.stderr.read())

    def stop():
        process = processes.pop()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0, errors
        return errors

    start.stop = stop
    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_without_a_configuration_it_prints_what_to_paste_and_that_works(
        network, first_run, tmp_path):
    server = first_run()
    assert server["urls"] == [
        f"stun:{SERVER[4]}:3478", f"stun:[{SERVER[6]}]:3478",
        f"turn:{SERVER[4]}:3478?transport=udp", f"turn:[{SERVER[6]}]:3478?transport=udp",
        f"turn:{SERVER[4]}:3478?transport=tcp", f"turn:[{SERVER[6]}]:3478?transport=tcp"]
    expiry = int(server["username"].split(":")[0])
    assert abs(expiry - time.time() - 24 * 3600) < 120
    for transport, family in (("udp", 4), ("tcp", 4), ("udp", 6), ("tcp", 6)):
        with TurnClient(network.client, transport, family, user=server["username"],
                        password=server["credential"]) as client:
            assert client.allocate()[0] == SERVER[family]
    with TurnClient(network.client) as stranger:
        assert stranger.ask(stun.ALLOCATE, [stun.UDP_TRANSPORT]).error == 401

    secret = tmp_path / "state" / "rest-secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(secret.parent.stat().st_mode) == 0o700
    said = first_run.stop()
    assert str(secret) in said
    assert secret.read_text().strip() not in said
    assert server["credential"] not in said


def test_the_credentials_command_fits_the_server_even_after_a_restart(
        network, first_run, tmp_path):
    first_run()
    secret = (tmp_path / "state" / "rest-secret").read_text()
    made = subprocess.run(
        network.server.command(YUELAO, "credentials", "--json", "--user", "ada", "--ttl", "10m",
                               "--state-directory", tmp_path / "state"),
        capture_output=True, text=True, timeout=60, check=True, env=environment())
    first_run.stop()
    first_run()
    assert (tmp_path / "state" / "rest-secret").read_text() == secret
    server = json.loads(made.stdout)
    expiry, name = server["username"].split(":")
    assert name == "ada" and abs(int(expiry) - time.time() - 600) < 120
    with TurnClient(network.client, user=server["username"],
                    password=server["credential"]) as client:
        assert client.allocate()[0] == SERVER[4]
    first_run.stop()


def test_the_journal_is_not_given_a_credential(network, tmp_path):
    reading, writing = os.pipe()
    status = os.fstat(writing)
    process = subprocess.Popen(
        network.server.command(YUELAO, "--state-directory", tmp_path / "state"),
        stdout=writing, stderr=writing,
        env=environment(JOURNAL_STREAM=f"{status.st_dev}:{status.st_ino}"))
    os.close(writing)
    with os.fdopen(reading) as journal:
        said = ""
        for line in journal:
            said += line
            if "ready" in line:
                process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0, said
    assert "yuelao credentials --json" in said
    assert '"credential"' not in said


def test_version_and_help_are_for_people():
    version = run("--version")
    assert version.returncode == 0
    assert re.fullmatch(r"yuelao \d+\.\d+\.\d+\n", version.stdout)
    general = run("--help")
    assert general.returncode == 0
    for word in ("serve", "check-config", "credentials", "--config", "--state-directory",
                 "prints what to paste"):
        assert word in general.stdout
    assert "--ttl" in run("credentials", "--help").stdout


@pytest.mark.parametrize("argv", [["bogus"], ["--bogus"], ["serve", "extra"], ["-c"],
                                  ["credentials", "--ttl", "1 day"],
                                  ["credentials", "--ttl", "0s"], ["check-config", "a", "b"]])
def test_a_wrong_command_line_ends_with_2(argv):
    result = run(*argv)
    assert result.returncode == 2
    assert result.stderr and not result.stdout


def test_check_config_says_ok_or_the_place_and_the_fix(tmp_path):
    file = tmp_path / "yuelao.yaml"
    file.write_text("realm: example.org\n")
    good = run("check-config", file)
    assert (good.returncode, good.stderr) == (0, "")
    assert good.stdout.startswith(f"{file}: ok")
    assert run("check-config", YUELAO_CONFIG=str(file)).returncode == 0

    file.write_text("metrics: 0.0.0.0:9641\n")
    warned = run("check-config", file)
    assert warned.returncode == 0
    assert warned.stderr.startswith(f"{file}:1:10: metrics have no password")

    file.write_text("realm: x\nlimts: {}\n")
    bad = run("check-config", file)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr == f"{file}:2:1: `limts` is not a key: did you mean `limits`?\n"


def test_check_config_opens_the_certificate_and_asks_for_no_address(authority, tmp_path):
    file = tmp_path / "yuelao.yaml"
    good, other, old = authority.issue("checked"), authority.issue("other"), authority.issue_expired()

    def check(certificate, key):
        file.write_text("relay: {addresses: 192.0.2.77}\n"  # this machine has not
                        f"tls:\n  certificate: {certificate}\n  key: {key}\n")
        return run("check-config", file)

    assert check(good["certificate"], good["key"]).returncode == 0
    for (certificate, key), place, sentence in [
            ((tmp_path / "none.pem", good["key"]), "3:16", "none.pem does not exist"),
            ((good["certificate"], tmp_path / "none.key"), "4:8", "none.key does not exist"),
            ((good["certificate"], other["key"]), "4:8", "does not belong to the certificate"),
            ((old["certificate"], old["key"]), "3:16", "expired at")]:
        bad = check(certificate, key)
        assert (bad.returncode, bad.stdout) == (1, "")
        assert bad.stderr.startswith(f"{file}:{place}: ") and sentence in bad.stderr, bad.stderr
        assert one_sentence(bad.stderr)


def test_an_openssl_that_refuses_md5_keeps_the_server_from_starting(network, tmp_path):
    (tmp_path / "openssl.cnf").write_text(
        "openssl_conf = all\n[all]\nalg_section = algorithms\n"
        "[algorithms]\ndefault_properties = fips=yes\n")
    # Nothing in Debian's OpenSSL has that property: with a user it needs no random secret.
    (tmp_path / "yuelao.yaml").write_text(LOOPBACK + "users: [{name: bridge, password: hunter2}]\n")
    result = subprocess.run(
        network.server.command(YUELAO, "-c", tmp_path / "yuelao.yaml"),
        capture_output=True, text=True, timeout=60, check=False,
        env=environment(OPENSSL_CONF=str(tmp_path / "openssl.cnf")))
    assert result.returncode == 1
    assert "refuses MD5" in result.stderr and one_sentence(result.stderr), result.stderr


@pytest.mark.parametrize("text, sentence", [
    ("listen: [", ":1:10: this is not YAML"),
    ("relay: {addresses: 192.0.2.77}", "relays cannot be opened on 192.0.2.77"),
    ("external_address: does-not-exist.invalid\n", "names does-not-exist.invalid"),
    ("tls: {certificate: none.pem, key: none.pem}\n" + LOOPBACK, "none.pem"),
])
def test_what_keeps_the_server_from_starting_is_one_sentence(network, tmp_path, text, sentence):
    file = tmp_path / "yuelao.yaml"
    file.write_text(text)
    result = subprocess.run(
        network.server.command(YUELAO, "-c", file, "--state-directory", tmp_path / "state"),
        capture_output=True, text=True, timeout=60, check=False, env=environment())
    assert result.returncode == 1
    assert sentence in result.stderr
    assert one_sentence(result.stderr), result.stderr


def test_a_secret_others_can_read_keeps_the_server_from_starting(network, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    (state / "rest-secret").write_text("a" * 64)
    (state / "rest-secret").chmod(0o644)
    result = subprocess.run(
        network.server.command(YUELAO, "--state-directory", state), capture_output=True,
        text=True, timeout=60, check=False, env=environment())
    assert result.returncode == 1
    assert "chmod 600" in result.stderr and one_sentence(result.stderr)


def test_credentials_never_makes_a_secret(tmp_path):
    file = tmp_path / "yuelao.yaml"
    file.write_text(LOOPBACK)
    result = run("credentials", "-c", file, "--state-directory", tmp_path / "state")
    assert result.returncode == 1
    assert "start the server first" in result.stderr and one_sentence(result.stderr)
    assert not (tmp_path / "state").exists()


def test_credentials_serves_static_users_and_refuses_what_the_server_would(tmp_path):
    file = tmp_path / "yuelao.yaml"
    file.write_text(LOOPBACK + "users: [{name: bridge, password: hunter2}]\n"
                    "secrets: [{env: TURN_SECRET}]\n")
    secret = {"TURN_SECRET": "0123456789abcdef"}
    static = run("credentials", "-c", file, "--user", "bridge", **secret)
    assert static.returncode == 0
    assert re.search(r"^username    bridge\ncredential  hunter2$", static.stdout, re.MULTILINE)
    longer = run("credentials", "-c", file, "--ttl", "3d", **secret)
    assert longer.returncode == 1
    assert "longer than 2d" in longer.stderr and one_sentence(longer.stderr)
    unset = run("credentials", "-c", file)
    assert unset.returncode == 1
    assert f"{file}:3:17: " in unset.stderr and one_sentence(unset.stderr)
