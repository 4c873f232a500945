"""Nextcloud's signaling server and yuelao answer /turn/credentials alike."""

import base64
import hashlib
import hmac
import json

import pytest

import http_client
from network import SERVER
from turn_client import TurnClient
from yuelao import SECRET, settings

KEY = "marker-api-key-0123456789"
URIS = [f"turn:{SERVER[4]}:3478?transport={transport}" for transport in ("udp", "tcp")]
CONFIGURATION = f"""
[http]
listen = {SERVER[4]}:8080
[sessions]
hashkey = 0123456789abcdef0123456789abcdef
blockkey = 0123456789abcdef
[clients]
internalsecret = internal
[backend]
allowall = true
[nats]
url = :loopback:
[turn]
apikey = {KEY}
secret = {SECRET}
servers = {",".join(URIS)}
"""
REQUESTS = [
    f"/turn/credentials?service=turn&key={KEY}",
    f"/turn/credentials?service=turn&api={KEY}",
    f"/turn/credentials?service=turn&key=&api={KEY}",
    f"/turn/credentials?service=turn&key={KEY}&api=wrong",
    f"/turn/credentials?service=turn&key={KEY}&username=alice",
    f"/turn/credentials?service=turn&key={KEY}&username=a%20b+c%C3%A9",
    "/turn/credentials",
    f"/turn/credentials?key={KEY}",
    f"/turn/credentials?service=stun&key={KEY}",
    "/turn/credentials?service=turn",
    "/turn/credentials?service=turn&key=wrong",
    f"/turn/credentials?service=turn&key={KEY[:-1]}",
    f"/turn/credential?service=turn&key={KEY}",
    f"/turn?service=turn&key={KEY}",
]


@pytest.fixture
def both(network, serve, start, tmp_path):
    """Asks both servers a path: their two answers."""
    file = tmp_path / "server.conf"
    file.write_text(CONFIGURATION)
    serve(settings(relay={"addresses": [SERVER[4]]},
                   credentials={"listen": f"{SERVER[4]}:9642", "keys": [{"value": KEY}]}))
    start(["nextcloud-spreed-signaling-server", "--config", file], "Listening on")
    return lambda path: [http_client.ask(http_client.Connection(network.client, SERVER[4], port),
                                         path) for port in (8080, 9642)]


def test_both_answer_each_request_alike(both):
    for path in REQUESTS:
        (status, fields, text), (our_status, our_fields, our_text) = both(path)
        assert our_status == status, path
        if status != 200:
            continue
        assert our_fields["Content-Type"] == fields["Content-Type"]
        theirs, ours = json.loads(text), json.loads(our_text)
        # Both in the same order and spelling: what differs is when, and the random name.
        assert list(ours) == list(theirs)
        for answer in (theirs, ours):
            digest = hmac.new(SECRET.encode(), answer["username"].encode(), hashlib.sha1).digest()
            assert answer["password"] == base64.b64encode(digest).decode()
            assert (answer["ttl"], answer["uris"]) == (86400, URIS)
        if "username=" in path:
            assert ours["username"].split(":", 1)[1] == theirs["username"].split(":", 1)[1]
            assert our_text == text.replace(theirs["username"], ours["username"]).replace(
                theirs["password"], ours["password"])


def test_both_credentials_relay(network, both):
    for _, _, text in both(REQUESTS[0]):
        given = json.loads(text)
        with TurnClient(network.client, user=given["username"],
                        password=given["password"]) as client:
            assert client.allocate()[0] == SERVER[4]
