"""A part of a meeting system as a process in a namespace."""

import os
import re
import subprocess
import threading

from yuelao import PATIENCE


class Process:
    def __init__(self, namespace, argv, environment=None):
        self._lines = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            namespace.command(*argv), env=os.environ | (environment or {}),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._lines.append("(ended)\n")
            self._news.notify_all()

    def wait_for_line(self, pattern):
        def settled():
            return any(re.search(pattern, line) or line == "(ended)\n" for line in self._lines)

        with self._news:
            self._news.wait_for(settled, PATIENCE)
            text = "".join(self._lines)
        assert re.search(pattern, text), f"no line matches {pattern!r}:\n{text}"

    def stop(self):
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
