"""A certificate authority of the test run's own, and certificates of it."""

import subprocess

from network import SERVER

NAME = "turn.test"
_NAMES = f"subjectAltName=DNS:{NAME},IP:{SERVER[4]},IP:{SERVER[6]}"


def _openssl(*argv, cwd):
    subprocess.run(["openssl", *argv], cwd=cwd, check=True, capture_output=True)


class Authority:
    def __init__(self, directory):
        self.directory = directory
        self.certificate = directory / "ca.pem"
        _openssl("req", "-x509", *_key("ca.key"), "-subj", "/CN=yuelao test", "-days", "2",
                 "-out", "ca.pem", cwd=directory)
        (directory / "ca.cnf").write_text(
            "[ca]\ndefault_ca=x\n[x]\ndatabase=index\nserial=serial\nnew_certs_dir=.\n"
            "default_md=sha256\npolicy=p\nunique_subject=no\ncopy_extensions=copy\n[p]\nCN=supplied\n")
        (directory / "index").write_text("")
        (directory / "serial").write_text("01\n")

    def issue(self, label, start=None, end=None):
        """Files of a certificate for the server: {"certificate": ..., "key": ...}."""
        _openssl("req", *_key(f"{label}.key"), "-subj", f"/CN={label}", "-addext", _NAMES,
                 "-out", f"{label}.csr", cwd=self.directory)
        when = ["-startdate", start, "-enddate", end] if start else ["-days", "1"]
        _openssl("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key",
                 "-in", f"{label}.csr", "-out", f"{label}.pem", "-notext", *when,
                 cwd=self.directory)
        return {"certificate": str(self.directory / f"{label}.pem"),
                "key": str(self.directory / f"{label}.key")}

    def issue_expired(self):
        return self.issue("expired", "20200101000000Z", "20200201000000Z")


def _key(path):
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path]
