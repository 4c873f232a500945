"""T14: old protocols, renegotiation, early data, and a new certificate in the middle of calls."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import time

import stun
from findings import Attack, Finding
from network import SERVER
from stage import OUTSIDE

ANY_SUITE = ("-cipher", "ALL:@SECLEVEL=0")


def s_client(stage, *options, said="Q\n"):
    return stage.network.client.run(
        "openssl", "s_client", "-connect", f"{SERVER[4]}:5349", *options, input=said,
        timeout=20).stdout


def versions(stage):
    """What of the old and the new is spoken."""
    spoken = {}
    for name, option in (("TLS 1.0", "-tls1"), ("TLS 1.1", "-tls1_1"), ("DTLS 1.0", "-dtls1"),
                         ("TLS 1.2", "-tls1_2"), ("TLS 1.3", "-tls1_3"), ("DTLS 1.2", "-dtls1_2")):
        old = ANY_SUITE if name.endswith((" 1.0", " 1.1")) else ()
        # A server that refuses with silence would have DTLS try for long.
        said = stage.network.client.run(
            "timeout", "5", "openssl", "s_client", "-connect", f"{SERVER[4]}:5349", option, *old,
            input="Q\n", timeout=20).stdout
        spoken[name] = "Cipher is (NONE)" not in said and "Cipher is " in said
    old = [name for name in ("TLS 1.0", "TLS 1.1", "DTLS 1.0") if spoken[name]]
    new = [name for name in ("TLS 1.2", "TLS 1.3", "DTLS 1.2") if spoken[name]]
    return [Finding("TLS 1.0, TLS 1.1, DTLS 1.0", f"spoken: {', '.join(old) or 'none'}", not old),
            Finding("TLS 1.2, TLS 1.3, DTLS 1.2", f"spoken: {', '.join(new) or 'none'}",
                    len(new) == 3)]


def asked_for_more(stage):
    renegotiated = s_client(stage, "-tls1_2", said="R\n")
    # A server that grants it goes on with the handshake; one that does not says so, or ends it.
    refused = "no renegotiation" in renegotiated
    early = s_client(stage, "-tls1_3")
    offered = [line.split(":")[1].strip() for line in early.splitlines()
               if line.strip().startswith("Max Early Data")]
    compressed = "Compression: NONE" in renegotiated
    return [Finding("renegotiation", "refused" if refused else "granted", refused),
            Finding("early data", f"at most {max(offered, default='0')} octets",
                    set(offered) <= {"0"}),
            Finding("compression", "none" if compressed else "there is", compressed)]


def serial(stage):
    """The certificate that a new connection is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with stage.network.client.socket(socket.SOCK_STREAM) as plain:
        plain.connect((SERVER[4], 5349))
        with context.wrap_socket(plain) as secure:
            return hash(secure.getpeercert(binary_form=True))


def reloads(stage, kind):
    """Calls over TLS while certificates are replaced again and again."""
    count, times = stage.scaled(50, 10), stage.scaled(20, 5)
    one, other = (stage.authority.issue(f"number{number}") for number in range(2))
    live = {key: str(stage.directory / f"live.{key}") for key in one}
    install(one, live)
    with stage.serving(kind, {"tls": live}, [f"cert={live['certificate']}", f"pkey={live['key']}"]
                       ) as subject, \
            contextlib.ExitStack() as stack:
        peer = stack.enter_context(stage.network.client.socket(socket.SOCK_DGRAM, 4, OUTSIDE[4]))
        clients = [stack.enter_context(stage.client(
            subject, "tls", port=5349, authority=stage.authority.certificate)) for _ in range(count)]
        for client in clients:
            client.allocate()
            client.bind(0x4000, peer.getsockname())
        shown, lost, sent = {serial(stage)}, 0, 0
        for number in range(1, times + 1):
            install((one, other)[number % 2], live)
            reload(subject)
            for client in clients:
                client.send_on(0x4000, b"still here")
            lost += count - answered(peer, clients, count)
            sent += count
            shown.add(wait_for_another(stage, shown) if number == 1 else serial(stage))
        dropped = count - sum(alive(client) for client in clients)
    return [Finding(f"{times} reloads of the certificate beside {count} calls over TLS",
                    f"{dropped} dropped, {lost} of {sent} datagrams lost; the new certificate "
                    f"{'is' if len(shown) > 1 else 'is not'} shown",
                    dropped == lost == 0 and len(shown) > 1)]


def install(certificate, live):
    """In the place of the last one, as those programs do that renew certificates."""
    for key, path in certificate.items():
        shutil.copyfile(path, live[key] + ".new")
        os.chmod(live[key] + ".new", 0o600)
        os.replace(live[key] + ".new", live[key])


def reload(subject):
    if subject.kind == "yuelao":
        subject.reload()
    else:
        subject.process.send_signal(signal.SIGUSR2)
        time.sleep(0.1)  # nothing tells when it is done


def wait_for_another(stage, shown):
    end = time.monotonic() + 3
    while (now := serial(stage)) in shown and time.monotonic() < end:
        time.sleep(0.1)
    return now


def answered(peer, clients, count):
    """How many calls get there and back."""
    got = 0
    peer.settimeout(3)
    with contextlib.suppress(TimeoutError):
        for _ in range(count):
            data, relay = peer.recvfrom(100)
            peer.sendto(data, relay)
    for client in clients:
        with contextlib.suppress(TimeoutError, OSError, EOFError):
            client.next_data(3)
            got += 1
    return got


def alive(client):
    try:
        return client.ask(stun.BINDING).error is None
    except (OSError, EOFError):
        return False


def run(stage, kind):
    with stage.serving(kind):
        findings = versions(stage) + asked_for_more(stage)
    return findings + reloads(stage, kind)


ATTACK = Attack(
    "T14", "TLS",
    "1.2 and later, forward secrecy, no renegotiation, compression or early data; new certificates "
    "serve new connections",
    ("tests/interop/tls_test.py", "tests/server/tls_context_test.cpp",
     "tests/interop/operation_test.py"), run)
