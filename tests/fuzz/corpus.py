"""What has broken somebody's consumer somewhere, or ours: the values from which messages are made."""

import gzip
from typing import Final

from tests.fuzz import fields
from tests.fuzz.fields import Field

_EVENT = b'{"specversion":"1.0","id":"%b","source":"/s","type":"t"%b}'
DEEP: Final = 100_000
MEBIBYTE: Final = 1 << 20

ATTRIBUTES: Final = (
    *("specversion", "id", "source", "type", "time", "subject", "sequence", "partitionkey", "dataschema"),
    *("datacontenttype", "correlationid", "causationid", "traceparent", "data_base64", "data"),
)
"""Of a CloudEvent, and its data."""

BODIES: Final = [
    b"",
    b" \n\t ",
    b"\x00",
    b"null",
    b"true",
    b"0",
    b"NaN",
    b"-Infinity",
    b'""',
    b"[]",
    b"{}",
    b"[[]]",
    b"{",
    b'{"specversion"',
    b'{"specversion":"1.0",}',
    b"{'specversion':'1.0'}",
    b"<event/>",
    b"specversion: '1.0'",
    b"\x80\x04K\x01.",  # a pickle
    b"\x1f\x8b\x08\x00",
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b"\xed\xa0\x80",  # a surrogate as CESU writes it
    b"\xc0\x80",  # a NUL that is too long
    b"\xf5\x80\x80\x80",
    b"[" * DEEP,
    b"[" * DEEP + b"]" * DEEP,
    b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b"9" * 5_000,
    b"[" + b"0," * 50_000 + b"0]",
    _EVENT % (b"\\ud800", b""),
    _EVENT % (b"\xff", b""),
    _EVENT % (b"1", b',"data":' + b"[" * DEEP + b"]" * DEEP),
    _EVENT % (b"1", b',"x":' + b"[" * DEEP + b"]" * DEEP),
    _EVENT % (b"1", b',"data":1}{"specversion":"1.0"'),
    b"[" + _EVENT % (b"1", b"") + b"]",  # CloudEvents' batch mode, which we do not read
    gzip.compress(_EVENT % (b"1", b""), mtime=0),
    (_EVENT % (b"1", b"")).decode().encode("utf-16"),
]

TOKENS: Final = [
    *(b"null", b"true", b"0", b"-0", b"-1", b"1e3", b"1.0", b"0.1", b"[]", b"{}", b'""', b'"0"', b'"\\u0000"'),
    *(b"9223372036854775807", b"9223372036854775808", b"-9223372036854775809", b"18446744073709551616"),
    *(b"1" + b"0" * 400, b"9" * 5_000, b"1e308", b"1e309", b"1e999", b"-1e999", b"1e-999", b"0." + b"3" * 5_000),
    *(b"NaN", b"Infinity", b"-Infinity", b"01", b"+1", b".5", b"1.", b"0x10", b"1_000", b"undefined", b"'a'"),
    *(b'"\\ud800"', b'"\\udc00\\ud800"', b'"\\ud83d\\ude00"', b'"\\x41"', b'"\xff"', b'"\xed\xa0\x80"'),
    *(b'"\n"', b'"\x00"'),
    *(b'"a\\u0000b"', b'{"\\u0000":1}', b'{"a":1,"a":2}', b'[1,"two",null,{"three":[]}]', b'{"__class__":"os.system"}'),
    *(b"[" * 200 + b"]" * 200, b"[" * 2_000 + b"]" * 2_000),
]  # fmt: skip
"""In the place of a JSON value."""

TEXTS: Final = [
    *("", " ", "\t", "\n", "\r\n", "0", "null", "None", "a" * 255, "a" * 256, "é" * 255, "🎈" * 255, "a" * 70_000),
    *("\x00", "a\x00b", "\x01\x02\x1b[2J", "\x7f", "\x9b31m", "\ufeff", "\ufffe", "\uffff", "\U0010ffff"),
    *("\u202e", "\u2028"),
    *("\ud800", "a\udfffb", "e\u0301", "ﬁ", "İ", "ß", "日本語", "العربية", "%s %d %n", "{0} {x.__class__}"),
    *("$(reboot)", "`id`"),
    *("'; DROP TABLE eventbridge_inbox; --", '"', "\\", "\\u0000", "../../etc/passwd", "<script>alert(1)</script>"),
    *("http://[::1", "urn:uuid:", "//", "mailto:a@b", "/shop/", "a b", "#", "*", "fuzz.#", ".", "..", "a..b"),
    *("".join(map(chr, range(0x20000, 0x20000 + 255))), "".join(map(chr, range(1, 256)))),
]  # fmt: skip
"""In the place of an id, a source, a subject, a name."""

TIMES: Final = [
    *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59"),
    *("9999-12-31T23:59:59Z", "9999-12-31T23:59:60Z", "2016-12-31T23:59:60Z", "2026-02-29T00:00:00Z"),
    *("2026-02-03", "2026-02-03T04:05:06", "2026-02-03 04:05:06Z", "2026-02-03t04:05:06z"),
    "2026-02-03T24:00:00Z",
    *("2026-02-03T04:05:06+24:00", "2026-02-03T04:05:06-00:00", "2026-02-03T04:05:06.9999999999Z"),
    "2026-13-01T00:00:00Z",
    *("1970-01-01T00:00:00Z", "yesterday", "1770091506", "2026-W06-2", "10000-01-01T00:00:00Z"),
    "-2026-02-03T04:05:06Z",
    "2026-02-03T04:05:0\u0666Z",  # a six, in Arabic
]  # fmt: skip

SEQUENCES: Final = [
    "",
    "0",
    "-1",
    "7",
    "9" * 20,
    "9" * 255,
    "9" * 400,
    "0x7",
    "seven",
    "00000000000000000007 ",
    "\uff11",
]
VERSIONS: Final = ["0.3", "1.1", "2.0", "1", "1.0 ", "", "\uff11.0", "1.0\x00"]

CONTENT_TYPES: Final = [
    *(b"", b"application/json", b"text/plain", b"application/octet-stream", b"application/x-python-serialize", b"\x00"),
    *(b"application/cloudevents", b"application/cloudevents-batch+json", b"application/cloudevents+avro", b"\xff\xfe"),
    *(b"APPLICATION/CLOUDEVENTS+JSON", b"application/cloudevents+json; charset=utf-16", b"a" * 255, b"\xff" * 255),
    *(b"application/cloudevents+json;" + b"\xff" * 226, b"application/cloudevents+json\r\nX: 1", "日本".encode() * 20),
]  # fmt: skip

SHORT: Final = [
    *(b"", b"a" * 255, b"\xff" * 255, b"\x00", b"a\x00b", b"\xed\xa0\x80", "é".encode() * 127, "🎈".encode() * 63),
    *(b"fuzz.batch", b"../..", b"\x1b[2J", b"{}", b"'", b"0"),
]  # fmt: skip
"""In the place of a property that is a short string."""

NAMES: Final = [
    *(b"", b"a" * 255, b"\xff", b"\xff" * 255, b"\x00", b"a\x00b", b"a b", "é".encode() * 127, b"\x1b[2J"),
    *(b"body", b"__class__"),
    *(b"x-death", b"x-first-death-queue", b"x-last-death-reason", b"x-delivery-count", b"x-acquired-count", b"x-opt-a"),
    *(b"x-delay", b"x-match", b"x-stream-offset", b"x-received-from", b"celery", b"task", b"origin"),
    *(b"traceparent", b"tracestate", b"baggage", b"eventbridge-attempt", b"eventbridge-Attempt", b"content-type"),
    *(b"ce-id", b"ce-", b"ce-specversion", b"cloudEvents_id", b"cloudEvents:source", b"CE-data"),
    *(b"ce-\xff", b"ce-subject"),
]  # fmt: skip
"""Of headers."""

FIELDS: Final[list[Field]] = [
    *(fields.number(kind, value) for kind, value in [("b", -128), ("B", 255), ("s", -32768), ("u", 65535)]),
    *(fields.number(kind, value) for kind, value in [("I", -1), ("i", 2**32 - 1), ("l", 2**63 - 1), ("l", -(2**63))]),
    *(fields.number("l", value) for value in (0, -1, 1, 2, 7, 2**31, 999_999, 2**53 + 1)),
    *(fields.real("d", value) for value in (0.5, -1e308, 5e-324)),  # RabbitMQ itself takes no infinity, and no NaN
    *(fields.real("f", value) for value in (1.5, -0.0)),
    *(fields.moment(value) for value in (0, 1_770_091_506, 253_402_300_799, 253_402_300_800, 2**60, 2**64 - 1)),
    *(fields.decimal(places, digits) for places, digits in [(0, 0), (2, 150), (255, 2**31 - 1), (0, -(2**31))]),
    *(fields.text(value) for value in ("", "1", "7", "a\x00b", "\x1b[2J", "日本語", "NaN", "a" * 30_000)),
    *(fields.text(value) for value in (b"\xff\xfe", b"\xed\xa0\x80")),
    *(fields.raw(b""), fields.raw(b"\x00\xff"), fields.void(), fields.truth(True), fields.truth(False)),
    *(fields.array([]), fields.array([fields.void(), fields.text("x"), fields.number("l", 1)])),
    *(fields.nested([]), fields.nested([(b"a", fields.nested([(b"b", fields.array([fields.text("c")]))]))])),
    *(fields.deep(20), fields.deep(3_000)),
]  # fmt: skip
"""A value of every type that RabbitMQ carries."""


def forged_death(queue: bytes) -> Field:
    """What a broker writes when it dead-letters, with figures of a sender's own."""
    words = {b"queue": queue, b"reason": b"expired", b"exchange": b"eventbridge.requeue"}
    death = [(name, fields.text(value)) for name, value in words.items()]
    death += [(b"count", fields.number("l", 2**62)), (b"routing-keys", fields.array([fields.text(queue)]))]
    return fields.array([fields.nested(death)])
