"""What `yuelao integrate` prints is served as it is, and each side works with the other's half."""

import ipaddress
import json
import re
import socket
import ssl
import struct
import threading

import pytest

import http_client
from integrate_test import Machine
from network import CLIENT, SERVER, bracketed
from turn_client import TurnClient

KEYED = re.compile(r'turn_rest_api = "http://([^:/]+):(\d+)(/\S*)"\n'
                   r'\tturn_rest_api_key = "(\w+)"\n\tturn_rest_api_method = "GET"\n')
ORIGIN = "https://meet.test"
WEB = ("127.0.0.1", 4443)


@pytest.fixture
def machine(tmp_path):
    directory = tmp_path / "machine"
    directory.mkdir()
    return Machine(directory)


@pytest.fixture
def integrated(machine, serve):
    """integrated(system, ...) -> the snippets' text by file, once yuelao serves its half."""
    def start(system, *options):
        sides = machine.sides(system, *options, host=SERVER[4])
        machine.accepts(sides["yuelao"]["text"])
        serve(sides["yuelao"]["text"], environment={"STATE_DIRECTORY": str(machine.state)})
        return {snippet["where"]: snippet["text"] for snippet in sides["snippets"]}
    return start


@pytest.fixture
def ask(network):
    """ask(namespace, host, port, path, ...) -> (status, fields, text)"""
    return lambda namespace, host, port, path, **options: http_client.ask(
        http_client.Connection(getattr(network, namespace), host, int(port)), path, **options)


def relays(network, user, password, **options):
    with TurnClient(network.client, user=user, password=password, **options) as client:
        assert client.allocate()[0] == SERVER[4]
        client.refresh(0)


@pytest.mark.parametrize("system", ["janus", "nextcloud-hpb"])
@pytest.mark.parametrize("options", [["--credentials"],
                                     ["--credentials-listen", f"{SERVER[4]}:9700"]], ids=["here", "there"])
def test_janus_asks_as_it_is_told(network, integrated, ask, system, options):
    jcfg = integrated(system, *options)["/etc/janus/janus.jcfg"]
    host, port, path, key = KEYED.search(jcfg).groups()
    assert (host, port) == (("127.0.0.1", "9642") if len(options) == 1 else (SERVER[4], "9700"))
    whence = "server" if len(options) == 1 else "client"
    status, _, text = ask(whence, host, port, f"{path}?service=turn&api={key}&username=janus")
    assert status == 200
    given = json.loads(text)
    assert given["uris"][0] == f"turn:{SERVER[4]}:3478?transport=udp"
    relays(network, given["username"], given["password"])
    assert ask(whence, host, port, f"{path}?service=turn&api={key[:-1]}")[0] == 403


def test_jitsis_page_asks_another_origin_as_it_is_told(network, integrated, ask):
    texts = integrated("jitsi", "--credentials-listen", f"{SERVER[4]}:9642", "--credentials-url",
                       f"http://{SERVER[4]}:9642/", "--credentials-origin", ORIGIN)
    config = texts["/etc/jitsi/meet/YOUR-MEET-DOMAIN-config.js"]
    host, port, path = re.search(r'preCallTestICEUrl: "http://([^:/]+):(\d+)(/[^"]+)"', config).groups()
    status, fields, text = ask("client", host, port, path, fields={"Origin": ORIGIN})
    assert (status, fields["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    given = json.loads(text)
    server, = given["iceServers"]
    assert given["ttl"] == 600 and f"turn:{SERVER[4]}:3478?transport=udp" in server["urls"]
    relays(network, server["username"], server["credential"])
    _, fields, _ = ask("client", host, port, path, fields={"Origin": "https://other.test"})
    assert fields["Access-Control-Allow-Origin"] is None


@pytest.fixture
def web_server(network, certificate):
    """start(announced) -> the list of what it is told of its clients: it answers one request
    with `pages`, behind a PROXY v2 header where it is `announced`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate["certificate"], certificate["key"])
    listener = network.server.socket(socket.SOCK_STREAM, address=WEB[0], port=WEB[1])
    listener.listen(1)
    listener.settimeout(30)
    threads = []

    def header(taken):
        signature, length = taken.recv(14, socket.MSG_WAITALL), taken.recv(2, socket.MSG_WAITALL)
        assert signature[:13] == b"\r\n\r\n\0\r\nQUIT\n\x21", signature
        addresses = taken.recv(*struct.unpack(">H", length), socket.MSG_WAITALL)
        return str(ipaddress.ip_address(addresses[:{0x11: 4, 0x21: 16}[signature[13]]]))

    def start(announced):
        seen = []

        def serve_one():
            taken, _ = listener.accept()
            taken.settimeout(30)
            seen.append(header(taken) if announced else None)
            with context.wrap_socket(taken, server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\npages")

        threads.append(threading.Thread(target=serve_one))
        threads[-1].start()
        return seen

    yield start
    for thread in threads:
        thread.join(30)
    listener.close()


def made_for(system, machine):
    """A user of the system's own, or what the secret signs."""
    password = machine.state / f"{system}.password"
    if password.exists():
        return system, password.read_text().strip()
    printed = machine.run("credentials", "--state-directory", machine.state, "--json").stdout
    return json.loads(printed)["username"], json.loads(printed)["credential"]


@pytest.mark.parametrize("system, family", [
    ("jitsi", 4), ("nextcloud-talk", 6), ("mirotalk-p2p", 4), ("briefing", 6), ("livekit", 4),
    ("matrix", 6), ("galene", 6)])
def test_port_443_is_for_pages_and_for_calls(network, machine, integrated, authority, certificate,
                                             web_server, system, family):
    texts = integrated(system, "--certificate", certificate["certificate"], "--key",
                       certificate["key"], "--share-443", "%s:%d" % WEB)
    shown = "".join(texts.values())
    host = SERVER[4].replace(".", r"\.")
    assert re.search(rf"turns:{host}:443\?transport=tcp|turns {host}:443 tcp|port: 443\n"
                     rf'|type = "turns", host = "{host}", port = 443', shown), shown
    announced = system != "galene"  # which speaks TLS itself and knows no PROXY header
    assert ("listen 127.0.0.1:4443 ssl http2 proxy_protocol;" in shown) == announced
    seen = web_server(announced)
    done = network.client.run("curl", "-sS", "--cacert", authority.certificate, "--interface",
                              CLIENT[family], "--max-time", 20,
                              f"https://{bracketed(SERVER[family])}/")
    assert done.stdout == "pages", done.stdout
    assert seen == [CLIENT[family] if announced else None]
    relays(network, *made_for(system, machine), transport="tls", port=443,
           authority=authority.certificate)
