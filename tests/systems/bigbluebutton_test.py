"""BigBlueButton's own check, its proxy in front, and its peer rules."""

import contextlib
import pathlib
import socket
import threading

import pytest

import stun
from network import CLIENT, PEER, SERVER
from turn_client import Refused, TurnClient, exchange, pair_up
from yuelao import settings

HERE = pathlib.Path(__file__).parent
SECRET = "bbb-secret"

# turnserver.conf of a BigBlueButton denies everything but the machine itself.
OWN_ONLY = {"secrets": [{"value": SECRET}],
            "peers": {"allow": [SERVER[4]], "mode": "media-server"}}
ELSEWHERE = [CLIENT[4], PEER[4], "127.0.0.1", "8.8.8.8", "169.254.169.254"]


def bbb_conf_warns(status):
    return status & 0xF > 9


def credentials(user="w_abcdefghijkl"):
    user, password = stun.rest_credentials(SECRET, user, lifetime=86400)
    return {"user": user, "password": password}


@contextlib.contextmanager
def echo(namespace, address):
    """A UDP service, such as an SFU's port; its (address, port)."""
    with namespace.socket(socket.SOCK_DGRAM, address=address) as made:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    data, sender = made.recvfrom(65536)
                    made.sendto(data, sender)

        made.settimeout(None)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield made.getsockname()


def test_bbb_conf_is_content_with_stun(network, yuelao):
    done = network.client.run("stun", SERVER[4])
    assert not bbb_conf_warns(done.returncode), done.stdout


def test_bbb_conf_warns_where_nothing_answers(network):
    assert bbb_conf_warns(network.client.run("stun", SERVER[4]).returncode)


@pytest.fixture
def proxied(serve, start, certificate, tmp_path):
    """The server behind an HAProxy that ends TLS on 443."""
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("".join(pathlib.Path(certificate[part]).read_text()
                              for part in ("certificate", "key")))
    server = serve(settings(**OWN_ONLY))
    start(["haproxy", "-W", "-f", HERE / "haproxy.cfg"], "Loading success",
          environment={"ADDRESS": SERVER[4], "CERTIFICATE": str(bundle)})
    return server


def test_two_clients_meet_behind_haproxy(network, proxied, authority):
    through = {"port": 443, "authority": authority.certificate}
    with TurnClient(network.client, "tls", **through, **credentials("w_one")) as one, \
            TurnClient(network.client, "tls", **through, **credentials("w_other")) as other:
        exchange(one, other, pair_up(one, other))


def test_one_proxy_holds_many_clients(network, proxied, authority):
    with contextlib.ExitStack() as clients:
        relays = {clients.enter_context(
            TurnClient(network.client, "tls", port=443, authority=authority.certificate,
                       **credentials(f"w_{number}"))).allocate() for number in range(60)}
    assert len(relays) == 60


def test_an_sfu_on_the_same_machine_is_reached(network, serve):
    serve(settings(**OWN_ONLY))
    with echo(network.server, SERVER[4]) as sfu, \
            TurnClient(network.client, **credentials()) as client:
        client.allocate()
        client.permit(sfu[0])
        client.send_to(sfu, b"through a permission")
        assert client.next_data() == (sfu, b"through a permission")
        client.bind(0x4000, sfu)
        client.send_on(0x4000, b"through a channel")
        assert client.next_data() == (0x4000, b"through a channel")


@pytest.mark.parametrize("peer", ELSEWHERE)
def test_no_other_peer_is(network, serve, peer):
    serve(settings(**OWN_ONLY))
    with TurnClient(network.client, **credentials()) as client:
        client.allocate()
        for attempt in (lambda: client.permit(peer), lambda: client.permit(SERVER[4], peer),
                        lambda: client.bind(0x4000, (peer, 5000))):
            with pytest.raises(Refused) as refusal:
                attempt()
            assert refusal.value.code == 403
