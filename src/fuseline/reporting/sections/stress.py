"""The report's section on inputs that go wrong: tables, a chart, and a sentence on the models'
difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from fuseline.reporting.charts import noise_chart

Figures = dict[str, Any]

MEDIA = {"image": "Corrupted pictures", "audio": "Corrupted recordings"}
STATES = {
    "present": "as they are",
    "missing": "missing",
    "swapped": "that of another row",
}
ALONE = " alone"
SCORES = {"max_softmax": "largest probability", "energy": "energy"}


@dataclass(frozen=True)
class Line:
    """Shares under one title, one per column; None where there is none."""

    title: str
    shares: list[float | None]


@dataclass(frozen=True)
class Group:
    """Lines that belong together."""

    title: str
    lines: list[Line]


@dataclass(frozen=True)
class StressTable:
    """One suite's shares.

    Attributes:
        title: of the table.
        stub: heads the titles of groups and of lines.
        columns: heads the shares.
        groups: of lines.
        rows: how many test rows it is of; None where groups differ and say so themselves.
    """

    title: str
    stub: tuple[str, str]
    columns: list[str]
    groups: list[Group]
    rows: int | None

    @property
    def has_alone(self) -> bool:
        """Whether it has scores of its modality alone."""
        return any(column.endswith(ALONE) for column in self.columns)


@dataclass(frozen=True)
class Difference:
    """Two models on the same clean rows.

    Attributes:
        models: their titles.
        right_alone: rows that each of them alone gets right.
        figures: of the suite `paired`.
    """

    models: tuple[str, str]
    right_alone: tuple[int, int]
    figures: Figures


@dataclass(frozen=True)
class StressSection:
    """What the section shows; suites that were not run or found no row have nothing here.

    Attributes:
        rows: test rows that the suites were given.
        score: figure of all tables of scores: `accuracy`, or of another task `right`.
        text, modalities, contradictory, out_of_distribution, transfer: a table each.
        media: the tables of corrupted pictures and recordings.
        chart: scores by noise on the text.
        other_rows: rows of another set.
        differences: of each pair of models.
    """

    rows: int
    score: str
    text: StressTable | None
    chart: Markup | None
    media: list[StressTable]
    modalities: StressTable | None
    contradictory: StressTable | None
    out_of_distribution: StressTable | None
    other_rows: int
    transfer: StressTable | None
    differences: list[Difference]

    @property
    def is_empty(self) -> bool:
        """Whether no suite has anything to show."""
        tables = (
            *(self.text, self.modalities, self.contradictory),
            *(self.out_of_distribution, self.transfer),
        )
        return not (any(tables) or self.media or self.differences)


def read_stress_section(metrics: Figures, titles: Mapping[str, str]) -> StressSection:
    """Gather the section.

    Args:
        metrics: of the stage `stress`.
        titles: of the models by name, in the order of columns.
    """
    score = "accuracy" if metrics["task"] == "classification" else "right"
    text = _by_title(metrics, "text", titles)
    modalities = _by_title(metrics, "modalities", titles)
    elsewhere = {
        title: found
        for title, found in _by_title(metrics, "out_of_distribution", titles).items()
        if found["rows"] and found["other_rows"]
    }
    media = {name: _by_title(metrics, name, titles) for name in MEDIA}
    return StressSection(
        rows=metrics["rows"],
        score=score,
        text=_text(text, score, metrics["rows"]) if text else None,
        chart=_chart(text, score) if text else None,
        media=[_media(name, of, score) for name, of in media.items() if _first(of).get("rows")],
        modalities=_modalities(modalities, score),
        contradictory=_contradictory(modalities),
        out_of_distribution=_out_of_distribution(elsewhere),
        other_rows=_first(elsewhere).get("other_rows", 0),
        transfer=_transfer(metrics.get("transfer", {}), titles),
        differences=_differences(metrics.get("paired", {}), titles),
    )


def _by_title(metrics: Figures, suite: str, titles: Mapping[str, str]) -> dict[str, Figures]:
    """A suite's figures by model title, without models that have none."""
    found = metrics.get(suite, {})
    return {title: found[name] for name, title in titles.items() if found.get(name)}


def _first(by_model: Mapping[str, Figures]) -> Figures:
    return next(iter(by_model.values()), {})


def _scores(points: Iterable[Figures], score: str) -> list[float | None]:
    """Of each model its score, and that of the modality alone where that was measured."""
    found: list[float | None] = []
    for point in points:
        found += [point[score], *([point["alone"][score]] if "alone" in point else [])]
    return found


def _score_columns(by_model: Mapping[str, Figures], alone: str) -> list[str]:
    """Heads of what `_scores` gives."""
    has_alone = "alone" in _first(by_model)["clean"]
    return [
        head for title in by_model for head in (title, *([f"{alone}{ALONE}"] if has_alone else []))
    ]


def _text(by_model: dict[str, Figures], score: str, rows: int) -> StressTable:
    """Noises in the order of the first model's figures, with the share of texts that it saw
    changed: synonyms are drawn from each model's own neighbours."""
    first, models = _first(by_model), by_model.values()
    groups = [
        Group("clean", [Line("", [None, *_scores((of["clean"] for of in models), score)])]),
        *(
            Group(
                _spelt(noise),
                [
                    Line(
                        f"{point['strength']:g}",
                        [
                            point["changed_share"],
                            *_scores((of[noise][place] for of in models), score),
                        ],
                    )
                    for place, point in enumerate(first[noise])
                ],
            )
            for noise in first
            if noise != "clean"
        ),
    ]
    columns = ["texts changed", *_score_columns(by_model, "text")]
    return StressTable("Noise on the text", ("noise", "strength"), columns, groups, rows)


def _chart(by_model: dict[str, Figures], score: str) -> Markup:
    """Of each noise at its greatest strength; the chart escapes its text."""
    rows = [
        {"model": title, "noise": _spelt(noise), "score": point[score]}
        for title, of in by_model.items()
        for noise in ("clean", *(name for name in of if name != "clean"))
        for point in [of[noise] if noise == "clean" else of[noise][-1]]
    ]
    return Markup(noise_chart(rows, score))


def _media(modality: str, by_model: dict[str, Figures], score: str) -> StressTable:
    first, models = _first(by_model), by_model.values()
    groups = [
        Group("clean", [Line("", _scores((of["clean"] for of in models), score))]),
        *(
            Group(
                _spelt(name),
                [
                    Line(
                        f"{point['severity']:g}",
                        _scores((of["corruptions"][name][place] for of in models), score),
                    )
                    for place, point in enumerate(points)
                ],
            )
            for name, points in first["corruptions"].items()
        ),
        Group("mean of all", [Line("", _scores((of["mean"] for of in models), score))]),
    ]
    columns = _score_columns(by_model, modality)
    return StressTable(MEDIA[modality], ("corruption", "severity"), columns, groups, first["rows"])


def _modalities(by_model: dict[str, Figures], score: str) -> StressTable | None:
    groups = [
        Group(
            f"{modality}, {figures['rows']} rows",
            [
                Line(title, [of[modality][state][score] for of in by_model.values()])
                for state, title in STATES.items()
            ],
        )
        for modality, figures in _first(by_model).items()
        if modality != "contradictory" and figures["rows"]
    ]
    if not groups:
        return None
    stub = ("rows with", "which is")
    return StressTable("Modalities gone or swapped", stub, list(by_model), groups, None)


def _contradictory(by_model: dict[str, Figures]) -> StressTable | None:
    pairs = _first(by_model).get("contradictory", {})
    groups = [
        Group(
            f"{_spelt(pair)}, {figures['rows']} rows",
            [
                Line(title, [of["contradictory"][pair][key] for of in by_model.values()])
                for key, title in _answers(pair).items()
            ],
        )
        for pair, figures in pairs.items()
        if figures["rows"]
    ]
    if not groups:
        return None
    return StressTable("Modalities at odds", ("", "answers"), list(by_model), groups, None)


def _answers(pair: str) -> dict[str, str]:
    """Figures of a pair of modalities at odds, and how they are called."""
    sides = pair.split("_against_")
    return {
        **{f"follows_{side}": f"the label of the {side}" for side in sides},
        "follows_neither": "neither",
        "right_when_they_agree": "right where both agree",
    }


def _out_of_distribution(by_model: dict[str, Figures]) -> StressTable | None:
    if not by_model:
        return None
    figures = {"auroc": "AUROC", "fpr_at_95_tpr": "FPR at 95 % TPR"}
    groups = [
        Group(
            called,
            [
                Line(name, [of[score][key] for of in by_model.values()])
                for key, name in figures.items()
            ],
        )
        for score, called in SCORES.items()
    ]
    rows = _first(by_model)["rows"]
    return StressTable("Rows of another set", ("told by", ""), list(by_model), groups, rows)


def _transfer(directions: Figures, titles: Mapping[str, str]) -> StressTable | None:
    groups = [
        Group(
            titles[source],
            [Line(titles[other], [found["fallen_at_source"], found["fallen_at_other"]])],
        )
        for source in titles
        for other in titles
        if (found := directions.get(f"{source}_to_{other}"))
    ]
    if not groups:
        return None
    rows = next(iter(directions.values()))["rows"]
    columns = ["fallen where found", "fallen at the other"]
    return StressTable("Transferred attacks", ("found on", "tried on"), columns, groups, rows)


def _differences(pairs: Figures, titles: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(
            (titles[one], titles[other]),
            (found[f"right_by_{one}_only"], found[f"right_by_{other}_only"]),
            found,
        )
        for one in titles
        for other in titles
        if (found := pairs.get(f"{one}_and_{other}"))
    ]


def _spelt(name: str) -> str:
    return name.replace("_", " ")
