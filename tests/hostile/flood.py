#!/usr/bin/env python3
"""Sends packets with forged sources at a bounded rate; prints how many, and in how long.

    flood.py SHAPE SERVER PORT RATE SECONDS < the message, in hexadecimal

Every packet has another source address and port, and another transaction (or random, or sequence
number). It is a process of its own so that what is measured beside it does not wait for it.
"""

import ctypes
import json
import os
import random
import socket
import struct
import sys
import time

BATCH = 8
TCP_HEAD = 20
# Where each kind of packet has what is drawn anew, from behind the IP header: (offset, octets). A
# signed message stays as it is. Over IPv4 UDP may do without a checksum; a SYN gets one.
DRAWN = {"stun": (8 + 8, 12), "dtls": (8 + 27, 32), "signed": (0, 0), "syn": (4, 4)}


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Header(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint32),
                ("vectors", ctypes.POINTER(Iovec)), ("count", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int), ("sent", ctypes.c_uint)]


def template(shape, server, port, message):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, 6 if shape == "syn" else 17, 0,
                       bytes(4), socket.inet_aton(server))
    if shape == "syn":
        return head + struct.pack(">HHIIHHHH", 0, port, 0, 0, 5 << 12 | 2, 65535, 0, 0)
    return head + struct.pack(">HHHH", 0, port, 8 + len(message), 0) + message


class Flood:
    def __init__(self, shape, server, port, message):
        self.shape = shape
        self.octets = template(shape, server, port, message)
        self.server = socket.inet_aton(server)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.buffers = [(ctypes.c_char * len(self.octets)).from_buffer_copy(self.octets)
                        for _ in range(BATCH)]
        self.views = [memoryview(each).cast("B") for each in self.buffers]
        # The destination that sendmmsg wants besides: struct sockaddr_in.
        self.name = ctypes.create_string_buffer(
            struct.pack("=HH4s8x", socket.AF_INET, 0, self.server))
        self.vectors = [Iovec(ctypes.addressof(each), len(self.octets)) for each in self.buffers]
        self.headers = (Header * BATCH)(*(
            Header(ctypes.addressof(self.name), 16, ctypes.pointer(vector), 1, None, 0, 0, 0)
            for vector in self.vectors))
        self.sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg

    def forge(self, view):
        at, size = DRAWN[self.shape]
        drawn = os.urandom(5 + size)
        # 20/8 to 99/8: nobody's own, and whoever has them is not here.
        view[12:16] = bytes([20 + drawn[0] % 80]) + drawn[1:4]
        view[20:22] = struct.pack(">H", random.randrange(1024, 65536))
        if size:
            view[20 + at:20 + at + size] = drawn[5:]
        if self.shape == "syn":
            view[36:38] = b"\0\0"
            words = struct.unpack(">10H", view[20:40]) + struct.unpack(
                ">4H", view[12:20]) + (6, TCP_HEAD)
            total = sum(words)
            total = (total & 0xFFFF) + (total >> 16)
            total = (total & 0xFFFF) + (total >> 16)
            view[36:38] = struct.pack(">H", ~total & 0xFFFF)

    def run(self, rate, seconds):
        start, sent = time.monotonic(), 0
        while (now := time.monotonic() - start) < seconds:
            if sent > now * rate:
                time.sleep(BATCH / rate)
                continue
            for view in self.views:
                self.forge(view)
            went = self.sendmmsg(self.socket.fileno(), self.headers, BATCH, 0)
            # The kernel has no room for the moment: those are not sent, and not counted.
            sent += max(went, 0)
        return sent, time.monotonic() - start


def main():
    shape, server, port, rate, seconds = sys.argv[1:]
    flood = Flood(shape, server, int(port), bytes.fromhex(sys.stdin.read()))
    sent, took = flood.run(int(rate), float(seconds))
    json.dump({"sent": sent, "seconds": took}, sys.stdout)


if __name__ == "__main__":
    main()
