import numpy as np
import pytest

from fuseline.serving.answers.base import Answered
from fuseline.serving.answers.entities import EntityAnswer, Span, moved, spans
from fuseline.serving.contract import ExportedTask

TAGS = ["B-person", "B-place", "I-person", "I-place", "O"]


@pytest.mark.parametrize(
    ("text", "tags", "expected"),
    [
        ("", {}, []),
        ("Ada left", {0: "B-person", 1: "O"}, [Span("person", 0, 3)]),
        ("Ada  King left", {0: "B-person", 1: "I-person"}, [Span("person", 0, 9)]),
        ("Ada Rome", {0: "B-person", 1: "B-place"}, [Span("person", 0, 3), Span("place", 4, 8)]),
        # An inside without a beginning, or of another type, begins one.
        ("in Rome", {1: "I-place"}, [Span("place", 3, 7)]),
        ("Ada Rome", {0: "B-person", 1: "I-place"}, [Span("person", 0, 3), Span("place", 4, 8)]),
        # Tags without a scheme are each an entity.
        ("ant bee", {0: "X", 1: "O"}, [Span("X", 0, 3)]),
    ],
)
def test_spans(text, tags, expected):
    assert list(spans(text, tags)) == expected


def test_places_are_those_of_the_text_as_it_was_given():
    given = "  caf\u0065\u0301  ada@example.org met Ada"
    clean = "caf\u00e9  <EMAIL> met Ada"
    start = clean.index("Ada")
    assert given[moved(clean, given, start) : moved(clean, given, start + 3)] == "Ada"
    assert moved("same", "same", 2) == 2


def test_entities_of_rows():
    task = ExportedTask(
        name="tags",
        kind="token_classification",
        facts={"labels": TAGS},
        output="task_0",
        by_modality={},
    )
    logits = np.eye(5, dtype=np.float32)[[4, 0, 2, 4, 4]]
    rows = Answered(
        records=[{"text": "Ada King left"}],
        given=[" Ada King left"],
        outputs={"task_0": [logits]},
        present={"text": np.array([True])},
        offsets=[[(0, 0), (0, 3), (4, 8), (9, 13), (0, 0)]],
    )
    found = EntityAnswer(task, None, with_all=False).columns(rows)
    assert found == {"entities": [[{"type": "person", "start": 1, "end": 9, "text": "Ada King"}]]}
