"""A meeting system's web server: nginx, and behind it an application in the smallest. GET
answers with what it was told of the client, a WebSocket (RFC 6455) echoes, POST answers with the
SHA-256 of what was sent."""

import argparse
import base64
import hashlib
import http.server
import pathlib
import signal
import socketserver
import subprocess
import threading

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Application(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if key := self.headers.get("Sec-WebSocket-Key"):
            return self.web_socket(key)
        return self.reply(f"hello {self.headers.get('X-Real-IP')}".encode())

    def do_POST(self):
        digest = hashlib.sha256()
        left = int(self.headers["Content-Length"])
        while left > 0:
            piece = self.rfile.read(min(left, 65536))
            digest.update(piece)
            left -= len(piece)
        self.reply(digest.hexdigest().encode())

    def reply(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def web_socket(self, key):
        accept = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.close_connection = True
        while (head := self.rfile.read(2)) and head[0] & 0x0F == 1:  # text, short and masked
            size = head[1] & 0x7F
            mask, masked = self.rfile.read(4), self.rfile.read(size)
            text = bytes(octet ^ mask[i % 4] for i, octet in enumerate(masked))
            self.wfile.write(bytes([0x81, size]) + text)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True


# As Jitsi's handbook has it: 443 is nginx's, which sends each name its way.
SPLIT_BY_NAME = """
stream {
  map $ssl_preread_server_name $to { turn.test 127.0.0.1:5349; default 127.0.0.1:4443; }
  server { listen @ADDRESS@:443; ssl_preread on; proxy_pass $to; proxy_protocol @ON@; }
}
"""


# TLS on 4443 and plain HTTP on 8080; @PROXY@ is proxy_protocol where the one in front says
# whom it speaks for.
SITE = """
    listen 127.0.0.1:4443 ssl http2 @PROXY@;
    listen 127.0.0.1:8080 @PROXY@;
    set_real_ip_from 127.0.0.1;
    @REAL_IP@
"""


def configuration(options):
    text = (pathlib.Path(__file__).parent / "nginx.conf").read_text()
    for name, value in {
            "STREAM": SPLIT_BY_NAME if options.split else "",
            "SITE": pathlib.Path(options.site).read_text() if options.site else SITE,
            "ADDRESS": options.split,
            "PROXY": "proxy_protocol" if options.proxy_protocol else "",
            "REAL_IP": "real_ip_header proxy_protocol;" if options.proxy_protocol else "",
            "ON": "on" if options.proxy_protocol else "off",
            "CERTIFICATE": options.certificate, "KEY": options.key,
            "DIRECTORY": options.directory}.items():
        text = text.replace(f"@{name}@", value)
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("directory", "certificate", "key"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--proxy-protocol", action="store_true", help="whom the client is")
    parser.add_argument("--split", default="", help="an address whose 443 nginx takes itself")
    parser.add_argument("--site", default="", help="a file with what the site says of this itself")
    options = parser.parse_args()
    application = Server(("127.0.0.1", 9000), Application)
    threading.Thread(target=application.serve_forever, daemon=True).start()
    file = pathlib.Path(options.directory) / "nginx.conf"
    file.write_text(configuration(options))
    nginx = subprocess.Popen(["nginx", "-c", file])
    signal.signal(signal.SIGTERM, lambda *_: nginx.terminate())
    raise SystemExit(nginx.wait())


if __name__ == "__main__":
    main()
