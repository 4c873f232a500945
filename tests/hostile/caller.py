#!/usr/bin/env python3
"""A call that nobody should disturb: a datagram every few milliseconds through its relay to a peer
that sends it back. Reads a number of seconds a line, and prints how many it
sent in that time and how long, in seconds, each of those took that came back.

    caller.py CLIENT PEER USER PASSWORD
"""

import contextlib
import json
import os
import pathlib
import select
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "interop"))

from turn_client import TurnClient  # noqa: E402

CHANNEL = 0x4001
EVERY = 0.002
PAYLOAD = 160  # an audio packet's size


class Here:
    """The namespace that this process is in, for TurnClient."""

    @staticmethod
    def socket(kind, _family=4, address=None, port=0):
        made = socket.socket(socket.AF_INET, kind)
        made.bind((address or "0.0.0.0", port))
        return made


class Call:
    def __init__(self, client_address, peer_address, user, password):
        self.client = TurnClient(Here, local=client_address, user=user, password=password)
        self.client.allocate()
        self.peer = Here.socket(socket.SOCK_DGRAM, 4, peer_address)
        self.client.bind(CHANNEL, self.peer.getsockname())
        self.poll = select.poll()
        for each in (self.client.socket, self.peer):
            each.setblocking(False)
            self.poll.register(each, select.POLLIN)
        self.number = 0

    def measure(self, seconds):
        first, sent, trips = self.number, {}, []
        start = time.monotonic()
        # A last one that is late has a second to come.
        while (now := time.monotonic()) < start + seconds + 1:
            due = start + (self.number - first) * EVERY
            if now < start + seconds and now >= due:
                sent[self.number] = time.monotonic()
                self.client.socket.send(struct.pack(">HHQ", CHANNEL, PAYLOAD, self.number)
                                        + bytes(PAYLOAD - 8))
                self.number += 1
                continue
            if now >= start + seconds and len(trips) == len(sent):
                break
            self.poll.poll(max(0.0, min(due - now, 0.1)) * 1000 if now < start + seconds else 50)
            self._take(sent, trips)
        return {"sent": len(sent), "trips": trips}

    def _take(self, sent, trips):
        with contextlib.suppress(BlockingIOError):
            while True:
                data, source = self.peer.recvfrom(2048)
                self.peer.sendto(data, source)
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self.client.socket.recv(2048)
                if data[:2] == struct.pack(">H", CHANNEL):
                    number, = struct.unpack_from(">Q", data, 4)
                    if number in sent:
                        trips.append(time.monotonic() - sent[number])


def main():
    with contextlib.suppress(PermissionError):
        # What is measured is the server: this process waits for nobody else.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    call = Call(*sys.argv[1:])
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(call.measure(float(line))), flush=True)


if __name__ == "__main__":
    main()
