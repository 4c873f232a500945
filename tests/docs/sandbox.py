"""A machine for the commands of a page: its files lie in a directory of the test's own.

Pages name real places (/etc/yuelao, /var/lib/yuelao, /etc/ssl). The sandbox puts each of them
below its directory, runs yuelao, and puts the names back into what it printed. Secrets and
passwords come out as SECRET, PASSWORD and API-KEY, as the pages have them.
"""

import os
import re
import subprocess

YUELAO = os.environ.get("YUELAO", "build/dev/server/yuelao")
SECRET = "5ec7e7" * 10 + "0123"
PLACES = ("/etc/yuelao", "/etc/letsencrypt", "/etc/ssl", "/var/lib/yuelao", "/run/credentials",
          "/etc/turnserver.conf")
PATH = re.compile(r"(?<![\w.])(?:" + "|".join(map(re.escape, PLACES)) + r")[\w./-]*")


class Sandbox:
    def __init__(self, directory, certificate):
        self.root = directory
        self.certificate = certificate
        self.configuration = self.inside("/etc/yuelao/yuelao.yaml")
        self.state = self.inside("/var/lib/yuelao")
        os.makedirs(self.state, mode=0o700)
        self.put("/var/lib/yuelao/rest-secret", SECRET + "\n")

    def inside(self, path):
        return f"{self.root}{path}"

    def put(self, path, text):
        """Makes a file of the machine; `path` is its name there."""
        file = self.inside(path)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
                  encoding="utf-8") as stream:
            stream.write(text)

    def moved(self, text):
        """The text with the machine's files below the sandbox; those it reads exist."""
        for path in set(PATH.findall(text)):
            if os.path.exists(self.inside(path)) or path.startswith("/etc/yuelao/yuelao"):
                continue
            if path.endswith((".pem", ".crt")) and "privkey" not in path:
                self.put(path, self.certificate[0])
            elif "privkey" in path or path.endswith(".key"):
                self.put(path, self.certificate[1])
            elif path.endswith((".secret", ".password")):
                self.put(path, SECRET + "\n")
        return PATH.sub(lambda match: self.inside(match.group()), text)

    def normal(self, text):
        text = text.replace(str(self.root), "").replace(SECRET, "SECRET")
        for name in os.listdir(self.state):
            shown = {".password": "PASSWORD", ".api-key": "API-KEY"}.get(os.path.splitext(name)[1])
            if shown:
                with open(os.path.join(self.state, name), encoding="utf-8") as stream:
                    text = text.replace(stream.read().strip(), shown)
        return re.sub(r'(api_?key = "?)[\w-]+', r"\1API-KEY", text)

    def run(self, command, **options):
        """Runs a line of a page with a shell that knows `yuelao`."""
        kept = {key: value for key, value in os.environ.items() if key != "JOURNAL_STREAM"}
        here = os.path.abspath(YUELAO)
        return subprocess.run(
            ["sh", "-euc", f'yuelao() {{ "{here}" "$@"; }}\nsudo() {{ "$@"; }}\n'
             + self.moved(command)],
            capture_output=True, text=True, timeout=60, check=False, cwd=self.root,
            env=kept | {"YUELAO_CONFIG": self.configuration, "STATE_DIRECTORY": self.state},
            **options)
