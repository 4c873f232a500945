"""HTTP out of a namespace."""

import http.client
import socket


class Connection(http.client.HTTPConnection):
    def __init__(self, namespace, host, port):
        super().__init__(host, port)
        self._namespace = namespace

    def connect(self):
        self.sock = self._namespace.socket(socket.SOCK_STREAM, 6 if ":" in self.host else 4)
        self.sock.connect((self.host, self.port))


def ask(connection, path, method="GET", body=None, fields=None):
    """(status, fields, text); the connection is closed."""
    connection.request(method, path, body, fields or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text
