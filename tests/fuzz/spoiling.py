"""What is done to the bytes of a body: each is a function of a Random and the body."""

import gzip
from random import Random

from tests.fuzz import corpus


def flip(random: Random, body: bytes) -> bytes:
    spoilt = bytearray(body)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        if spoilt:
            spoilt[random.randrange(len(spoilt))] ^= 1 << random.randrange(8)
    return bytes(spoilt)


def truncate(random: Random, body: bytes) -> bytes:
    return body[: random.randrange(len(body) + 1)]


def insert(random: Random, body: bytes) -> bytes:
    at = random.randrange(len(body) + 1)
    return body[:at] + random.choice((random.randbytes(random.randrange(1, 9)), *corpus.TOKENS[:40])) + body[at:]


def cut(random: Random, body: bytes) -> bytes:
    at = random.randrange(len(body) + 1)
    return body[:at] + body[at + random.randrange(1, 9) :]


def repeat(random: Random, body: bytes) -> bytes:
    at = random.randrange(len(body) + 1)
    return body[:at] + body[at : at + 20] * random.choice((2, 3, 1_000)) + body[at:]


def recode(random: Random, body: bytes) -> bytes:
    text = body.decode("utf-8", "replace")
    padded = (b"\xef\xbb\xbf" + body, b" " * 1000 + body + b"\n", body + body, body + b"\x00")
    return random.choice((*padded, text.encode("utf-16"), text.encode("utf-32"), gzip.compress(body, mtime=0)))


def noise(random: Random, body: bytes) -> bytes:
    return random.randbytes(random.choice((0, 1, 7, 64, 500, 5_000)))


def other(random: Random, body: bytes) -> bytes:
    return random.choice(corpus.BODIES)


def member_twice(random: Random, body: bytes) -> bytes:
    name = random.choice(corpus.ATTRIBUTES).encode()
    return b'{"%b":%b,%b' % (name, random.choice(corpus.TOKENS[:14]), body[1:])


ALL = (flip, truncate, insert, cut, repeat, recode, noise, member_twice)
