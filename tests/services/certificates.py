"""Certificates of our own authority, for servers that speak TLS."""

import subprocess
from pathlib import Path


def make_certificates(folder: Path) -> Path:
    """ca.pem and other-ca.pem; server.pem with server.key, by the first, for `localhost` only."""
    for name in ("ca", "other-ca"):
        request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
        extensions = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        _openssl(*request, *extensions, "-keyout", f"{name}.key", "-out", f"{name}.pem", cwd=folder)
    request = ["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    _openssl(*request, "-keyout", "server.key", "-out", "server.csr", cwd=folder)
    (folder / "names").write_text("subjectAltName=DNS:localhost\nauthorityKeyIdentifier=keyid\n")
    sign = ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"]
    _openssl(*sign, "-extfile", "names", "-out", "server.pem", cwd=folder)
    return folder


def _openssl(*arguments: str, cwd: Path) -> None:
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, capture_output=True)
