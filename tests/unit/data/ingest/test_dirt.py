"""What the world's files and rows bring, and what becomes of each kind: one table.

Every kind is made here and goes through the whole of `ingest` in a CSV file, beside good rows.
"""

from __future__ import annotations

import csv
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fuseline.contracts import EXAMPLES, QUARANTINE, read_table
from fuseline.data.ingest import ingest_examples
from fuseline.params.ingest import IngestParams
from tests.support.media import animation, encoded, picture, sound, video

Build = Callable[..., IngestParams]
COLUMNS = ["id", "text", "image", "audio", "video", "price", "label"]
NUM_GOOD = 4


@dataclass(frozen=True)
class Dirt:
    """One bad row, and how it must end.

    Attributes:
        row: cells that differ from a good row's; or the line as it stands in the file.
        files: beside the manifest, by name; a path is what a link points to.
        reason: why the row is refused; None where it is kept.
        sanitised, findings: of the row that is kept.
        text: of the row that is kept, where it matters.
    """

    row: dict[str, str] | bytes
    files: dict[str, bytes | Path] = field(default_factory=dict)
    reason: str | None = None
    sanitised: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    text: str | None = None


def _medium(
    name: str, content: bytes, reason: str | None = None, *sanitised: str
) -> dict[str, Any]:
    endings = {".png": "image", ".jpg": "image", ".gif": "image", ".webp": "image"}
    endings |= {".tiff": "image", ".wav": "audio", ".flac": "audio", ".ogg": "audio"}
    endings |= {".mp3": "audio", ".mp4": "video", ".webm": "video"}
    column = endings[Path(name).suffix]
    return {
        "row": {column: name},
        "files": {name: content},
        "reason": reason,
        "sanitised": sanitised,
    }


def _file(name: str, content: bytes, reason: str | None = None, *sanitised: str) -> Dirt:
    return Dirt(**_medium(name, content, reason, *sanitised))


def _text(given: str, **ends: Any) -> Dirt:
    return Dirt({"text": given}, **ends)


def _label(label: str, **ends: Any) -> Dirt:
    return Dirt({"label": label}, **ends)


def _half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture("JPEG", exif=exif)


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("picture.png", picture())
    return file.getvalue()


PICKLE = pickle.dumps({"not": "a picture"})
PLAYLIST = b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n"

IMAGES = {
    "zero bytes": _file("empty.png", b"", "unreadable_image"),
    "truncated PNG": _file("cut.png", _half(picture()), "unreadable_image"),
    "truncated JPEG": _file("cut.jpg", _half(picture("JPEG")), "unreadable_image"),
    "truncated GIF": _file("cut.gif", _half(animation()), "unreadable_image"),
    "text named .png": _file("text.png", b"no picture", "unreadable_image"),
    "pickle named .png": _file("pickle.png", PICKLE, "unreadable_image"),
    "zip named .jpg": _file("zip.jpg", _zip(), "unreadable_image"),
    "HTML named .jpg": _file("page.jpg", b"<!doctype html><h1>404</h1>", "unreadable_image"),
    "SVG named .png": _file(
        "svg.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unreadable_image"
    ),
    "PostScript named .png": _file(
        "ps.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unreadable_image"
    ),
    "PNG named .jpg": _file("png.jpg", picture(), None, "image:extension"),
    "decompression bomb": _file(
        "bomb.png", encoded(Image.new("1", (30_000, 30_000))), "oversized_image"
    ),
    "too many pixels": _file(
        "wide.png", encoded(Image.new("1", (7_000, 7_000))), "oversized_image"
    ),
    "too many bytes": _file("heavy.png", picture() + bytes(200_001), "oversized_image"),
    "CMYK": _file("cmyk.jpg", picture("JPEG", "CMYK"), None, "image:mode_CMYK"),
    "16 bits": _file(
        "deep.png", encoded(Image.new("I;16", (8, 8), 40_000)), None, "image:mode_I;16"
    ),
    "palette": _file("palette.png", picture(mode="P"), None, "image:mode_P"),
    "floating-point levels without a number": _file(
        "floats.tiff", encoded(Image.new("F", (4, 4), float("nan")), "TIFF"), "unreadable_image"
    ),
    "animated GIF": _file("many.gif", animation(), None, "image:mode_P", "image:first_frame"),
    "animated PNG": _file("many.png", animation("PNG"), None, "image:first_frame"),
    "animated WebP": _file("many.webp", animation("WEBP"), None, "image:first_frame"),
    "EXIF rotation": _file("rotated.jpg", _rotated(), None, "image:upright"),
}

RECORDINGS = {
    "empty audio": _file("empty.wav", b"", "unreadable_audio"),
    "audio without samples": _file(
        "none.wav", sound(samples=np.zeros(0, np.float32)), "unreadable_audio"
    ),
    "truncated WAV": _file("cut.wav", _half(sound()), "unreadable_audio"),
    "truncated FLAC": _file("cut.flac", _half(sound("FLAC")), "unreadable_audio"),
    "truncated Ogg": _file("cut.ogg", _half(sound("OGG")), "unreadable_audio"),
    "truncated MP3": _file("cut.mp3", _half(sound("MP3")), "unreadable_audio"),
    "pickle named .wav": _file("pickle.wav", PICKLE, "unreadable_audio"),
    "audio of NaN": _file(
        "nan.wav",
        sound(samples=np.full(9, np.nan, np.float32), subtype="FLOAT"),
        "unreadable_audio",
    ),
    "an hour of silence in FLAC": _file(
        "hour.flac", sound("FLAC", np.zeros(3600 * 4000, np.float32)), "oversized_audio"
    ),
    "FLAC named .mp3": _file("flac.mp3", sound("FLAC"), None, "audio:extension"),
    "empty video": _file("empty.mp4", b"", "unreadable_video"),
    "truncated MP4": _file("cut.mp4", _half(video()), "unreadable_video"),
    "truncated WebM": _file("cut.webm", _half(video("webm", "libvpx")), "unreadable_video"),
    "play list named .mp4": _file("list.mp4", PLAYLIST, "unreadable_video"),
    "pickle named .mp4": _file("pickle.mp4", PICKLE, "unreadable_video"),
    "picture named .mp4": _file("picture.mp4", picture("JPEG"), "unreadable_video"),
    "long video": _file("long.mp4", video(num_frames=60), "oversized_video"),
    "WebM named .mp4": _file("webm.mp4", video("webm", "libvpx"), None, "video:extension"),
}

PATHS = {
    "path traversal": Dirt({"image": "../secret.png"}, reason="unsafe_path"),
    "traversal in the middle": Dirt({"image": "a/../../secret.png"}, reason="unsafe_path"),
    "traversal in Windows' spelling": Dirt({"image": "..\\secret.png"}, reason="unsafe_path"),
    "absolute path": Dirt({"audio": "/etc/passwd"}, reason="unsafe_path"),
    "absolute path in Windows' spelling": Dirt({"video": "C:\\a.mp4"}, reason="unsafe_path"),
    "link out of the folder": Dirt(
        {"image": "link.png"}, {"link.png": Path("../secret.png")}, "unsafe_path"
    ),
    "link to itself": Dirt({"image": "loop.png"}, {"loop.png": Path("loop.png")}, "missing_media"),
    "no such file": Dirt({"image": "nowhere.png"}, reason="missing_media"),
    "folder instead of a file": Dirt({"image": "."}, reason="missing_media"),
}

TEXTS = {
    "empty text, nothing else": _text("", reason="empty_text"),
    "invisible text, nothing else": _text("\u200b\ufeff ", reason="empty_text"),
    "empty text beside a picture": Dirt({"text": "", "image": "a.png"}, {"a.png": picture()}),
    "invisible text beside a picture": Dirt(
        {"text": "\u200b", "image": "a.png"}, {"a.png": picture()}, sanitised=("text:empty",)
    ),
    "empty text beside a table cell": Dirt({"text": "", "price": "1.5"}),
    "text of a megabyte": _text("long " * 200_000, reason="oversized_text"),
    "label of a megabyte": _label("x" * 1_000_000, reason="oversized_text"),
    "control characters": _text(
        "a\x07b\x1b[31mc", sanitised=("text:control_characters",), text="ab[31mc"
    ),
    "NUL": _text("a\0b", sanitised=("text:control_characters",), text="ab"),
    "CRLF in a text": _text("one\r\ntwo", sanitised=("text:control_characters",), text="one\ntwo"),
    "decomposed letters": _text("cafe\u0301", sanitised=("text:nfc",), text="caf\u00e9"),
    "right-to-left text": _text("\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627"),
    "emoji": _text("\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308"),
    "formula": _text("=cmd|' /C calc'!A0", findings=("text:formula",)),
    "formula behind a sign": _text("@SUM(1+9)*cmd|' /C calc'!A0", findings=("text:formula",)),
    "list item, negative number, name": _text("- -5 to @somebody (really)"),
    "HTML": _text("<script>alert(1)</script>", findings=("text:html",)),
    "HTML in a sentence": _text("so <b>bold</b>", findings=("text:html",)),
    "angle brackets that are no HTML": _text("a < b > c, List<String>, <unk>, I <3 you"),
    "e-mail address": _text("to jo@example.com", sanitised=("text:email",), text="to [EMAIL]"),
    "too few cells": Dirt(b"bad,words", reason="malformed_row"),
    "too many cells": Dirt(b"bad,words,,,,,x,y", reason="malformed_row"),
    "control characters in a table cell": Dirt(
        {"price": "1.5\0"}, sanitised=("tabular:control_characters",)
    ),
    "e-mail address in a table cell": Dirt({"price": "ask a@b.de"}, sanitised=("tabular:email",)),
}

LABELS = {
    "stray spaces": _label("  x\t", sanitised=("label:whitespace",)),
    "empty label": _label("", reason="unknown_label"),
    "blank label": _label(" \u00a0", reason="unknown_label"),
    **{
        f"label {name}": _label(name, reason="unknown_label")
        for name in ("nan", "NaN", "NULL", "N/A", "#N/A", "<NA>")
    },
    "class too small to split": _label("seldom", reason="rare_label"),
    "duplicate id": Dirt({"id": "good0"}, reason="duplicate_id"),
    "duplicate id with stray spaces": Dirt({"id": " good0 "}, reason="duplicate_id"),
    "empty id": Dirt({"id": ""}, reason="malformed_row"),
}
DIRT = {**IMAGES, **RECORDINGS, **PATHS, **TEXTS, **LABELS}


def _line(cells: dict[str, str]) -> bytes:
    file = io.StringIO()
    csv.DictWriter(file, COLUMNS, restval="", lineterminator="", quoting=csv.QUOTE_ALL).writerow(
        cells
    )
    return file.getvalue().encode()


def _good(number: int) -> dict[str, str]:
    return {"id": f"good{number}", "text": f"good words {number}", "label": "x"}


def _lay_out(raw: Path, dirt: Dirt, number: int) -> bytes:
    """Write the files of a kind; return its line."""
    for name, content in dirt.files.items():
        path = raw / name
        if isinstance(content, Path):
            path.symlink_to(content)
        else:
            path.write_bytes(content)
    if isinstance(dirt.row, bytes):
        return dirt.row
    return _line({"id": f"bad{number}", "text": f"bad words {number}", "label": "x"} | dirt.row)


@dataclass(frozen=True)
class Ingested:
    metrics: dict[str, Any]
    kept: dict[int, dict[str, Any]]
    refused: dict[int, dict[str, Any]]


@pytest.fixture
def ingest(build_params: Build, tmp_path: Path) -> Callable[..., Ingested]:
    """Ingest the lines of a CSV file; rows by their position."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (tmp_path / "secret.png").write_bytes(picture())

    def run(lines: list[bytes], start: bytes = b"", end: bytes = b"\n") -> Ingested:
        header = ",".join(COLUMNS).encode()
        (raw / "rows.csv").write_bytes(start + end.join([header, *lines]) + end)
        mapped = {name: name for name in COLUMNS if name != "price"} | {"tabular": ["price"]}
        params = build_params(
            source="manifest",
            manifest={"path": str(raw / "rows.csv"), "columns": mapped},
            limits={"max_image_bytes": 200_000, "max_video_seconds": 2.0},
            max_quarantined_share=1.0,
        )
        metrics = ingest_examples(params, tmp_path / "e", tmp_path / "q", raw=raw)
        kept = read_table(tmp_path / "e", EXAMPLES, "examples").to_pylist()
        refused = read_table(tmp_path / "q", QUARANTINE, "quarantine").to_pylist()
        assert metrics["rows_in"] == len(lines) == len(kept) + len(refused)
        assert (metrics["rows_kept"], metrics["rows_quarantined"]) == (len(kept), len(refused))
        by_row = [{row["source_row"]: row for row in rows} for rows in (kept, refused)]
        return Ingested(metrics, *by_row)

    return run


GOOD = [_line(_good(number)) for number in range(NUM_GOOD)]


def _check(dirt: Dirt, kept: dict[str, Any] | None, refused: dict[str, Any] | None) -> None:
    if dirt.reason is None:
        assert kept is not None, refused
        assert tuple(kept["sanitised"]) == dirt.sanitised
        # Pictures made for a test are often of one colour.
        findings = [
            name
            for name in kept["findings"]
            if name not in ("image:constant", "audio:silent", "video:constant")
        ]
        assert tuple(findings) == dirt.findings
        assert dirt.text in (None, kept["text"])
    else:
        assert refused is not None, kept
        assert refused["reason"] == dirt.reason
        assert refused["detail"].endswith(".")
        assert json.loads(refused["raw"])


@pytest.mark.parametrize("kind", DIRT)
def test_each_kind_ends_as_stated(
    ingest: Callable[..., Ingested], tmp_path: Path, kind: str
) -> None:
    dirt = DIRT[kind]
    found = ingest([*GOOD, _lay_out(tmp_path / "raw", dirt, 0)])
    _check(dirt, found.kept.get(NUM_GOOD), found.refused.get(NUM_GOOD))
    assert all(found.kept[row]["sanitised"] == [] for row in range(NUM_GOOD))
    expected = {} if dirt.reason is None else {dirt.reason: 1}
    assert {reason: n for reason, n in found.metrics["quarantined"].items() if n} == expected


def test_all_kinds_together(ingest: Callable[..., Ingested], tmp_path: Path) -> None:
    """None of them stops the run or changes what becomes of another."""
    lines = [_lay_out(tmp_path / "raw", dirt, n) for n, dirt in enumerate(_apart())]
    found = ingest([*GOOD, *lines])
    assert set(range(NUM_GOOD)) <= set(found.kept)
    for row, dirt in enumerate(_apart(), NUM_GOOD):
        _check(dirt, found.kept.get(row), found.refused.get(row))


def _apart() -> list[Dirt]:
    """All kinds, those with files in folders of their own."""
    return [dirt for dirt in DIRT.values() if not {"a.png"} & set(dirt.files)]


def test_byte_order_mark_and_carriage_returns_are_no_dirt(
    ingest: Callable[..., Ingested],
) -> None:
    found = ingest(GOOD, start=b"\xef\xbb\xbf", end=b"\r\n")
    assert [row["example_id"] for row in found.kept.values()] == [
        "good0",
        "good1",
        "good2",
        "good3",
    ]
    assert not any(row["sanitised"] for row in found.kept.values())


def test_raw_values_tell_what_the_source_held(
    ingest: Callable[..., Ingested], tmp_path: Path
) -> None:
    """Long values are cut, personal data is masked."""
    bad = {"id": "bad", "text": "mail jo@example.com " + "x" * 30_000, "label": "x"}
    raw = json.loads(ingest([*GOOD, _line(bad)]).refused[NUM_GOOD]["raw"])
    assert raw["id"] == "bad"
    assert raw["text"].startswith("mail [EMAIL] xxx")
    assert raw["text"].endswith("… (30020 characters)")
    assert len(raw["text"]) < 600
