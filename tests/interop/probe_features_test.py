"""Which parts of the standard `yuelao probe` says that a server speaks."""

import pytest

from coturn import Coturn
from network import SERVER
from probe_test import files, host, probe, user  # noqa: F401: fixtures
from yuelao import settings

WAYS = [("turn", "udp"), ("turn", "tcp"), ("turns", "tls"), ("turns", "dtls")]
LISTEN = ["udp:3478", "tcp:3478", "tls:5349", "dtls:5349"]
EVERYTHING = {"tcp_relays": {"enabled": "on"}, "mobility": "on"}


def uri(scheme, transport, family=4):
    query = {"tls": "", "dtls": "?transport=udp"}.get(transport, f"?transport={transport}")
    return f"{scheme}:{host(family)}{query}"


def features_over(transport, **known):
    """What is asked over that transport, all of it spoken but what `known` says."""
    names = ["ipv4_relays", "ipv6_relays", "dual_allocation", "even_ports", "dont_fragment"]
    names += ["tcp_relays"] if transport in ("tcp", "tls") else []
    names += ["mobility", "behavior_discovery"]
    names += ["dtls"] if transport != "tcp" else []
    return {name: known.get(name, True) for name in names}


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("scheme, transport", WAYS)
def test_everything_that_a_server_speaks_is_found(serve, probe, user, authority, certificate,
                                                  scheme, transport, family):
    server = serve(settings(tls=certificate, listen=LISTEN, **EVERYTHING))
    probed = probe(uri(scheme, transport, family), *user, "--ca", authority.certificate)
    assert probed.status == 0, probed.text
    assert probed.leg["features"] == features_over(transport, behavior_discovery=False)
    assert server.metric("yuelao_sessions") == 0


@pytest.mark.parametrize("transport, family", [("udp", 4), ("tcp", 6)])
def test_what_a_server_does_not_speak_is_no_fault(serve, probe, user, transport, family):
    serve(settings(relay={"addresses": [SERVER[family]]}))
    probed = probe(uri("turn", transport, family), *user)
    assert probed.status == 0, probed.text
    lacking = dict.fromkeys([f"ipv{10 - family}_relays", "dual_allocation", "tcp_relays", "mobility",
                             "behavior_discovery", "dtls"], False)
    assert probed.leg["features"] == features_over(transport, **lacking)
    said = probed.step("features")
    assert said["verdict"] == "works"
    assert f"The server speaks: IPv{family} relays, even ports" in said["text"]
    assert "mobility (RFC 8016)" in said["text"].partition("It does not:")[2]


def test_what_cannot_be_tried_is_said_so(serve, probe, user):
    """A refusal for another reason says nothing: two relays are more than this user may have."""
    serve(settings(limits={"per_user": 1}))
    probed = probe(uri("turn", "udp"), *user)
    assert probed.leg["features"] == features_over(
        "udp", dual_allocation=None, even_ports=None, mobility=False, behavior_discovery=False,
        dtls=False)
    assert "even ports" in probed.step("features")["text"].partition("Not found out:")[2]


def test_a_stun_server_is_asked_for_what_needs_no_relay(serve, probe, certificate):
    serve(settings(tls=certificate, listen=LISTEN))
    probed = probe(f"stun:{SERVER[4]}")
    assert probed.leg["features"] == {"behavior_discovery": False, "dtls": True}


@pytest.mark.parametrize("scheme, transport", WAYS)
def test_coturn_is_found_out_as_well(network, tmp_path, probe, user, authority, certificate, scheme,
                                     transport):
    server = Coturn(network.server, tmp_path / "coturn", certificate, options=["--mobility"])
    try:
        probed = probe(uri(scheme, transport), *user, "--ca", authority.certificate)
    finally:
        server.stop()
    assert probed.leg["features"] == features_over(
        transport, ipv6_relays=False, dual_allocation=False, behavior_discovery=False)
