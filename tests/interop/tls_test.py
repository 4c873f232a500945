"""What of TLS is spoken, with an RSA certificate as most servers have one."""

import socket
import ssl
import subprocess

import pytest

from network import SERVER
from openssl_client import assert_it_answers, openssl_client
from yuelao import settings

BEST = "ECDHE-RSA-AES128-GCM-SHA256"


@pytest.fixture
def shake_hands(network, serve, tmp_path):
    """shake_hands(suites, ...) -> (suite, version) that the server chose among them."""
    files = {"certificate": str(tmp_path / "rsa.pem"), "key": str(tmp_path / "rsa.key")}
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-subj", "/CN=turn.test", "-keyout", files["key"], "-out",
                    files["certificate"]], check=True, capture_output=True)
    serve(settings(tls=files))

    def shake(suites, newest=ssl.TLSVersion.TLSv1_2):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = newest
        context.set_ciphers(suites)
        with network.client.socket(socket.SOCK_STREAM) as plain:
            plain.connect((SERVER[4], 5349))
            with context.wrap_socket(plain) as secure:
                return secure.cipher()[0], secure.version()

    return shake


@pytest.mark.parametrize("weaker", ["AES128-GCM-SHA256", "AES256-SHA256", "ECDHE-RSA-AES128-SHA"])
def test_forward_secrecy_wins_wherever_it_stands(shake_hands, weaker):
    """RFC 8489 §6.2.3, RFC 9325 §4.1, §4.2.1."""
    for suites in (f"{weaker}:{BEST}", f"{BEST}:{weaker}"):
        assert shake_hands(suites) == (BEST, "TLSv1.2")


@pytest.mark.parametrize("suites", ["NULL-SHA256", "AECDH-AES128-SHA",
                                    "DHE-RSA-AES128-GCM-SHA256", "AES128-GCM-SHA256"])
def test_suites_that_nobody_should_speak_are_refused(shake_hands, suites):
    """RFC 9325 §4.1: no encryption, nobody's certificate, finite-field Diffie-Hellman, static
    RSA."""
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        shake_hands(f"{suites}:@SECLEVEL=0")


def test_tls_1_3_is_preferred(shake_hands):
    """RFC 9325 §3.1.1."""
    assert shake_hands(BEST, ssl.TLSVersion.TLSv1_3)[1] == "TLSv1.3"


@pytest.mark.parametrize("protocol", ["-tls1_2", "-tls1_3", "-dtls1_2"])
def test_a_ticket_brings_a_client_back_until_the_certificate_is_read_again(
        network, serve, certificate, authority, tmp_path, protocol):
    """RFC 9325 §3.4."""
    server = serve(settings(tls=certificate, listen=["tls:5349", "dtls:5349"]))
    ticket = tmp_path / "ticket"

    def come_back():
        return network.client.run("openssl", "s_client", protocol, "-connect",
                                  f"{SERVER[4]}:5349", "-sess_in", ticket, input="").stdout

    with openssl_client(network.client, authority, "-sess_out", ticket,
                        protocol=protocol) as client:
        assert_it_answers(client)
        client.say_goodbye()
    assert "Reused, TLSv1" in come_back()
    server.reload()
    assert "New, TLSv1" in come_back()


@pytest.mark.parametrize("protocol", ["-tls1_2", "-tls1_3"])
def test_early_data_and_renegotiation_are_not_to_be_had(
        network, serve, certificate, protocol):
    """RFC 9325 §3.5, §3.10."""
    serve(settings(tls=certificate))
    done = network.client.run("openssl", "s_client", protocol, "-connect", f"{SERVER[4]}:5349",
                              input="R\n")
    if protocol == "-tls1_2":
        assert "no renegotiation" in done.stdout, done.stdout
    else:
        assert "Early data was not sent" in done.stdout
        assert "Max Early Data: 0" in done.stdout or "Max Early Data" not in done.stdout, done.stdout
