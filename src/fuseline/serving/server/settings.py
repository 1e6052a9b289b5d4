"""What `fuseline serve` is told."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fuseline.errors import ConfigError
from fuseline.serving.predictor import Options

KEY_VARIABLE = "FUSELINE_API_KEY"
# The status of a process whose export cannot be served: by it uvicorn knows that starting another
# would not help.
FAILED = 3


@dataclass(frozen=True)
class Settings:
    """How a model is served; goes to every process of the server.

    Attributes:
        model: folder of the export.
        int8: answer with its graph in integers.
        threads: that the graph computes on.
        max_batch_rows: rows that are answered at once.
        max_wait_ms: milliseconds that a row waits for others.
        max_concurrent_requests: that are read or answered at a time; more are sent away.
        max_rows: of one request.
        decoders: processes that read and clean rows.
        body_seconds: in which a request has to arrive.
        decode_seconds: in which it has to be decoded.
        request_seconds: in which it is answered or sent away.
        reload_seconds: between looks at the folder for a new export; 0 for none.
        shadow: folder of another export, which answers the same rows unseen.
        workers: processes that share an address.
        keys: SHA-256 of the keys that open it; none where it is open to all.
        score_log: file that scores are added to; none where they are not kept.
        service: file that says how conversations are held; none where there are none.
    """

    model: Path
    int8: bool
    threads: int
    max_batch_rows: int
    max_wait_ms: float
    max_concurrent_requests: int
    max_rows: int
    decoders: int
    request_seconds: float
    reload_seconds: float
    shadow: Path | None
    workers: int
    keys: frozenset[bytes]
    body_seconds: float = 30.0
    decode_seconds: float = 30.0
    score_log: Path | None = None
    service: Path | None = None

    @property
    def options(self) -> Options:
        """Answers hold everything; a request is given what it asks for."""
        format = "int8" if self.int8 else "onnx"
        vectors = self.service is not None
        return Options(format, self.threads, probabilities=True, neighbours=True, vectors=vectors)


def read_keys(file: Path | None, environment: Mapping[str, str] = os.environ) -> frozenset[bytes]:
    """SHA-256 of the keys of a file, one a line, else of the environment's.

    Raises:
        ConfigError: the file cannot be read or holds none.
    """
    if file is None:
        given = [environment.get(KEY_VARIABLE, "")]
    else:
        try:
            given = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--api-key-file: {file}: cannot be read ({error}).") from None
    keys = [line.strip() for line in given if line.strip()]
    if file is not None and not keys:
        raise ConfigError(f"--api-key-file: {file}: expected a key a line, found none.")
    return frozenset(sha256(key.encode()).digest() for key in keys)
