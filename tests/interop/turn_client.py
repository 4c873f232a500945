"""A TURN client over a socket in the client's namespace; does what a test says, no more."""

import socket
import ssl
import struct

import stun
from network import CLIENT, SERVER
from yuelao import PASSWORD, USER


class Refused(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


class TurnClient:
    def __init__(self, namespace, transport="udp", family=4, port=3478, authority=None,
                 user=USER, password=PASSWORD, preface=b"", local=None):
        kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
        self.transport = transport
        self.socket = namespace.socket(kind, family, local or CLIENT[family])
        self.socket.connect((SERVER[family], port))
        if preface:
            self.socket.sendall(preface)  # such as a PROXY header
        if transport == "tls":
            context = ssl.create_default_context(cafile=authority)
            self.socket = context.wrap_socket(self.socket, server_hostname=SERVER[family])
        self.user, self.password = user, password
        self.realm = self.nonce = None
        self.data = []  # (peer or channel, payload) that came between answers
        self.errors = []  # (peer, ICMP type, code, MTU), likewise
        self._buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    # Messages

    def send(self, message):
        if self.transport != "udp":
            message += bytes(-len(message) % 4)  # RFC 8656 §12.5
        self.socket.sendall(message)

    def receive(self, timeout=10):
        """The next whole message. Raises TimeoutError, or EOFError when the stream ended."""
        self.socket.settimeout(timeout)
        if self.transport == "udp":
            return self.socket.recv(65536)
        while (size := self._frame_bytes()) is None or len(self._buffer) < size:
            got = self.socket.recv(65536)
            if not got:
                raise EOFError
            self._buffer += got
        message, self._buffer = self._buffer[:size], self._buffer[(size + 3) // 4 * 4:]
        return message

    def _frame_bytes(self):
        if len(self._buffer) < 4:
            return None
        first, length = struct.unpack_from(">HH", self._buffer)
        return length + (4 if first & 0xC000 else 20)

    def _take(self, message):
        """True when it was data from a peer."""
        if message[0] & 0xC0:
            number, length = struct.unpack_from(">HH", message)
            self.data.append((number, message[4:4 + length]))
            return True
        parsed = stun.Message.parse(message)
        if parsed.kind != stun.DATA | stun.INDICATION:
            return False
        peer = parsed.address(stun.XOR_PEER_ADDRESS)
        if stun.ICMP in parsed.attributes:
            self.errors.append((peer, *struct.unpack(">xxBBI", parsed.attributes[stun.ICMP])))
        else:
            self.data.append((peer, parsed.attributes[stun.DATA_VALUE]))
        return True

    def next_data(self, timeout=10):
        while not self.data:
            self._take(self.receive(timeout))
        return self.data.pop(0)

    def next_error(self, timeout=10):
        while not self.errors:
            self._take(self.receive(timeout))
        return self.errors.pop(0)

    # Requests

    def ask(self, method, attributes=(), transaction=None, key=None, sha256=False):
        """One request, its answer as it comes."""
        transaction = transaction or stun.new_transaction()
        self.send(stun.encode(method, attributes, transaction, key, True, sha256))
        while True:
            message = self.receive()
            if not self._take(message) and message[8:20] == transaction:
                return stun.Message.parse(message)

    def ask_signed(self, method, attributes=(), transaction=None):
        signed = [*attributes, (stun.USERNAME, self.user.encode()),
                  (stun.REALM, self.realm.encode()), (stun.NONCE, self.nonce)]
        key = stun.long_term_key(self.user, self.realm, self.password)
        return self.ask(method, signed, transaction, key)

    def request(self, method, attributes=(), transaction=None):
        """A request with credentials, after as many challenges as are fair. Success or Refused."""
        if self.nonce is None:
            self._learn(self.ask(method, attributes))
        answer = self.ask_signed(method, attributes, transaction)
        if answer.error == 438:
            self._learn(answer)
            answer = self.ask_signed(method, attributes)
        if answer.error:
            raise Refused(answer.error)
        return answer

    def _learn(self, challenge):
        assert challenge.error in (401, 438), challenge.error
        self.realm = challenge.attributes[stun.REALM].decode()
        self.nonce = challenge.attributes[stun.NONCE]

    def allocate(self, *attributes):
        """The relayed (address, port)."""
        return self.ask_for_relays(*attributes).address(stun.XOR_RELAYED_ADDRESS)

    def ask_for_relays(self, *attributes):
        """The success response to Allocate."""
        return self.request(stun.ALLOCATE, [stun.UDP_TRANSPORT, *attributes])

    def refresh(self, lifetime, *attributes):
        return self.request(stun.REFRESH,
                            [(stun.LIFETIME, struct.pack(">I", lifetime)), *attributes])

    def permit(self, *peers):
        transaction = stun.new_transaction()
        return self.request(stun.CREATE_PERMISSION, [
            stun.xor_address(stun.XOR_PEER_ADDRESS, address, 0, transaction)
            for address in peers], transaction)

    def bind(self, number, peer):
        transaction = stun.new_transaction()
        return self.request(stun.CHANNEL_BIND, [
            (stun.CHANNEL_NUMBER, struct.pack(">HH", number, 0)),
            stun.xor_address(stun.XOR_PEER_ADDRESS, *peer, transaction)], transaction)

    def send_to(self, peer, payload, *attributes):
        transaction = stun.new_transaction()
        self.send(stun.encode(stun.SEND | stun.INDICATION, [
            stun.xor_address(stun.XOR_PEER_ADDRESS, *peer, transaction),
            (stun.DATA_VALUE, payload), *attributes], transaction))

    def send_on(self, channel, payload):
        self.send(stun.channel_data(channel, payload))


def exchange(one, other, relays, tag=b"hello"):
    """Both clients send through their relays; asserts that both hear the other."""
    one.send_to(relays[1], tag + b" from one")
    assert other.next_data() == (relays[0], tag + b" from one")
    other.send_to(relays[0], tag + b" from other")
    assert one.next_data() == (relays[1], tag + b" from other")


def pair_up(one, other):
    """Allocates and permits on both sides; the two relayed addresses."""
    relays = one.allocate(), other.allocate()
    one.permit(relays[1][0])
    other.permit(relays[0][0])
    return relays
