"""Runs `yuelao probe` and reads its report."""

import json
import os
import subprocess

from yuelao import PASSWORD, PROGRAM, SANITIZER, SECRET


class Probed:
    def __init__(self, status, printed, waited):
        self.status, self.text, self.waited = status, printed, waited

    @property
    def report(self):
        return json.loads(self.text)

    @property
    def leg(self):
        leg, = self.report["legs"]
        return leg

    def step(self, name, leg=None):
        steps = {step["step"]: step for step in (leg or self.leg)["steps"]}
        assert name in steps, self.text
        return steps[name]

    def resolution(self, name):
        """The verdicts and texts of the steps of this name before any leg."""
        return [(step["verdict"], step["text"]) for step in self.report["resolution"]
                if step["step"] == name]

    @property
    def targets(self):
        return [f"{target['transport']} {target['host']} {target['port']}"
                for target in self.report["targets"]]


def run_probe(namespace, uri, *options, json=True, **environment):
    done = subprocess.run(
        namespace.command(PROGRAM, "probe", uri, *options, *(["--json"] if json else [])),
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, **environment}, stdin=subprocess.DEVNULL)
    assert not SANITIZER.search(done.stderr), done.stderr
    for secret in (PASSWORD, SECRET):
        assert secret not in done.stdout + done.stderr
    return Probed(done.returncode, done.stdout, done.stderr)
