"""Holds the codec to the golden vectors of the protocol: python3 -m unittest."""

import json
import pathlib
import unittest

from codes import BadFrame
from frames import CLIENT_KINDS, encode, parse_frame, read_payload
from limits import MAX_INTEGER

VECTORS = pathlib.Path(__file__).resolve().parents[3] / "sdk" / "wire" / "testdata" / "vectors"


def outcome(data):
    """What the codec makes of a frame, in the words of the vectors."""
    try:
        frame = parse_frame(data.decode())
    except UnicodeDecodeError:
        return 1007
    except BadFrame:
        return 4204
    if frame["kind"] not in CLIENT_KINDS:
        return "unknown"
    if "text" in frame and read_payload(frame, MAX_INTEGER) is None:
        return "invalid-message"
    return "frame"


class Vectors(unittest.TestCase):
    def test_every_vector_has_its_outcome(self):
        vectors = [vector for path in sorted(VECTORS.glob("*.json"))
                   for vector in json.loads(path.read_text("utf-8"))]
        self.assertTrue(vectors, "there are no vectors")
        for vector in vectors:
            with self.subTest(vector["name"]):
                data = bytes.fromhex(vector.get("hex", "")) or vector.get("frame", "").encode()
                want = vector.get("close", vector["outcome"])
                if vector["from"] == "server" and want != "unknown":
                    want = 4204  # a kind of the other direction
                self.assertEqual(outcome(data), want)

    def test_the_size_of_a_message_is_bounded_to_the_byte(self):
        for path in sorted(VECTORS.glob("*.json")):
            for vector in json.loads(path.read_text("utf-8")):
                if vector["from"] == "client" and "size" in vector:
                    with self.subTest(vector["name"]):
                        frame = parse_frame(vector["frame"])
                        self.assertIsNotNone(read_payload(frame, vector["size"]))
                        self.assertIsNone(read_payload(frame, vector["size"] - 1))

    def test_frames_are_written_in_canonical_form(self):
        text = '{"kind":"ping","id":4,"x":"\\"\\\\\\b\\t\\n\\f\\r\\u0000\\u001f/é\u2028\U0001f600"}'
        self.assertEqual(encode(json.loads(text)).decode(), text)


if __name__ == "__main__":
    unittest.main()
