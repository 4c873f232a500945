"""Packets with forged sources, and a record of what a namespace sends."""

import collections
import contextlib
import ipaddress
import socket
import struct
import time

ETH_P_ALL, PACKET_OUTGOING = 0x0003, 4
SO_RCVBUFFORCE, SOL_PACKET, PACKET_STATISTICS = 33, 263, 6
UDP, TCP = 17, 6
IP_OCTETS = {4: 28, 6: 48}  # of an IP and a UDP header together

Packet = collections.namedtuple("Packet", "device protocol source destination payload flags")


def checksum(octets):
    """RFC 1071."""
    octets += bytes(len(octets) % 2)
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(protocol, source, destination, transport):
    """A whole IP packet. `transport` has its header, with a checksum of zero at its place."""
    one, other = (ipaddress.ip_address(end) for end in (source, destination))
    at = {UDP: 6, TCP: 16}[protocol]
    pseudo = one.packed + other.packed + struct.pack(">II", len(transport), protocol)
    sealed = checksum(pseudo + transport) or 0xFFFF
    transport = transport[:at] + struct.pack(">H", sealed) + transport[at + 2:]
    if one.version == 4:
        # The kernel fills in the length, the identification and the checksum.
        head = struct.pack(">BBHHHBBH", 0x45, 0, 0, 0, 0, 64, protocol, 0)
    else:
        head = struct.pack(">IHBB", 6 << 28, len(transport), protocol, 64)
    return head + one.packed + other.packed + transport


def datagram(source, destination, payload):
    """A UDP packet; the ends are (address, port)."""
    return packet(UDP, source[0], destination[0], struct.pack(
        ">HHHH", source[1], destination[1], 8 + len(payload), 0) + payload)


class Forger:
    """Sends packets as they are, whoever they claim to be from."""

    def __init__(self, namespace):
        self._sockets = {}
        for family, kind in ((4, socket.AF_INET), (6, socket.AF_INET6)):
            with namespace.entered():
                self._sockets[family] = socket.socket(kind, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, octets):
        if octets[0] >> 4 == 4:
            self._sockets[4].sendto(octets, (str(ipaddress.ip_address(octets[16:20])), 0))
        else:
            self._sockets[6].sendto(octets, (str(ipaddress.ip_address(octets[24:40])), 0))

    def close(self):
        for each in self._sockets.values():
            each.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Wire:
    """What a namespace sends on any of its devices, its loopback too. The kernel keeps it until
    it is asked for; `settle` says so when it could not keep all of it."""

    def __init__(self, namespace):
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                                         socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def settle(self, silence=0.3, limit=30):
        """The packets until there were none for `silence` seconds, at most for `limit`."""
        packets, end = [], time.monotonic() + limit
        self._socket.settimeout(silence)
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < end:
                octets, (device, _, kind, *_) = self._socket.recvfrom(65536)
                if kind == PACKET_OUTGOING:
                    packets.extend(_parsed(device, octets))
        _, lost = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        assert lost == 0, f"{lost} packets could not be recorded"
        return packets

    def datagrams(self, **options):
        return [each for each in self.settle(**options) if each.protocol == UDP]


def _parsed(device, octets):
    """The packet, or nothing where it is neither UDP nor TCP."""
    version = octets[0] >> 4 if octets else 0
    if version == 4:
        protocol, size = octets[9], (octets[0] & 15) * 4
        ends = octets[12:16], octets[16:20]
    elif version == 6:
        protocol, size = octets[6], 40
        ends = octets[8:24], octets[24:40]
    else:
        return
    if protocol not in (UDP, TCP):
        return
    source, destination = (str(ipaddress.ip_address(end)) for end in ends)
    ports = struct.unpack_from(">HH", octets, size)
    head = 8 if protocol == UDP else (octets[size + 12] >> 4) * 4
    flags = octets[size + 13] if protocol == TCP else 0
    yield Packet(device, protocol, (source, ports[0]), (destination, ports[1]),
                 octets[size + head:], flags)
