"""What anybody may send to a TURN server without a password."""

import os
import struct

import stun

FILLER, UNKNOWN = 0x8ABC, 0x7ABC  # attributes that need not be understood, and that have to be
CLIENT_HELLO_RANDOM = 27  # where a DTLS ClientHello has its random: records 13, handshake 12, version 2


def message(kind, *attributes, cookie=struct.pack(">I", stun.MAGIC)):
    body = b"".join(struct.pack(">HH", name, len(value)) + value + bytes(-len(value) % 4)
                    for name, value in attributes)
    return struct.pack(">HH", kind, len(body)) + cookie + os.urandom(12) + body


def requests(hello):
    """Requests by name; `hello` is a DTLS ClientHello without a cookie."""
    return {
        "Binding": message(stun.BINDING),
        "Binding with FINGERPRINT": stun.encode(stun.BINDING, fingerprint=True),
        "Binding of RFC 3489, without the magic cookie": message(stun.BINDING, cookie=os.urandom(4)),
        "Binding with an attribute nobody knows": message(stun.BINDING, (UNKNOWN, b"")),
        "Binding with CHANGE-REQUEST": message(stun.BINDING, (stun.CHANGE_REQUEST, bytes(4))),
        "Allocate": message(stun.ALLOCATE, stun.UDP_TRANSPORT),
        "Allocate with nothing in it": message(stun.ALLOCATE),
        "Allocate with a wrong password": signed(stun.ALLOCATE, stun.UDP_TRANSPORT),
        "Refresh": message(stun.REFRESH),
        "CreatePermission": message(stun.CREATE_PERMISSION),
        "ChannelBind": message(stun.CHANNEL_BIND),
        "Connect": message(stun.CONNECT),
        "ConnectionBind": message(stun.CONNECTION_BIND),
        "DTLS ClientHello": hello,
    }


def signed(method, *attributes, nonce=b"a-nonce-of-nobodys", user="1999999999:x", realm="yuelao",
           key=bytes(16)):
    """Integrity that is as long as any other, and is nobody's."""
    return stun.encode(method, [*attributes, (stun.USERNAME, user.encode()),
                                (stun.REALM, realm.encode()), (stun.NONCE, nonce)], key=key)


def unanswerable():
    """What must never be answered: two servers that did would answer each other for ever."""
    shapes = {}
    for method, name in ((stun.BINDING, "Binding"), (stun.ALLOCATE, "Allocate"),
                         (stun.REFRESH, "Refresh"), (stun.CREATE_PERMISSION, "CreatePermission"),
                         (stun.CHANNEL_BIND, "ChannelBind"), (stun.CONNECT, "Connect"),
                         (stun.CONNECTION_BIND, "ConnectionBind"), (0x0FFF, "an unknown method's")):
        method = (method & 0xF80) << 2 | (method & 0x70) << 1 | method & 0xF
        refusal = (stun.ERROR_CODE, bytes([0, 0, 4, 1]))
        shapes |= {f"{name} success response": message(method | stun.SUCCESS),
                   f"{name} error response": message(method | stun.ERROR, refusal),
                   f"{name} error response of an unknown attribute": message(
                       method | stun.ERROR, (UNKNOWN, b""), refusal),
                   f"{name} indication": message(method | stun.INDICATION),
                   f"{name} indication with an unknown attribute": message(
                       method | stun.INDICATION, (UNKNOWN, b""))}
    peer = stun.xor_address(stun.XOR_PEER_ADDRESS, "51.77.0.3", 9, bytes(12))
    shapes |= {
        "Send indication": message(stun.SEND | stun.INDICATION, peer, (stun.DATA_VALUE, b"x")),
        "Data indication": message(stun.DATA | stun.INDICATION, peer, (stun.DATA_VALUE, b"x")),
        "ChannelData": stun.channel_data(0x4000, b"x"),
        "Binding with a wrong FINGERPRINT": stun.encode(stun.BINDING, fingerprint=True)[:-1] + b"!",
        "Binding that ends early": message(stun.BINDING, (FILLER, bytes(8)))[:-4],
        "Binding with more behind it": message(stun.BINDING) + b"more",
        "Binding with an attribute that overruns": message(stun.BINDING)[:2] + b"\0\4" + message(
            stun.BINDING)[4:] + struct.pack(">HH", FILLER, 4),
        "nothing": b"",
        "one octet": b"\0",
        "text": b"GET / HTTP/1.1\r\n\r\n",
        "a DTLS alert": b"\x15\xfe\xfd" + bytes(8) + b"\0\2\2\0",
        "DTLS application data": b"\x17\xfe\xfd\0\1" + bytes(6) + b"\0\x20" + bytes(32),
        "a DTLS ServerHello": b"\x16\xfe\xfd" + bytes(8) + b"\0\x0c\2" + bytes(11),
        "RTP": b"\x80\x60" + bytes(30),
        "ZRTP": b"\x10\0" + bytes(30),
        "QUIC": b"\xc0\0\0\0\1" + bytes(30),
    }
    return shapes


def of_length(size):
    """Datagrams of `size` octets, by what they look like."""
    head = os.urandom(12)
    shapes = {"random octets": os.urandom(size), "zeros": bytes(size), "ones": b"\xff" * size,
              "a DTLS handshake": (b"\x16\xfe\xfd" + bytes(8) + struct.pack(">H", max(size - 13, 0))
                                   + b"\1" + os.urandom(size))[:size]}
    if size >= 4:
        shapes["ChannelData"] = struct.pack(">HH", 0x4000, size - 4) + os.urandom(size - 4)
    if size < 20:
        return shapes
    wrong = struct.pack(">HHI", stun.BINDING, 1496, stun.MAGIC) + head
    shapes["Binding of a wrong length"] = wrong + os.urandom(size - 20)
    if size % 4 or size == 20:
        return shapes
    for name, kind in (("Binding", stun.BINDING), ("Allocate", stun.ALLOCATE),
                       ("Refresh", stun.REFRESH), ("an unknown method", 0x003F),
                       ("a success response", stun.BINDING | stun.SUCCESS),
                       ("an indication", stun.BINDING | stun.INDICATION)):
        start = struct.pack(">HHI", kind, size - 20, stun.MAGIC) + head
        shapes[f"{name} with filling"] = start + struct.pack(
            ">HH", FILLER, size - 24) + bytes(size - 24)
        # As many unknown attributes as there is room for: a server may name each of them.
        shapes[f"{name} with unknown attributes"] = start + b"".join(
            struct.pack(">HH", 0x7000 + each, 0) for each in range((size - 20) // 4))
    return shapes
