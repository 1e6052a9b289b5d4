"""Label words, draws of shots, calibration."""

import dataclasses

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from fuseline.errors import ConfigError
from fuseline.learning.prompting.calibration import calibrate
from fuseline.learning.prompting.cloze import ClozeInput, Verbaliser
from fuseline.learning.prompting.shots import cell_seed, draw_shots, short_labels
from fuseline.learning.prompting.words import LabelWords, tidied
from fuseline.learning.tasks.scores import scores
from tests.support.prompt_material import params, tokenizer
from tests.support.tiny_models import VOCAB, pretrainer, rows


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("Animals & Nature", "animals and nature"),
        ("food_item", "food item"),
        ("R&D", "r and d"),
        ("___", "___"),
    ],
)
def test_a_label_goes_by_its_tidied_name(label, expected):
    assert tidied(label) == expected


def test_prompts_take_the_whole_name_and_blanks_its_parts():
    words = LabelWords(["Animals & Nature", "Flags"], {})
    assert words.phrases() == [["animals and nature"], ["flags"]]
    assert words.verbaliser() == [["animals", "nature"], ["flags"]]
    given = LabelWords(["Animals & Nature", "Flags"], {"Flags": ["country", "nation"]})
    assert given.phrases()[1] == given.verbaliser()[1] == ["country", "nation"]
    assert given.names() == ["animals and nature", "country and nation"]


def test_a_name_is_known_by_any_of_its_words():
    names = ["ant", "猫", "猫 & 🐈", "bee & 猫", "___", "\u200d"]
    assert LabelWords(names, {}).unnamed(tokenizer()) == names[1:3] + names[4:]


def test_words_of_an_unknown_label_are_refused():
    with pytest.raises(ConfigError, match=r"label_words: unknown label 'Flag'\..* mean 'Flags'\?"):
        LabelWords(["Animals", "Flags"], {"Flag": ["country"]})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("cloze__template", "{text} is what?", r"must have \{label\} exactly once"),
        ("class_prompts__templates", ["a picture"], r"must have \{label\} exactly once"),
        ("class_prompts__over", "image", "'text', 'media' or 'both'"),
        ("methods", ["clozes"], "unknown method clozes; valid: cloze"),
        ("shots", [4, 1], "must rise"),
        ("label_words", {"Flags": [" "]}, "label 'Flags' has an empty word"),
    ],
)
def test_wrong_params_are_refused(key, value, message):
    with pytest.raises(ValidationError, match=message):
        params(**{key: value})


def test_shots_are_balanced_nested_and_of_the_training_split():
    data = rows(120)
    drawn = {k: draw_shots(data, k, base_seed=1, seed=0) for k in (1, 2, 8)}
    for count, chosen in drawn.items():
        assert (data.splits[chosen] == "train").all()
        assert np.bincount(data.labels[chosen]).tolist() == [count] * 3
    assert set(drawn[1]) < set(drawn[2]) < set(drawn[8])
    assert set(draw_shots(data, 8, base_seed=1, seed=1)) != set(drawn[8])
    assert not len(draw_shots(data, 0, base_seed=1, seed=0))


def test_a_label_with_few_rows_gives_what_it_has_and_is_counted():
    data = rows(120)
    train = np.flatnonzero((data.splits == "train") & (data.labels == 2))
    labels = data.labels.copy()
    labels[train[3:]] = 0
    scarce = dataclasses.replace(data, labels=labels)
    chosen = draw_shots(scarce, 4, base_seed=1, seed=0)
    assert np.bincount(scarce.labels[chosen]).tolist() == [4, 4, 3]
    assert (short_labels(scarce, 4), short_labels(scarce, 3)) == (1, 0)


def test_cells_have_seeds_of_their_own():
    seeds = {cell_seed(17, seed, shots) for seed in range(5) for shots in (0, 1, 2, 4)}
    assert len(seeds) == 20


def test_calibration_removes_a_planted_bias():
    """A prompt that likes class 0 whatever the row says loses that liking."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 300)
    fair = random.normal(size=(300, 3)) + 3.0 * np.eye(3)[labels]
    bias = np.array([6.0, 0.0, -1.0])
    calibrated = calibrate(fair + bias, bias)
    assert np.allclose(calibrated, fair)
    assert scores(labels, (fair + bias).argmax(-1), 3)["accuracy"] < 0.5
    assert scores(labels, calibrated.argmax(-1), 3)["accuracy"] > 0.9


def test_a_word_of_several_pieces_is_the_mean_over_them():
    verbaliser = Verbaliser(tokenizer(), [["ant", "anthill"], ["bee"]])
    assert verbaliser.num_masks == 2
    logits = torch.randn(4, 2, VOCAB, generator=torch.Generator().manual_seed(0))
    logs = logits.log_softmax(-1)
    ant, bee, hill = 5, 6, 16
    word = (logs[:, 0, ant] + logs[:, 1, hill]) / 2
    expected = torch.stack([(logs[:, 0, ant] + word) / 2, logs[:, 0, bee]], dim=1)
    assert torch.allclose(verbaliser.scores(logits), expected, atol=1e-5)


def test_a_word_without_pieces_is_refused():
    with pytest.raises(ConfigError, match=r"label_words: .* nothing in the word ' '"):
        Verbaliser(tokenizer(), [["ant"], [" "]])


@pytest.mark.parametrize("template", ["{text} is about {label}.", "about {label}: {text} ."])
def test_a_cloze_holds_the_text_and_its_masks(template):
    data = rows(12)
    batch = ClozeInput(pretrainer(), tokenizer(), template, 2).batch(data, np.arange(12))
    assert ((batch["input_ids"] == 4).sum(1) == 2).all()
    assert batch["text_mask"].all()
    for row in range(12):
        text = data.input_ids[row][1:-1].tolist()
        kept = batch["input_ids"][row].tolist()
        assert any(kept[at : at + len(text)] == text for at in range(len(kept)))


def test_a_mask_that_a_text_spells_out_is_no_blank():
    data = rows(12)
    data.input_ids[0] = np.array([2, 20, 4, 21, 3])
    batch = ClozeInput(pretrainer(), tokenizer(), "{text} {label}", 1).batch(data, np.array([0]))
    assert batch["input_ids"][0][:5].tolist() == [2, 20, 21, 4, 3]


def test_the_content_free_cloze_has_neither_text_nor_media():
    inputs = ClozeInput(pretrainer(), tokenizer(), "{text} is about {label}.", 1)
    batch = inputs.content_free(rows(12))
    assert not batch["image_mask"].any()
    real = batch["input_ids"][0][batch["attention_mask"][0].bool()].tolist()
    assert real == [2, 9, 10, 4, 14, 3]


def test_a_long_text_is_cut_and_a_long_template_refused():
    data = rows(12)
    data.input_ids[0] = np.array([2, *range(20, 50), *range(20, 50), 3])
    batch = ClozeInput(pretrainer(), tokenizer(), "{text} {label}", 1).batch(data, np.array([0]))
    assert batch["input_ids"].shape == (1, 56)
    assert batch["attention_mask"].all()
    with pytest.raises(
        ConfigError, match=r"cloze\.template: .* reads 56\. .* shorter `prompt\.label_w"
    ):
        ClozeInput(pretrainer(), tokenizer(), "{text} {label}" + " ant" * 64, 1)
