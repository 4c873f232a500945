"""T7: nonces that were made up, borrowed or kept too long."""

import contextlib
import os
import random
import string
import time

import shapes
import stun
from findings import Attack, Finding
from network import PEER
from turn_client import Refused

DIGITS = (string.ascii_letters + string.digits + "+/").encode()
BATCH = 50


def forgeries(nonce, count):
    """Each digit changed to another one, and then nonces that are made up from the same digits."""
    for at, digit in enumerate(nonce):
        for other in random.sample(DIGITS, 4):
            if other != digit:
                yield nonce[:at] + bytes([other]) + nonce[at + 1:]
                count -= 1
    for cut in range(len(nonce)):
        yield nonce[:cut]
    yield nonce + b"A"
    yield nonce.swapcase()
    for _ in range(count):
        keep = random.choice((0, 13, 17)) if len(nonce) > 17 else 0
        yield nonce[:keep] + bytes(random.choices(DIGITS, k=len(nonce) - keep))


def forged(stage, subject):
    """Over TCP, where nothing is held back, with the right password."""
    count, accepted, tried = stage.scaled(20_000, 2_000), 0, 0
    with stage.client(subject, "tcp") as client:
        client._learn(client.ask(stun.ALLOCATE, [stun.UDP_TRANSPORT]))
        key = stun.long_term_key(client.user, client.realm, client.password)
        made_up = list(forgeries(client.nonce, count))
        for at in range(0, len(made_up), BATCH):
            for nonce in made_up[at:at + BATCH]:
                client.send(shapes.signed(stun.REFRESH, nonce=nonce, user=client.user,
                                          realm=client.realm, key=key))
            for _ in made_up[at:at + BATCH]:
                error = stun.Message.parse(client.receive()).error
                # 437: it was taken for good, and there is no allocation to be refreshed.
                accepted += error in (None, 437)
                tried += 1
        genuine = client.ask_signed(stun.REFRESH).error
    return [Finding("nonces that are made up", f"{tried:,} tried, {accepted} accepted "
                    f"(the genuine one: {'accepted' if genuine == 437 else genuine})",
                    accepted == 0 and genuine == 437)]


def borrowed(stage, subject):
    with stage.client(subject) as owner:
        owner._learn(owner.ask(stun.ALLOCATE, [stun.UDP_TRANSPORT]))
    answers = []
    for local in (None, PEER[4]):
        with stage.client(subject, local=local) as other:
            other.user, other.password = owner.user, owner.password
            other.realm, other.nonce = owner.realm, owner.nonce
            answers.append(other.ask_signed(stun.ALLOCATE, [stun.UDP_TRANSPORT]).error)
    return [Finding("a nonce of another port, of another address", f"{answers[0]}, {answers[1]}",
                    answers == [438, 438])]


def kept(stage, kind):
    """Configured to live for two seconds."""
    with stage.serving(kind, {"lifetimes": {"nonce": "2s"}}, ["stale-nonce=2"]) as subject, \
            stage.client(subject) as client:
        client._learn(client.ask(stun.ALLOCATE, [stun.UDP_TRANSPORT]))
        start, error = time.monotonic(), None
        client.ask_signed(stun.ALLOCATE, [stun.UDP_TRANSPORT])
        while error != 438 and time.monotonic() < start + 6:
            error = client.ask_signed(stun.REFRESH, [(stun.LIFETIME, b"\0\0\2\x58")]).error
            time.sleep(0.05)  # what is measured is time
        took = time.monotonic() - start
        try:
            client.refresh(0)
            renewed = True
        except Refused:
            renewed = False
    return [Finding("a nonce that lives for 2 s", f"stale after {took:.1f} s, then a new one"
                    if error == 438 else "good for longer than 6 s", error == 438 and renewed)]


def unlike(stage, subject):
    """That no two clients are told the same."""
    nonces = set()
    count = stage.scaled(300, 60)
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            client = stack.enter_context(stage.client(subject))
            client._learn(client.ask(stun.ALLOCATE, [stun.UDP_TRANSPORT]))
            nonces.add(client.nonce)
    return [Finding("nonces of different clients are different", f"{len(nonces)} of {count}",
                    len(nonces) == count)]


def run(stage, kind):
    random.seed(os.urandom(8))
    with stage.serving(kind) as subject:
        findings = forged(stage, subject) + borrowed(stage, subject) + unlike(stage, subject)
    return findings + kept(stage, kind)


ATTACK = Attack(
    "T7", "Nonces",
    "a 64-bit MAC over address, port, realm, features and time, compared in constant time; nothing "
    "is stored", ("tests/turn/authentication_test.cpp",), run)
