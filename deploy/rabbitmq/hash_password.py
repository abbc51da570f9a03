# noqa: INP001 - a script, in no package
"""Print the hash of a password, as RabbitMQ's definitions want it: python3 deploy/rabbitmq/hash_password.py

Asks for the password, so that it is in no shell history; reads it from a pipe where there is one.
https://www.rabbitmq.com/docs/passwords: base64 of four random bytes and the SHA-256 of them and the password.
"""

import base64
import getpass
import hashlib
import os
import sys


def hash_password(password: str, salt: bytes) -> str:
    """The hash, with its salt in front."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


if __name__ == "__main__":
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    print(hash_password(password, os.urandom(4)))  # noqa: T201 - that is its work
