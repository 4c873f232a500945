"""STUN messages (RFC 8489) as bytes and back: enough of a client to ask awkward questions."""

import base64
import hashlib
import hmac
import ipaddress
import os
import struct
import time
import zlib

MAGIC = 0x2112A442

CONNECT, CONNECTION_BIND, CONNECTION_ATTEMPT, CONNECTION_ID = 0x00A, 0x00B, 0x00C, 0x002A
BINDING, ALLOCATE, REFRESH, SEND, DATA, CREATE_PERMISSION, CHANNEL_BIND = 1, 3, 4, 6, 7, 8, 9
INDICATION, SUCCESS, ERROR = 0x0010, 0x0100, 0x0110

MAPPED_ADDRESS, USERNAME, MESSAGE_INTEGRITY, ERROR_CODE = 0x0001, 0x0006, 0x0008, 0x0009
CHANNEL_NUMBER, LIFETIME, XOR_PEER_ADDRESS, DATA_VALUE = 0x000C, 0x000D, 0x0012, 0x0013
REALM, NONCE, XOR_RELAYED_ADDRESS, REQUESTED_ADDRESS_FAMILY = 0x0014, 0x0015, 0x0016, 0x0017
EVEN_PORT, REQUESTED_TRANSPORT, DONT_FRAGMENT = 0x0018, 0x0019, 0x001A
XOR_MAPPED_ADDRESS, RESERVATION_TOKEN, FINGERPRINT = 0x0020, 0x0022, 0x8028
ADDITIONAL_ADDRESS_FAMILY, ADDRESS_ERROR_CODE, ICMP = 0x8000, 0x8001, 0x8004
UNKNOWN_ATTRIBUTES, MESSAGE_INTEGRITY_SHA256, PASSWORD_ALGORITHM = 0x000A, 0x001C, 0x001D
USERHASH, PASSWORD_ALGORITHMS = 0x001E, 0x8002
ALTERNATE_DOMAIN, ALTERNATE_SERVER = 0x8003, 0x8023
MOBILITY_TICKET = 0x8030
CHANGE_REQUEST, PADDING, RESPONSE_PORT = 0x0003, 0x0026, 0x0027
RESPONSE_ORIGIN, OTHER_ADDRESS = 0x802B, 0x802C

UDP_TRANSPORT = (REQUESTED_TRANSPORT, bytes([17, 0, 0, 0]))
TCP_TRANSPORT = (REQUESTED_TRANSPORT, bytes([6, 0, 0, 0]))
BOTH_FAMILIES = (ADDITIONAL_ADDRESS_FAMILY, bytes([2, 0, 0, 0]))


class Message:
    def __init__(self, kind, transaction, every, data=b""):
        self.data = data
        self.kind = kind
        self.transaction = transaction
        self.every = every  # (name, value), also of those that come again
        self.attributes = dict(reversed(every))  # the first of each counts

    @classmethod
    def parse(cls, data):
        kind, length, magic = struct.unpack_from(">HHI", data)
        assert magic == MAGIC and length == len(data) - 20, data.hex()
        every, at = [], 20
        while at < len(data):
            name, size = struct.unpack_from(">HH", data, at)
            every.append((name, data[at + 4:at + 4 + size]))
            at += 4 + (size + 3) // 4 * 4
        return cls(kind, data[8:20], every, data)

    @property
    def error(self):
        """The error code, None for a success."""
        value = self.attributes.get(ERROR_CODE)
        return value[2] * 100 + value[3] if value else None

    def address(self, name):
        """(address, port) of an XOR-...-ADDRESS."""
        return self.addresses(name)[0]

    def addresses(self, name):
        """The same, for each that there is."""
        return [self._address(value) for each, value in self.every if each == name]

    def _address(self, value):
        key = struct.pack(">I", MAGIC) + self.transaction
        plain = bytes(a ^ b for a, b in zip(value[2:], key[:2] + key))
        return self._plain_address(value[:2] + plain)

    def plain_address(self, name):
        """(address, port) of MAPPED-ADDRESS and those that stand like it."""
        return self._plain_address(self.attributes[name])

    @staticmethod
    def _plain_address(value):
        _, family, port = struct.unpack_from(">BBH", value)
        assert len(value) == {1: 8, 2: 20}[family]
        return str(ipaddress.ip_address(value[4:])), port

    def signed_with(self, key, sha256=False):
        """Whether the integrity attribute of this kind is there and right (RFC 8489 §14.5, §14.6)."""
        name, digest = _INTEGRITY[sha256]
        at = 20
        while at < len(self.data):
            kind, size = struct.unpack_from(">HH", self.data, at)
            if kind == name:
                head = self.data[:2] + struct.pack(">H", at + 4 + size - 20) + self.data[4:at]
                return hmac.new(key, head, digest).digest() == self.data[at + 4:at + 4 + size]
            at += 4 + (size + 3) // 4 * 4
        return False

    @property
    def lifetime(self):
        return struct.unpack(">I", self.attributes[LIFETIME])[0]


def xor_address(name, address, port, transaction):
    packed = ipaddress.ip_address(address).packed
    key = struct.pack(">I", MAGIC) + transaction
    return name, struct.pack(">BBH", 0, 1 if len(packed) == 4 else 2, port ^ (MAGIC >> 16)) + bytes(
        a ^ b for a, b in zip(packed, key))


def new_transaction():
    return os.urandom(12)


def long_term_key(user, realm, password):
    return hashlib.md5(f"{user}:{realm}:{password}".encode()).digest()


_INTEGRITY = {False: (MESSAGE_INTEGRITY, hashlib.sha1),
              True: (MESSAGE_INTEGRITY_SHA256, hashlib.sha256)}


def encode(kind, attributes=(), transaction=None, key=None, fingerprint=False, sha256=False):
    transaction = transaction or new_transaction()
    body = b"".join(struct.pack(">HH", name, len(value)) + value + bytes(-len(value) % 4)
                    for name, value in attributes)

    def header(length):
        return struct.pack(">HHI", kind, length, MAGIC) + transaction

    if key:
        name, digest = _INTEGRITY[sha256]
        size = digest().digest_size
        value = hmac.new(key, header(len(body) + 4 + size) + body, digest).digest()
        body += struct.pack(">HH", name, size) + value
    if fingerprint:
        crc = zlib.crc32(header(len(body) + 8) + body) ^ 0x5354554E
        body += struct.pack(">HHI", FINGERPRINT, 4, crc)
    return header(len(body)) + body


def channel_data(number, payload):
    return struct.pack(">HH", number, len(payload)) + payload


def rest_credentials(secret, name="", lifetime=3600):
    user = f"{int(time.time()) + lifetime}" + (f":{name}" if name else "")
    digest = hmac.new(secret.encode(), user.encode(), hashlib.sha1).digest()
    return user, base64.b64encode(digest).decode()
