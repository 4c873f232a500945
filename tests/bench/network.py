"""Two network namespaces and a cable between them, gone when the process is."""

import os
import shutil
import subprocess
import sys

# Reserved for benchmarks (RFC 2544).
SERVER_ADDRESS = "198.18.0.1"
LOAD_ADDRESS = "198.18.0.2"


def enter_own_namespace(command):
    """Becomes `command` in a new network namespace, which will be the servers'."""
    become_root = [] if os.geteuid() == 0 else ["--map-root-user"]
    if shutil.which("unshare") is None:
        sys.exit("compare: unshare is missing: install util-linux")
    os.execvp("unshare", ["unshare", "--net", *become_root, sys.executable, *command])


def run(*command):
    subprocess.run(command, check=True)


class Network:
    """The namespace this process is in holds the servers, a second one the load."""

    server = SERVER_ADDRESS
    load = LOAD_ADDRESS

    def __enter__(self):
        # A namespace lives as long as a process in it: this one ends with its input.
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo ready; exec cat"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.holder.stdout.readline() != b"ready\n":
            sys.exit("compare: no second network namespace")
        load = str(self.holder.pid)
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "servers", "type", "veth", "peer", "name", "load", "netns", load)
        run("ip", "address", "add", f"{self.server}/24", "dev", "servers")
        run("ip", "link", "set", "servers", "up")
        for command in (["ip", "link", "set", "lo", "up"],
                        ["ip", "address", "add", f"{self.load}/24", "dev", "load"],
                        ["ip", "link", "set", "load", "up"]):
            self.run_in_load(command).check_returncode()
        return self

    def __exit__(self, *_):
        self.holder.stdin.close()
        self.holder.wait()

    def run_in_load(self, command):
        inside = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]
        return subprocess.run([*inside, *command], capture_output=True, text=True, check=False)
