"""Holds the reader of frames against the golden vectors of the protocol: python3 vectors.py FILE..."""

import json
import sys

from link import decode


def main():
    wrong = seen = 0
    for file in sys.argv[1:]:
        with open(file, encoding="utf-8") as vectors:
            entries = json.load(vectors)
        for entry in entries:
            # What is not UTF-8 is the WebSocket's to refuse.
            if entry["from"] != "server" or "frame" not in entry:
                continue
            read = "read"
            try:
                decode(entry["frame"])
            except (ValueError, RecursionError) as error:
                read = f"refused: {error}"
            seen += 1
            if (read == "read") == (entry["outcome"] == "close"):
                wrong += 1
                print(f'{file}: "{entry["name"]}" is {entry["outcome"]}, and was {read}', file=sys.stderr)
    if not seen:
        print("no vector was given", file=sys.stderr)
    return wrong > 0 or not seen


if __name__ == "__main__":
    sys.exit(main())
