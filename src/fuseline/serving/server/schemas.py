"""Bodies of requests and answers, typed: they are checked by these classes, and the
description of the routes shows them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fuseline.serving.contract import Certainty
from fuseline.serving.server.rejected import Rejected

Scalar = str | int | float | bool | None
# fmt: off
DataType = Literal[
    "BOOL", "BYTES", "FP16", "FP32", "FP64",
    "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64",
]
# fmt: on


class Body(BaseModel):
    """Names that are not known are refused: a misspelt one would be a missing value."""

    model_config = ConfigDict(extra="forbid")


class Medium(Body):
    """A picture, a sound or a video."""

    base64: Annotated[str, Field(description="The file's bytes in base64.")]
    name: Annotated[
        str | None, Field(max_length=255, description="The file's name, if it has one.")
    ] = None


class Row(Body):
    """What is known of one thing; every part may be absent, as in training."""

    id: Annotated[str | None, Field(max_length=1024, description="Comes back with the answer.")] = (
        None
    )
    text: Annotated[
        str | Annotated[list[str], Field(max_length=64)] | None,
        Field(description="Several in the order of the columns that the model was trained on."),
    ] = None
    image: Annotated[
        Medium | Annotated[list[Medium | None], Field(max_length=16)] | None,
        Field(description="Several by their places."),
    ] = None
    audio: Medium | None = None
    video: Medium | None = None
    cells: Annotated[
        dict[str, Scalar] | None,
        Field(max_length=1024, description="Values of table columns, by the columns' names."),
    ] = None


class PredictRequest(Body):
    """Rows to answer."""

    rows: Annotated[list[Row], Field(min_length=1)]
    probabilities: Annotated[bool, Field(description="Give those of every label.")] = False
    neighbours: Annotated[bool, Field(description="Give the nearest training rows.")] = False


class ChatRequest(Body):
    """A message."""

    message: Annotated[str, Field(min_length=1, description="What somebody says.")]
    session: Annotated[
        str | None,
        Field(max_length=128, description="As the first reply named it; none to begin."),
    ] = None


class IntentRequest(Body):
    """An intent, and sentences that mean it."""

    intent: Annotated[str, Field(min_length=1, max_length=100)]
    sentences: Annotated[list[str], Field(min_length=1, max_length=1000)]


File = Annotated[str, Field(json_schema_extra={"format": "binary"})]


class PredictForm(BaseModel):
    """One row as a form; `text`, `image` and `cell` may stand several times."""

    id: str | None = None
    text: list[str] = []
    image: list[File] = []
    audio: File | None = None
    video: File | None = None
    cell: Annotated[list[str], Field(description="COLUMN=VALUE")] = []
    probabilities: bool = False
    neighbours: bool = False


class RefusedRow(BaseModel):
    """Why a row has no answer."""

    reason: Annotated[str, Field(description="A code of the quarantine.")]
    detail: str


class RowAnswer(BaseModel):
    """The columns of an answer, as `fuseline predict` gives them, or `refused`."""

    model_config = ConfigDict(extra="allow")

    row: Annotated[int, Field(description="Place in the request.")]
    id: str | None
    refused: RefusedRow | None = None
    sanitised: Annotated[
        list[str] | None, Field(description="What was changed, as in training.")
    ] = None


class OriginFacts(BaseModel):
    """SHA-256 of what the model was made of, and which of the two it is."""

    model: str
    weights: str
    examples: str
    params: str


class PredictResponse(BaseModel):
    """Answers in the order of the rows."""

    answers: list[RowAnswer]
    origin: OriginFacts


class SourceFacts(BaseModel):
    """An entry of the knowledge that a reply quotes."""

    source: Annotated[str, Field(description="As it is named to people.")]
    question: str
    row: Annotated[int, Field(description="Of the knowledge file, from 1.")]
    evidence: Annotated[float, Field(description="Above 1 it answers.")]


class ChoiceFacts(BaseModel):
    """An intent that is asked back for, and how people read it."""

    intent: str
    name: str


class ChatResponse(BaseModel):
    """What is said to a message."""

    session: Annotated[str, Field(description="Send it with the next message. Keep it secret.")]
    kind: Literal["answer", "ask", "unsure", "hand_over", "refused"]
    text: str
    by: Literal["template", "knowledge", "small_talk"] | None
    intent: str | None
    confidence: Annotated[float | None, Field(description="Calibrated probability of it.")]
    in_scope: bool | None
    sources: list[SourceFacts]
    choices: list[ChoiceFacts]
    reason: Annotated[
        Literal["wish", "complaint", "intent", "nothing_found", "unsure"] | None,
        Field(description="Of a hand-over."),
    ]


class IntentFacts(BaseModel):
    """An intent that was added without training."""

    intent: str
    sentences: Annotated[int, Field(description="How many it was added from.")]


class Failure(BaseModel):
    """Why there is no answer, and what to mend."""

    error: str


class TaskFacts(BaseModel):
    """What a task answers; the columns of the first one's answers have no prefix."""

    name: str
    kind: str
    labels: list[str]


class FieldFacts(BaseModel):
    """One thing that a row may hold; texts and pictures of one kind by their places."""

    kind: Literal["text", "image", "audio", "video", "cell"]
    name: Annotated[str | None, Field(description="Of its column, if it has one.")] = None
    values: Annotated[
        Literal["number", "date", "time", "category"] | None, Field(description="Of a cell.")
    ] = None
    choices: Annotated[list[str] | None, Field(description="Of a category, commonest first.")] = (
        None
    )
    range: Annotated[
        tuple[float, float] | None, Field(description="Least and largest number of training.")
    ] = None


class Sample(BaseModel):
    """A row to try, and the label that it has in the data."""

    label: str | None
    row: Row


class ModelFacts(BaseModel):
    """The model that answers."""

    name: str
    format: Literal["onnx", "int8"]
    modalities: list[str]
    cells: list[str]
    fields: Annotated[list[FieldFacts], Field(description="Of a row.")]
    tasks: list[TaskFacts]
    columns: Annotated[list[str], Field(description="Of an answer that asks for everything.")]
    certainty: Certainty | None
    origin: OriginFacts
    max_rows: int
    max_body_bytes: int
    limits: Annotated[dict[str, float], Field(description="Of one row, as in training.")]
    card: Annotated[str, Field(description="The model card, in Markdown.")]
    converses: Annotated[bool, Field(description="Whether /v1/chat answers.")]
    recommends: Annotated[bool, Field(description="Whether /v1/recommend answers.")]


Id = Annotated[str, Field(min_length=1, max_length=1024)]


class EventBody(Body):
    """One thing that somebody used."""

    item: Annotated[Id, Field(description="Its `example_id`.")]
    time: Annotated[
        int | float | Annotated[str, Field(max_length=64)] | None,
        Field(description="Seconds since 1970, or ISO 8601; if absent, the export's time."),
    ] = None


class RecommendRequest(Body):
    """Who a list is for: `user` or `history`."""

    user: Annotated[Id | None, Field(description="Somebody whose events are known.")] = None
    history: Annotated[
        Annotated[list[Id | EventBody], Field(max_length=1000)] | None,
        Field(description="Ids of items, the oldest first, with times or not; empty: somebody new"),
    ] = None
    count: Annotated[int, Field(ge=1, le=100, description="Items at most.")] = 10
    where: Annotated[
        list[Annotated[str, Field(max_length=256)]],
        Field(max_length=16, description="Such as `genre=Drama` or `year>=2010`; all must hold."),
    ] = []
    diversity: Annotated[
        float, Field(ge=0, le=1, description="0: by score alone; 1: as different as can be.")
    ] = 0.0
    include_seen: Annotated[bool, Field(description="List items of the history too.")] = False


class ItemFacts(BaseModel):
    """An item; /v1/thumbnail has its small picture."""

    id: str
    text: str | None


class EventFacts(ItemFacts):
    """An event of a history; its time in seconds since 1970."""

    time: int


class PartFacts(BaseModel):
    """What something adds to a score, and its share of what all parts add without their signs."""

    adds: float
    share: float


class SpokeFacts(ItemFacts, PartFacts):
    """What an item of the history adds."""


class WhyFacts(BaseModel):
    """A score taken apart: history, others, constant and popularity add up to it."""

    history: Annotated[list[SpokeFacts], Field(description="Those that added most.")]
    others: Annotated[PartFacts, Field(description="The history's other items.")]
    constant: Annotated[PartFacts, Field(description="For whoever asks, by the item's content.")]
    popularity: Annotated[PartFacts, Field(description="How much it is asked for, and the trend.")]
    modalities: Annotated[
        dict[str, PartFacts],
        Field(description="If the item had this modality alone; shares are among these."),
    ]


class RecommendedFacts(ItemFacts):
    """An item of a list."""

    score: float
    rank: int
    why: WhyFacts


class RecommendResponse(BaseModel):
    """A list, and the history that it is of."""

    basis: Annotated[
        Literal["history", "popularity"], Field(description="`popularity`: the history is empty.")
    ]
    items: list[RecommendedFacts]
    history: Annotated[list[EventFacts], Field(description="The last 50 events, newest first.")]
    num_events: Annotated[int, Field(description="Of the whole history.")]
    unknown: Annotated[list[str], Field(description="Ids that are of no item, left out.")]


class Tensor(Body):
    """An input of the Open Inference Protocol: one value a row.

    `text` and `id` are texts, `image`, `audio` and `video` base64, each as BYTES;
    `cells.COLUMN` is a value of a table column, of any type.
    """

    name: str
    shape: Annotated[list[int], Field(min_length=1, max_length=2)]
    datatype: DataType
    data: list[Scalar | Annotated[list[Scalar], Field(max_length=1)]]
    parameters: dict[str, Any] | None = None


class WantedOutput(Body):
    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(Body):
    """A request of the Open Inference Protocol."""

    id: str | None = None
    inputs: Annotated[list[Tensor], Field(min_length=1, max_length=1024)]
    outputs: Annotated[list[WantedOutput], Field(max_length=1024)] | None = None
    parameters: dict[str, Any] | None = None


class OutputTensor(BaseModel):
    name: str
    shape: list[int]
    datatype: str
    data: list[Scalar]


class InferResponse(BaseModel):
    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[OutputTensor]


def check_rows(found: int, most: int) -> None:
    """Refuse too many rows.

    Raises:
        Rejected: there are more.
    """
    if found > most:
        raise Rejected(
            413,
            f"rows: expected at most {most} in a request, found {found}. Send several requests.",
        )
