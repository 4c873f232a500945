"""T10: who learns from a refusal which users there are."""

import bisect
import contextlib
import itertools
import statistics
import time

import stun
from findings import Attack, Finding
from yuelao import PASSWORD, USER

NOBODY = "marker-user-eve"  # as long as USER


def masked(answer):
    """The answer without what is different in any two: transaction, nonce and what is computed
    from them."""
    parsed = stun.Message.parse(answer)
    return answer[:8], [(name, len(value) if name in (
        stun.NONCE, stun.FINGERPRINT, stun.MESSAGE_INTEGRITY) else value)
        for name, value in parsed.every]


def timed(client, user):
    """The answer to an Allocate of this user with a wrong password, and how long it took."""
    transaction = stun.new_transaction()
    message = stun.encode(stun.ALLOCATE, [
        stun.UDP_TRANSPORT, (stun.USERNAME, user.encode()), (stun.REALM, client.realm.encode()),
        (stun.NONCE, client.nonce)], transaction, stun.long_term_key(user, client.realm, "wrong"))
    start = time.perf_counter_ns()
    client.send(message)
    answer = client.receive()
    return answer, time.perf_counter_ns() - start


def compared(stage, pairs, one, other):
    """Two users by turns: how often their answers differ, the times of each, and the error code.
    Each has a connection of many `pairs`: which thread and core one happens to be served by would
    tell them apart, too."""
    times, answers = ([], []), ([], [])
    for clients in pairs:
        for client, user in zip(clients, (one, other)):
            timed(client, user)  # what is done once is done
        for _ in range(stage.scaled(250, 20)):
            for at, user in enumerate((one, other)):
                answer, took = timed(clients[at], user)
                times[at].append(took)
                answers[at].append(masked(answer))
    differ = sum(a != b for a, b in zip(*answers))
    return differ, times, stun.Message.parse(answer).error


def told_apart(one, other):
    """How often somebody is right who is shown one time of each and says whose was longer: 0.5 is
    guessing (the area under the ROC curve)."""
    ordered = sorted(one)
    below = sum((bisect.bisect_left(ordered, each) + bisect.bisect_right(ordered, each)) / 2
                for each in other)
    area = below / (len(one) * len(other))
    return max(area, 1 - area)


def run(stage, kind):
    findings = []
    static = {"users": [{"name": USER, "password": PASSWORD}]}
    cases = {"static users: one that exists, one that does not": (static, True, USER, NOBODY)}
    now = int(time.time())
    cases["TURN REST: a name that is valid, one that has expired"] = (
        {}, False, f"{now + 3000}:{USER}", f"{now - 3000}:{USER}")
    for what, (changes, users, one, other) in cases.items():
        with stage.serving(kind, changes, static_users=users) as subject, \
                contextlib.ExitStack() as stack:
            pairs = [[stack.enter_context(stage.client(subject, "tcp")) for _ in range(2)]
                     for _ in range(16)]
            for client in itertools.chain(*pairs):
                client._learn(client.ask(stun.ALLOCATE, [stun.UDP_TRANSPORT]))
            differ, times, code = compared(stage, pairs, one, other)
        medians = [statistics.median(each) / 1000 for each in times]
        guess = told_apart(*times)
        findings += [
            Finding(f"{what}: answers that differ", f"{differ} of {len(times[0])} ({code})",
                    differ == 0),
            Finding(f"{what}: times", f"medians {medians[0]:.1f} and {medians[1]:.1f} us; told apart by "
                    f"one answer {guess:.0%} of the time (50%: by guessing)", guess < 0.55,
                    asserted=False)]
    return findings


ATTACK = Attack(
    "T10", "Enumeration of users",
    "for a user who does not exist a key is derived and tried all the same",
    ("tests/turn/authentication_test.cpp", "tests/interop/front_door_test.py"), run)
