"""What there is to learn: several names, truth values, rare and missing labels."""

from __future__ import annotations

from pathlib import Path

from benchmarks.small_sets.material import (
    Row,
    SmallSet,
    all_intents,
    emoji,
    json_lines,
    messages,
    number,
    parquet,
    table,
)

_TOPICS = ("card", "money", "account", "abroad", "limit")


def _topics(row: int) -> list[str]:
    return sorted(number("topics", row).sample(_TOPICS, 1 + row % 3))


def _several(separator: str, name: str) -> list[Row]:
    return [
        {"text": text, name: separator.join(_topics(row))}
        for row, (text, _) in enumerate(messages())
    ]


def bars(folder: Path) -> Path:
    return table(folder / "rows.csv", _several("|", "topics"))


def semicolons(folder: Path) -> Path:
    return table(folder / "rows.csv", _several("; ", "topics"))


def commas(folder: Path) -> Path:
    return table(folder / "rows.csv", _several(",", "labels"))


def spaces(folder: Path) -> Path:
    return table(folder / "rows.csv", _several(" ", "tags"))


def lists(folder: Path) -> Path:
    rows = [{"text": text, "topics": _topics(row)} for row, (text, _) in enumerate(messages())]
    return json_lines(folder / "rows.jsonl", rows)


def one_hot(folder: Path) -> Path:
    """A column of 0 and 1 for each topic."""
    rows = [
        {"text": text, **{topic: int(topic in _topics(row)) for topic in _TOPICS}}
        for row, (text, _) in enumerate(messages())
    ]
    return table(folder / "rows.csv", rows)


def truths(folder: Path) -> Path:
    rows = [{"text": text, "is_card": intent == "card_arrival"} for text, intent in messages()]
    return parquet(folder / "rows.parquet", rows)


def zeros_and_ones(folder: Path) -> Path:
    """One file has 0 and 1, the other what a data frame with a gap makes of them."""
    rows = [{"text": text, "spam": int(intent == "age_limit")} for text, intent in messages()]
    table(folder / "part_1.csv", rows[:60])
    table(folder / "part_2.csv", [row | {"spam": f"{row['spam']}.0"} for row in rows[60:]])
    return folder


def imbalanced(folder: Path) -> Path:
    usual, rare = messages(200, ("card_arrival", "exchange_rate")), messages(8, ("age_limit",))
    rows = [{"text": text, "fraud": "no"} for text, _ in usual[:152]]
    rows[::19] = [{"text": text, "fraud": "yes"} for text, _ in rare]
    return table(folder / "rows.csv", rows)


def one_class(folder: Path) -> Path:
    return table(folder / "rows.csv", [{"text": text, "label": "card"} for text, _ in messages()])


def rare(folder: Path) -> Path:
    rows = [{"text": text, "label": intent} for text, intent in messages()]
    for place in range(6):
        rows[place * 11]["label"] = f"odd_{place // 2}"
    return table(folder / "rows.csv", rows)


def many(folder: Path) -> Path:
    rows = [{"text": text, "label": intent} for text, intent in messages(77 * 4, all_intents())]
    return table(folder / "rows.csv", rows)


def unlabelled(folder: Path) -> Path:
    rows = [
        {"text": text, "label": intent if row % 10 < 4 else ""}
        for row, (text, intent) in enumerate(messages())
    ]
    return table(folder / "rows.csv", rows)


def a_few_unlabelled(folder: Path) -> Path:
    rows = [
        {"text": text, "label": intent if row % 5 else None}
        for row, (text, intent) in enumerate(messages())
    ]
    return json_lines(folder / "rows.jsonl", rows)


def texts_alone(folder: Path) -> Path:
    return table(folder / "rows.csv", [{"text": text} for text, _ in messages()])


def spellings(folder: Path) -> Path:
    """Labels in two cases, some with a space behind."""
    rows = [
        {"text": text, "label": (intent.upper() if row % 3 == 0 else intent) + " " * (row % 2)}
        for row, (text, intent) in enumerate(messages())
    ]
    return table(folder / "rows.csv", rows)


def label_and_number(folder: Path) -> Path:
    rows = [
        {"sentiment": intent, "text": text, "price": f"{number('p', row).random() * 90:.2f}"}
        for row, (text, intent) in enumerate(messages())
    ]
    return table(folder / "rows.csv", rows)


def class_numbers(folder: Path) -> Path:
    """Numbers of classes first, as in the benchmark sets of long ago."""
    names: dict[str, int] = {}
    rows = [
        {"class_index": names.setdefault(label, len(names) + 1), "title": name}
        for _, name, label in emoji()
    ]
    return table(folder / "train.csv", rows)


SETS = {
    "bars": SmallSet("several topics, parted by |", bars),
    "semicolons": SmallSet("several topics, parted by ;", semicolons),
    "commas": SmallSet("several labels, parted by a comma", commas),
    "spaces": SmallSet("several tags, parted by spaces", spaces),
    "lists": SmallSet("several topics, as JSON lists", lists),
    "one_hot": SmallSet("a column of 0 and 1 for each topic", one_hot),
    "truths": SmallSet("True and False in Parquet", truths),
    "zeros_and_ones": SmallSet("0 and 1 in one file, 0.0 and 1.0 in the next", zeros_and_ones),
    "imbalanced": SmallSet("5 % of one class", imbalanced),
    "one_class": SmallSet("one class", one_class),
    "rare": SmallSet("three labels of two rows", rare),
    "many": SmallSet("77 labels of four rows", many),
    "unlabelled": SmallSet("60 % of the rows without a label", unlabelled),
    "a_few_unlabelled": SmallSet("20 % of the rows without a label", a_few_unlabelled),
    "texts_alone": SmallSet("texts and nothing else", texts_alone),
    "spellings": SmallSet("labels in two cases", spellings),
    "label_and_number": SmallSet("a label first, a price last", label_and_number),
    "class_numbers": SmallSet("numbers of classes first", class_numbers),
}
