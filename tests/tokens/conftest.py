import json

import pytest


@pytest.fixture
def log(tmp_path):
    """Write lines (objects, or bytes as they are) into a file: log("a.jsonl", {...}, b"...")."""

    def write(name, *lines):
        path = tmp_path / name
        path.write_bytes(
            b"".join((each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in lines)
        )
        return path

    return write
