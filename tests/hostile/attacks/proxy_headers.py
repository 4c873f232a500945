"""T13: whoever says that somebody else is calling."""

import ipaddress
import socket
import ssl
import struct

import stun
from findings import Attack, Finding
from network import CLIENT, PEER, SERVER

CLAIMED = ("198.51.100.7", 40000)
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ANOTHER_PROXY = "10.77.0.250"


def headers():
    """What claims a client, by name."""
    body = ipaddress.ip_address(CLAIMED[0]).packed + ipaddress.ip_address(
        SERVER[4]).packed + struct.pack(">HH", CLAIMED[1], 3478)
    return {"version 1": f"PROXY TCP4 {CLAIMED[0]} {SERVER[4]} {CLAIMED[1]} 3478\r\n".encode(),
            "version 2": SIGNATURE + struct.pack(">BBH", 0x21, 0x11, len(body)) + body}


def told(stage, port, header, local):
    """Whom a server sees behind a header: an address, "closed", or "silence"."""
    with stage.network.client.socket(socket.SOCK_STREAM, 4, local) as connection:
        connection.settimeout(3)
        try:
            connection.connect((SERVER[4], port))
            connection.sendall(header)
            if port == 5349:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                connection = context.wrap_socket(connection)
                connection.settimeout(3)
            connection.sendall(stun.encode(stun.BINDING))
            answer = connection.recv(1500)
        except TimeoutError:
            return "silence"
        except OSError:
            return "closed"
        finally:
            connection.close()
    if not answer:
        return "closed"
    return stun.Message.parse(answer).address(stun.XOR_MAPPED_ADDRESS)[0]


def tried(stage, ports, local):
    return {f"{name}, port {port}": told(stage, port, header, local)
            for name, header in headers().items() for port in ports}


def judged(what, outcomes):
    believed = [name for name, outcome in outcomes.items() if outcome == CLAIMED[0]]
    counts = {outcome: list(outcomes.values()).count(outcome) for outcome in outcomes.values()}
    return Finding(what, ", ".join(
        f"{number} {'believed' if outcome == CLAIMED[0] else outcome}"
        for outcome, number in counts.items()), not believed)


def run(stage, kind):
    findings = []
    with stage.serving(kind) as subject:
        findings.append(judged("headers of both versions, by default, on every port",
                               tried(stage, (3478, 5349), CLIENT[4])))
        served = stage.is_served(subject, "tcp")
    findings.append(Finding("a client is served afterwards", "yes" if served else "no", served))
    # coturn has a port of its own for them, and no list of whom it believes.
    ports = (3478, 5349) if kind == "yuelao" else (3480,)
    with stage.serving(kind, {"proxies": [ANOTHER_PROXY, PEER[4]]}, ["tcp-proxy-port=3480"]):
        findings.append(judged("the same where the headers of another proxy are expected",
                               tried(stage, ports, CLIENT[4])))
        believed = tried(stage, ports, PEER[4])
    findings.append(Finding("from that proxy", f"{list(believed.values()).count(CLAIMED[0])} of "
                            f"{len(believed)} believed", set(believed.values()) == {CLAIMED[0]}))
    return findings


ATTACK = Attack(
    "T13", "Trust in PROXY headers",
    "believed from addresses in `proxies` alone; from everybody else a header ends the connection",
    ("tests/interop/proxy_test.py", "tests/edge/proxy_header_test.cpp"), run)
