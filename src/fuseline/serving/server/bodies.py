"""Bodies of requests to raw rows. Runs in a decoder: a body is what somebody else made."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from fuseline.data.sources import Media, RawRow
from fuseline.data.sources.cells import as_cell, is_broken
from fuseline.params.base import MEDIA
from fuseline.registry import suggestion
from fuseline.serving.contract import ExportContract
from fuseline.serving.rows import raw_row
from fuseline.serving.server.limits import Limits
from fuseline.serving.server.rejected import Rejected
from fuseline.serving.server.schemas import (
    InferRequest,
    Medium,
    PredictRequest,
    Row,
    Tensor,
    check_rows,
)

Kind = Literal["json", "form", "tensors"]
CELL_PREFIX = "cells."
FLAGS = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False, "": False}
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Job:
    """A body as it came."""

    kind: Kind
    content_type: str
    body: bytes


@dataclass(frozen=True)
class Asked:
    """What a body asks.

    Attributes:
        rows: raw, numbered from 0.
        outputs: names of tensors; None for all.
    """

    rows: list[RawRow]
    probabilities: bool = False
    neighbours: bool = False
    id: str | None = None
    outputs: tuple[str, ...] | None = None


class Reader:
    """Reads bodies for a model.

    Args:
        contract: of its export.
        limits: of a request.
    """

    def __init__(self, contract: ExportContract, limits: Limits) -> None:
        self.contract, self.limits = contract, limits
        self.cells = contract.cells

    def __call__(self, job: Job) -> Asked:
        """What a body asks.

        Raises:
            Rejected: it is not what its kind says.
        """
        asked = READERS[job.kind](self, job)
        for row in asked.rows:
            self._check(row)
        return asked

    def _check(self, row: RawRow) -> None:
        """Refuse what the model does not take: it would be passed over in silence."""
        given = {
            "text": row.text is not None,
            "image": bool(row.image or any(row.more_images)),
            "audio": row.audio is not None,
            "video": row.video is not None,
            "tabular": bool(row.tabular),
        }
        taken = self.contract.inputs
        for name in [name for name, there in given.items() if there and name not in taken]:
            shown = "cells" if name == "tabular" else name
            raise Rejected(
                422,
                f"rows.{row.source_row}.{shown}: the model takes"
                f" {', '.join(self.contract.modalities)}. Leave it out.",
            )
        for name in row.tabular or {}:
            if name not in self.cells:
                raise Rejected(
                    422,
                    f"rows.{row.source_row}.cells: the model has the columns"
                    f" {', '.join(self.cells)}; found another.{suggestion(name, self.cells)}",
                )


def read_json(reader: Reader, job: Job) -> Asked:
    """Rows of `PredictRequest`."""
    asked = validated(PredictRequest, job.body)
    check_rows(len(asked.rows), reader.limits.rows)
    rows = [_row(number, row) for number, row in enumerate(asked.rows)]
    return Asked(rows, asked.probabilities, asked.neighbours)


def validated(model: type[Model], body: bytes) -> Model:
    """A JSON body as its class has it.

    Raises:
        Rejected: it is no such body.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    # Out of the handler: what it holds may weigh much.
    if first["type"] == "json_invalid":
        raise Rejected(400, f"body: not JSON ({first['msg']}). See /openapi.json.")
    where = ".".join(str(part) for part in first["loc"]) or "body"
    raise Rejected(422, f"{where}: {first['msg']}. See /openapi.json.")


def _row(number: int, row: Row) -> RawRow:
    texts = [row.text] if isinstance(row.text, str) else row.text or []
    images = row.image if isinstance(row.image, list) else [row.image]
    where = f"rows.{number}"
    pictures = [_medium(f"{where}.image", one) for one in images]
    return raw_row(
        number,
        text=texts,
        media={
            "image": pictures,
            "audio": [_medium(f"{where}.audio", row.audio)],
            "video": [_medium(f"{where}.video", row.video)],
        },
        cells={name: as_cell(value) for name, value in (row.cells or {}).items()},
        name=row.id,
    )


def _medium(where: str, medium: Medium | None) -> Media | None:
    if medium is None:
        return None
    return Media(_bytes(where, medium.base64), medium.name)


def _bytes(where: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Rejected(
            422, f"{where}: not base64. Encode the file's bytes by RFC 4648, in one line."
        ) from None


def read_form(reader: Reader, job: Job) -> Asked:
    """The row of a multipart form."""
    form = asyncio.run(_parsed(job, reader.limits))
    known = ("id", "text", "image", "audio", "video", "cell", "probabilities", "neighbours")
    for name in form:
        if name not in known:
            raise Rejected(
                422,
                f"form: expected the fields {', '.join(known)}; found another."
                f"{suggestion(name, list(known))}",
            )
    row = raw_row(
        0,
        text=_texts(form, "text"),
        media={kind: _files(form, kind) for kind in MEDIA},
        cells=dict(_cell(given) for given in _texts(form, "cell")),
        name=next(iter(_texts(form, "id")), None),
    )
    return Asked([row], _flag(form, "probabilities"), _flag(form, "neighbours"))


async def _parsed(job: Job, limits: Limits) -> FormData:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield job.body

    parser = MultiPartParser(
        Headers({"content-type": job.content_type}),
        stream(),
        max_files=limits.files,
        max_fields=limits.fields,
        max_part_size=limits.body_bytes,
    )
    # In memory: it is there already.
    parser.spool_max_size = limits.body_bytes
    try:
        return await parser.parse()
    except (MultiPartException, KeyError, ValueError, UnicodeDecodeError) as error:
        said = error.message if isinstance(error, MultiPartException) else "not a multipart form"
        raise Rejected(
            400, f"body: {said.rstrip('.')}. Send it as multipart/form-data with its boundary."
        ) from None


def _texts(form: FormData, name: str) -> list[str]:
    return [
        value if isinstance(value, str) else value.file.read().decode("utf-8", "replace")
        for value in form.getlist(name)
    ]


def _files(form: FormData, name: str) -> list[Media | None]:
    """Files of a field; None in the place of one that was not chosen, as browsers send it."""
    found: list[Media | None] = []
    for value in form.getlist(name):
        if not isinstance(value, UploadFile):
            raise Rejected(
                422, f"form: {name}: expected a file, found a text. Send it as {name}=@FILE."
            )
        if value.filename and is_broken(value.filename):
            raise Rejected(422, f"form: {name}: the file's name is not UTF-8. Rename it.")
        content = value.file.read()
        chosen = content or value.filename
        found.append(Media(content, value.filename or None) if chosen else None)
    return found


def _cell(given: str) -> tuple[str, str | None]:
    name, parted, value = given.partition("=")
    if not parted or not name:
        raise Rejected(422, "form: cell: expected COLUMN=VALUE.")
    return name, as_cell(value)


def _flag(form: FormData, name: str) -> bool:
    given = next(iter(_texts(form, name)), "").lower()
    if given not in FLAGS:
        raise Rejected(422, f"form: {name}: expected true or false.")
    return FLAGS[given]


def read_tensors(reader: Reader, job: Job) -> Asked:
    """Rows of `InferRequest`."""
    asked = validated(InferRequest, job.body)
    count = asked.inputs[0].shape[0]
    check_rows(count, reader.limits.rows)
    columns = {tensor.name: _values(tensor, count) for tensor in asked.inputs}
    if count < 1 or len(columns) < len(asked.inputs):
        raise Rejected(422, "inputs: expected one row or more, and each name once.")
    known = ["id", "text", "image", "audio", "video"]
    for name in columns:
        if name not in known and not name.startswith(CELL_PREFIX):
            raise Rejected(
                422,
                f"inputs: expected {', '.join(known)} or {CELL_PREFIX}COLUMN; found another."
                f"{suggestion(name, known)}",
            )
    outputs = None if asked.outputs is None else tuple(one.name for one in asked.outputs)
    rows = [_tensor_row(number, columns) for number in range(count)]
    return Asked(rows, probabilities=True, neighbours=True, id=asked.id, outputs=outputs)


def _values(tensor: Tensor, count: int) -> list[Any]:
    if tensor.shape not in ([count], [count, 1]) or len(tensor.data) != count:
        raise Rejected(
            422, f"inputs: expected {count} values in each input, of the shape [{count}]."
        )
    return [value[0] if isinstance(value, list) and value else value for value in tensor.data]


def _tensor_row(number: int, columns: Mapping[str, list[Any]]) -> RawRow:
    def text(name: str) -> str | None:
        value = columns[name][number] if name in columns else None
        if value is None or isinstance(value, str):
            return value
        raise Rejected(422, f"inputs: {name}: expected texts.")

    def medium(name: str) -> Media | None:
        given = text(name)
        return Media(_bytes(f"inputs: {name}", given), None) if given else None

    cells = {
        name.removeprefix(CELL_PREFIX): _scalar(name, values[number])
        for name, values in columns.items()
        if name.startswith(CELL_PREFIX)
    }
    given = text("text")
    return raw_row(
        number,
        text=[] if given is None else [given],
        media={kind: [medium(kind)] for kind in MEDIA},
        cells=cells,
        name=text("id"),
    )


def _scalar(name: str, value: Any) -> str | None:
    if isinstance(value, list):
        raise Rejected(422, f"inputs: {name}: expected one value a row.")
    cell: str | None = as_cell(value)
    return cell


READERS: dict[str, Callable[[Reader, Job], Asked]] = {
    "json": read_json,
    "form": read_form,
    "tensors": read_tensors,
}
