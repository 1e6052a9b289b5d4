"""Several texts in a row, texts to write, words with tags, and texts with something the matter."""

from __future__ import annotations

from pathlib import Path

from benchmarks.small_sets.material import (
    ROWS,
    SmallSet,
    emoji,
    json_lines,
    messages,
    outside_data,
    parquet,
    put,
    questions,
    statements,
    table,
    tagged_sentences,
)

_TAGS = ("O", "B", "I")


def title_and_description(folder: Path) -> Path:
    rows = []
    for (first, intent), (_, news) in zip(messages(), statements(), strict=True):
        rows.append({"title": first, "description": f"{first} {news}", "category": intent})
    return table(folder / "rows.csv", rows)


def pairs_of_sentences(folder: Path) -> Path:
    every = messages()
    rows = []
    for row, (text, intent) in enumerate(every):
        other, its = every[(row + 4 * (row % 2) + 1 - row % 2) % ROWS]
        answer = "same" if intent == its else "different"
        rows.append({"sentence1": text, "sentence2": other, "label": answer})
    return table(folder / "rows.tsv", rows, separator="\t")


def question_and_answer(folder: Path) -> Path:
    rows = [{"question": row["question"], "answer": row["answers"][0]} for row in questions()]
    return json_lines(folder / "rows.jsonl", rows)


def questions_and_lists(folder: Path) -> Path:
    """The file as it was published."""
    return put(folder / "faq.jsonl", (outside_data("stackfaq") / "faq.jsonl").read_bytes())


def chats(folder: Path) -> Path:
    """Conversations as chat models are tuned on."""
    rows = [
        {
            "messages": [
                {"role": "user", "content": row["question"]},
                {"role": "assistant", "content": row["answers"][0]},
            ]
        }
        for row in questions()
    ]
    return json_lines(folder / "rows.jsonl", rows)


def tagged_words(folder: Path) -> Path:
    rows = [
        {"tokens": words, "ner_tags": [_TAGS.index(tag[0]) for tag in tags]}
        for words, tags in tagged_sentences()
    ]
    return parquet(folder / "rows.parquet", rows)


def tags_in_text(folder: Path) -> Path:
    rows = [{"text": " ".join(words), "tags": " ".join(tags)} for words, tags in tagged_sentences()]
    return json_lines(folder / "rows.jsonl", rows)


def word_a_line(folder: Path) -> Path:
    lines = (outside_data("wnut17") / "wnut17train.conll").read_bytes().splitlines(keepends=True)
    return put(folder / "train.conll", b"".join(lines[:2000]))


def translations(folder: Path) -> Path:
    rows = [{"en": name, "translation": f"das Bild {name}"} for _, name, _ in emoji()]
    return table(folder / "rows.tsv", rows, separator="\t")


SETS = {
    "title_and_description": SmallSet("two texts and a label", title_and_description, by_dvc=True),
    "pairs_of_sentences": SmallSet("two sentences and whether they agree", pairs_of_sentences),
    "question_and_answer": SmallSet("questions and answers", question_and_answer),
    "questions_and_lists": SmallSet("StackFAQ as published", questions_and_lists),
    "chats": SmallSet("conversations as lists of objects", chats),
    "tagged_words": SmallSet("lists of words and of tags", tagged_words),
    "tags_in_text": SmallSet("WNUT 2017: texts, and tags parted by spaces", tags_in_text),
    "word_a_line": SmallSet("WNUT 2017 as published", word_a_line),
    "translations": SmallSet("a text and its translation", translations),
}
