"""What is watched and when an alarm is raised: `monitor.yaml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from fuseline.config import Section, parse_section, read_yaml
from fuseline.errors import ConfigError
from fuseline.params.base import Share
from fuseline.serving.webhook import WebhookParams

# At most a year, so that a window's ends are dates.
Seconds = Annotated[int, Field(ge=1, le=31_536_000)]
Names = Annotated[list[str], Field(min_length=1)]


class FieldNames(Section):
    """What the fields of a line are called. `label` and `topic` may be absent from lines: the model
    answers then, and the topic is found by words."""

    time: str
    id: str
    text: str
    label: str
    topic: str
    in_scope: str


class MonitorSettings(Section):
    """All of it.

    Attributes:
        fields: names of the fields of a line.
        negative: labels that count.
        topics: words that a text of the topic has, by topic; the first topic that has one counts.
            An empty list where the topic is only ever given, or answered by the model.
        window_seconds: of event time.
        late_seconds: that a window waits for late rows.
        reference_windows: of a topic, from which its baseline is taken before it can alarm.
        run_length_windows: average windows between false alarms, of all topics together.
        guard: how sure that is to be, the baseline being an estimate; 0.5 takes it for the truth.
        surge: points of the share of negatives that are to be seen soon, in [0, 1].
        copy_similarity: of two texts of one story, Jaccard of character shingles; 1.0 for equal
            texts only.
        short_pieces_share: of a text's word pieces, unknown or of one or two letters within a word;
            above it the text counts as strange.
        refresh_seconds: between two looks at what the source has, and of the page.
        webhook: that alarms are posted to; null for none.
    """

    fields: FieldNames
    negative: Names
    topics: Annotated[dict[str, list[str]], Field(min_length=1)]
    window_seconds: Seconds
    late_seconds: Annotated[int, Field(ge=0)]
    reference_windows: Annotated[int, Field(ge=5)]
    run_length_windows: Annotated[int, Field(ge=1, le=10**9)]
    guard: Annotated[float, Field(ge=0.5, lt=1.0)]
    surge: Annotated[float, Field(gt=0.0, lt=1.0)]
    copy_similarity: Annotated[float, Field(ge=0.5, le=1.0)]
    short_pieces_share: Share
    refresh_seconds: Annotated[int, Field(ge=1, le=3600)]
    webhook: WebhookParams | None

    @field_validator("topics")
    @classmethod
    def _words_are_words(cls, topics: dict[str, list[str]]) -> dict[str, list[str]]:
        for name, words in topics.items():
            for word in words:
                if not re.search(r"\w", word):
                    raise ValueError(f"words of {name} hold {word!r}, which has no letter")
        return topics

    @model_validator(mode="after")
    def _other_is_free(self) -> MonitorSettings:
        if OTHER in self.topics:
            raise ValueError(f"topics may have none called {OTHER}: rows of no topic are that")
        return self

    @property
    def streams(self) -> list[str]:
        """All topics, that of rows of none of them last."""
        return [*self.topics, OTHER]

    def parts(self) -> dict[str, Any]:
        """What alarms hang on, without where they go."""
        return self.model_dump(exclude={"webhook", "refresh_seconds"})


# The topic of rows of no other.
OTHER = "other"


def read_settings(path: Path) -> MonitorSettings:
    """Read a file of settings.

    Raises:
        ConfigError: it is missing, or a key is wrong.
    """
    if not path.is_file():
        raise ConfigError(
            f"{path}: expected a file of settings, found none. `fuseline init --recipe mood` puts"
            " monitor.yaml at a project's root; name one elsewhere with --settings."
        )
    return parse_section({"monitor": read_yaml(path)}, "monitor", MonitorSettings, path)
