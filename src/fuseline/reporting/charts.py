"""The report's charts of rows: how many are right, sure, or stand under attack."""

from __future__ import annotations

import altair as alt

from fuseline.reporting.drawing import PALETTE, Row, in_order, inline, lines_sized, sized, svg

# Above so many classes a cell is too small for its count.
MAX_COUNTED_CLASSES = 20


def confusion_chart(labels: list[str], matrix: list[list[int]]) -> str:
    """Heat map of counts; the shade is the share of the actual class."""
    rows = [
        {
            "actual": actual,
            "predicted": predicted,
            "count": count,
            "share": count / max(sum(row), 1),
        }
        for actual, row in zip(labels, matrix, strict=True)
        for predicted, count in zip(labels, row, strict=True)
    ]
    side = 24 if len(labels) <= MAX_COUNTED_CLASSES else 10
    chart = alt.Chart(inline(rows)).encode(
        x=alt.X("predicted:N", title="predicted", sort=labels, axis=alt.Axis(labelAngle=-50)),
        y=alt.Y("actual:N", title="actual", sort=labels),
    )
    cells = chart.mark_rect(fill=PALETTE[0]).encode(
        opacity=alt.Opacity("share:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0.04, 1]))
    )
    counts = (
        chart.transform_filter("datum.count > 0")
        .mark_text(fontSize=10)
        .encode(
            text="count:Q",
            # White on the dark cells of either theme; elsewhere the page's own colour.
            fill=alt.condition("datum.share > 0.5", alt.value("white"), alt.value("currentColor")),
        )
    )
    layers = cells + counts if len(labels) <= MAX_COUNTED_CLASSES else cells
    right = sum(matrix[place][place] for place in range(len(labels)))
    return svg(
        layers.properties(width=alt.Step(side), height=alt.Step(side)),
        f"Heat map of {len(labels)} actual by predicted labels:"
        f" {right} of {sum(map(sum, matrix))} rows lie on the diagonal.",
    )


def history_chart(rows: list[Row], title: str) -> str:
    """One line per `series` over epochs.

    Args:
        rows: `epoch`, `series`, `value`.
        title: of the vertical axis.
    """
    epochs = sorted({row["epoch"] for row in rows})
    chart = alt.Chart(inline(rows)).encode(
        x=alt.X("epoch:Q", axis=alt.Axis(values=epochs, format="d", grid=False)),
        y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
        color=alt.Color("series:N", title=None),
    )
    named = ", ".join(in_order(rows, "series"))
    return svg(sized(chart.mark_line(point={"size": 24})), f"{title} by epoch: {named}")


def robustness_chart(rows: list[Row], headline: str) -> str:
    """Accuracy of every model under attack over the scale of epsilon.

    Args:
        rows: `model`, `scale`, `robust_accuracy`, `fgm_robust_accuracy`.
        headline: what scale 1 stands for.
    """
    scales = sorted({row["scale"] for row in rows})
    chart = alt.Chart(inline(rows)).encode(
        x=alt.X(
            "scale:Q",
            title=["times epsilon", f"({headline})"],
            scale=alt.Scale(type="log", nice=False),
            axis=alt.Axis(values=scales, format="~g", grid=False),
        ),
        color=alt.Color("model:N", title=None, sort=in_order(rows, "model")),
    )
    share = alt.Scale(domain=[0, 1])
    accuracy = alt.Y("robust_accuracy:Q", title="accuracy under attack", scale=share)
    pgd = chart.mark_line(point={"size": 30}).encode(
        y=accuracy.axis(format="%"),
    )
    fgm = chart.mark_line(strokeDash=[4, 3], strokeWidth=1).encode(
        y=alt.Y("fgm_robust_accuracy:Q", scale=share)
    )
    return svg(
        sized(fgm + pgd), "Accuracy under attack by multiple of epsilon, which the table has too"
    )


def shots_chart(rows: list[Row], title: str) -> str:
    """One line per method over training rows a label, with bars of its spread.

    Args:
        rows: `method`, `shots`, `mean`, `low`, `high`.
        title: of the vertical axis.
    """
    methods = in_order(rows, "method")
    chart = alt.Chart(inline(rows)).encode(
        x=alt.X(
            "shots:O",
            title="training rows per label",
            scale=alt.Scale(type="point"),
            axis=alt.Axis(labelAngle=0),
        ),
        color=alt.Color("method:N", title=None, sort=methods),
        # Side by side, so that the bars of one column can be told apart.
        xOffset=alt.XOffset("method:N", sort=methods, scale=alt.Scale(range=[-9, 9])),
    )
    share = alt.Scale(zero=False)
    bars = chart.mark_rule(strokeWidth=1).encode(
        y=alt.Y("low:Q", title=title, scale=share, axis=alt.Axis(format="%")), y2="high:Q"
    )
    line = chart.mark_line(point={"size": 24}).encode(y=alt.Y("mean:Q", scale=share))
    named = ", ".join(methods)
    return svg(sized(bars + line), f"{title} by training rows per label, as in the table: {named}")


def reliability_chart(bins: list[Row]) -> str:
    """Accuracy over confidence of one model, a line per condition; a dot's area is the number of
    rows in its bin.

    Args:
        bins: `condition`, `count`, `confidence`, `accuracy`; empty ones are left out.
    """
    rows = [item for item in bins if item["count"] > 0]
    share = alt.Scale(domain=[0, 1])
    perfect = (
        alt.Chart(
            inline([{"confidence": 0.0, "accuracy": 0.0}, {"confidence": 1.0, "accuracy": 1.0}])
        )
        .mark_line(color="gray", strokeDash=[2, 3], strokeWidth=1)
        .encode(x="confidence:Q", y="accuracy:Q")
    )
    dots = alt.Chart(inline(rows)).encode(
        x=alt.X("confidence:Q", scale=share, axis=alt.Axis(format="%")),
        y=alt.Y("accuracy:Q", scale=share, axis=alt.Axis(format="%")),
        color=alt.Color("condition:N", title=None, sort=in_order(rows, "condition")),
    )
    areas = dots.mark_circle(opacity=0.75).encode(
        size=alt.Size("count:Q", legend=None, scale=alt.Scale(range=[20, 300]))
    )
    named = "; ".join(
        f"{row['condition']}: {row['count']} rows of confidence {row['confidence']:.2f} are right"
        f" in {row['accuracy']:.2f}"
        for row in rows
    )
    return svg(
        sized(perfect + dots.mark_line(strokeWidth=1) + areas), f"Accuracy by confidence. {named}"
    )


def selective_chart(rows: list[Row]) -> str:
    """Risk over coverage: one colour per model, dashed lines for what is under attack.

    Args:
        rows: `model`, `condition`, `coverage`, `risk`.
    """
    chart = alt.Chart(inline(rows)).encode(
        x=alt.X(
            "coverage:Q",
            title="rows answered, the surest first",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(format="%"),
        ),
        y=alt.Y("risk:Q", title="wrong among them", axis=alt.Axis(format="%")),
        color=alt.Color("model:N", title=None, sort=in_order(rows, "model")),
        strokeDash=alt.StrokeDash(
            "condition:N",
            legend=None,
            scale=alt.Scale(domain=["clean", "attack"], range=[[1, 0], [4, 3]]),
        ),
    )
    return svg(
        sized(chart.mark_line(strokeWidth=1.5)),
        "Share of wrong answers by share of rows answered, the surest first, of every model",
    )


def noise_chart(rows: list[Row], title: str) -> str:
    """Score of every model under each noise, a dot each.

    Args:
        rows: `model`, `noise`, `score`, a share; noises in the order of lines.
        title: of the score.
    """
    chart = alt.Chart(inline(rows)).encode(
        x=alt.X("score:Q", title=title, scale=alt.Scale(zero=False), axis=alt.Axis(format="%")),
        y=alt.Y("noise:N", title=None, sort=in_order(rows, "noise"), axis=alt.Axis(grid=True)),
        color=alt.Color("model:N", title=None, sort=in_order(rows, "model")),
    )
    return svg(
        sized(chart.mark_circle(size=60, opacity=0.85)),
        f"{title} of every model by noise on the text, as in the table",
    )


def answer_chart(rows: list[Row], measure: str) -> str:
    """Every model as it is and under what breaks it, a dot each with its interval.

    Args:
        rows: `model`, `condition`, `value`, `low`, `high`, shares; conditions in the order of
            lines.
        measure: what they are.
    """
    models, conditions = in_order(rows, "model"), in_order(rows, "condition")
    chart = alt.Chart(inline(rows)).encode(
        y=alt.Y("condition:N", title=None, sort=conditions, scale=alt.Scale(type="point")),
        # Below each other, so that the bars of one line can be told apart.
        yOffset=alt.YOffset("model:N", sort=models, scale=alt.Scale(range=[-5, 5])),
        color=alt.Color("model:N", title=None, sort=models),
    )
    share = alt.Scale(domain=[0, 1])
    axis = alt.Axis(format="%", grid=True)
    bars = chart.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=measure, scale=share, axis=axis), x2="high:Q"
    )
    dots = chart.mark_circle(size=70, opacity=1).encode(x=alt.X("value:Q", scale=share))
    said = "; ".join(
        f"{row['condition']}, {row['model']}: {100 * row['value']:.0f} %"
        f" ({100 * row['low']:.0f} to {100 * row['high']:.0f})"
        for row in rows
    )
    return svg(lines_sized(bars + dots, len(conditions)), f"{measure}. {said}")
