"""The built server as a process: started in its namespace, watched through sd_notify(3)."""

import errno
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading

import seccomp

from network import CLIENT, PEER, SERVER

USER = "marker-user-ada"
PASSWORD = "correct-horse"
SECRET = "marker-secret-rest"

PROGRAM = os.environ.get("YUELAO", "build/dev/server/yuelao")

# How long anything may take on a busy two-core machine under AddressSanitizer.
PATIENCE = 30

SANITIZER = re.compile(r"(?:Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:")


def settings(**changes):
    """The configuration of the tests: loud, so that the privacy test sees every line."""
    return {
        "listen": ["udp:3478", "tcp:3478"] + (["tls:5349"] if "tls" in changes else []),
        "relay": {"addresses": list(SERVER.values())},
        # Nobody waits for calls that a test leaves behind.
        "drain_timeout": "0s",
        "users": [{"name": USER, "password": PASSWORD}],
        "secrets": [{"value": SECRET}],
        "log": {"level": "debug"},
        "threads": 2,
    } | changes


def refuse(calls):
    """From now on they fail, here and in programs that this one becomes."""
    rules = seccomp.SyscallFilter(seccomp.ALLOW)
    for call in calls:
        rules.add_rule(seccomp.ERRNO(errno.EPERM), call)
    rules.load()


class Yuelao:
    def __init__(self, namespace, directory, configuration, descriptors=None, environment=None,
                 refused=(), user=None, capability=None, behind=()):
        """`refused` are system calls that fail with EPERM, as a container's profile has it.
        `user` is the number of one that it runs as instead of root, with nothing but
        `capability`. `behind` is a command that becomes the server, which is its last arguments."""
        self.namespace = namespace
        self.file = directory / "yuelao.yaml"
        self.lines = []
        self._news = threading.Condition()
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = directory / "notify"
        self._notify.bind(str(path))
        if configuration is not None:
            self.configure(configuration)

        def limit():
            if descriptors:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
            if refused and not user:
                refuse(refused)

        state = directory / "state"
        become = []
        if user:
            for owned in (directory, path, self.file):
                os.chown(owned, user, user)
            become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                      *([f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}"]
                        if capability else []),
                      # Itself refused what setpriv needs.
                      sys.executable, __file__, ",".join(refused)]
        self.process = subprocess.Popen(
            namespace.command(*behind, *become, PROGRAM, "serve", *([] if configuration is None
                                                  else ["--config", self.file])),
            env=os.environ | {"NOTIFY_SOCKET": str(path), "STATE_DIRECTORY": str(state),
                              "UBSAN_OPTIONS": "print_stacktrace=1"}
            | (environment or {}),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace", preexec_fn=limit)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def configure(self, configuration):
        # JSON is YAML.
        text = configuration if isinstance(configuration, str) else json.dumps(configuration)
        self.file.write_text(text)
        self.file.chmod(0o600)

    def _read(self):
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()

    @property
    def output(self):
        with self._news:
            return "".join(self.lines)

    def wait_for_line(self, pattern, after=0):
        """The first line that matches; `after` lines that were there before."""
        def found():
            return next((line for line in self.lines[after:] if re.search(pattern, line)), None)

        with self._news:
            line = self._news.wait_for(found, PATIENCE)
        assert line, f"no line matches {pattern!r}:\n{self.output}"
        return line

    def wait_for_news(self, *expected):
        """Blocks until the server has told systemd one of `expected`, such as READY=1."""
        self._notify.settimeout(0.5)
        for _ in range(2 * PATIENCE):
            try:
                told = self._notify.recv(4096).decode().split("\n")
            except TimeoutError:
                assert self.process.poll() is None, f"ended early:\n{self.output}"
                continue
            if set(expected) & set(told):
                return
        raise AssertionError(f"never said {expected}:\n{self.output}")

    def reload(self, configuration=None):
        if configuration is not None:
            self.configure(configuration)
        self.process.send_signal(signal.SIGHUP)
        self.wait_for_news("RELOADING=1")
        self.wait_for_news("READY=1")

    def drain(self):
        self.process.send_signal(signal.SIGTERM)
        self.wait_for_news("STOPPING=1")

    def wait(self):
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    def stop(self):
        """Ends it as an operator would, and holds it to what always has to be true."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.wait()
            raise
        assert not SANITIZER.search(self.output), self.output
        assert status == 0, f"exit status {status}:\n{self.output}"
        self.check_privacy(self.output)

    @staticmethod
    def check_privacy(text):
        """No client, no peer, no user, no secret in anything the server says."""
        for marker in (*CLIENT.values(), *PEER.values(), USER, PASSWORD, SECRET):
            assert marker not in text, f"{marker} in:\n{text}"

    def http(self, path):
        """GET from the admin listener: status and body."""
        connection = self.namespace.socket(socket.SOCK_STREAM)
        with connection:
            connection.connect(("127.0.0.1", 9641))
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        head, _, body = answer.partition("\r\n\r\n")
        return int(head.split()[1]), body

    def metric(self, name):
        """The sum over a metric's samples: name alone, or name{label="value"}."""
        _, body = self.http("/metrics")
        want, _, labels = name.rstrip("}").partition("{")
        return sum(float(line.rsplit(" ", 1)[1]) for line in body.split("\n")
                   if re.match(rf"{want}[{{ ]", line) and labels in line)


if __name__ == "__main__":  # yuelao.py CALL,... PROGRAM ARGUMENT...: the program without the calls
    if sys.argv[1]:
        refuse(sys.argv[1].split(","))
    os.execv(sys.argv[2], sys.argv[2:])
