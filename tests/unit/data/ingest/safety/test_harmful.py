from __future__ import annotations

import time

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from fuseline.data.ingest.safety.classifier import ClassifierScreen, harmful_labels
from fuseline.data.ingest.safety.harmful import SCREENS, build_screen
from fuseline.data.ingest.safety.word_list import ORDINARY, WordListScreen, _listed_words
from fuseline.errors import ConfigError
from fuseline.params.ingest import HarmfulParams


@pytest.fixture(scope="module")
def word_list() -> WordListScreen:
    return WordListScreen()


@pytest.mark.parametrize(
    "text",
    ["you arsehole", "SHIT!", "what a sh*t day", "sh1t", "b!tch", "$hit", "a55hole", "hand-job",
     "son of a bitch", "s.h.i.t", "(fuck)", "f*ck"],
)  # fmt: skip
def test_swear_words_count_in_any_guise(word_list, text):
    assert word_list.is_harmful(text)


@pytest.mark.parametrize(
    "text",
    ["", "a church organ", "the pot on the stove", "Scunthorpe", "an assassin", "son of a king",
     "classic", "magna cum laude", "a gay couple", "rooms b4 and a5", "HIV test", "5 + 4 = 9",
     "peacock", "Essex", "shiitake", "3d ass3mbly of 4x4", "****", "c*t"],
)  # fmt: skip
def test_ordinary_words_do_not(word_list, text):
    assert not word_list.is_harmful(text)


def test_no_name_of_an_emoji_counts(word_list):
    import emoji

    names = [entry["en"].strip(":").replace("_", " ") for entry in emoji.EMOJI_DATA.values()]
    assert [name for name in names if word_list.is_harmful(name)] == []


def test_every_exception_is_a_word_of_the_list():
    assert set(ORDINARY) <= {word.lower() for word in _listed_words()}


def test_short_texts_cost_microseconds(word_list):
    text = "a family photo: woman, woman, girl and boy in the park at dusk, 3 dogs"
    started = time.process_time()
    for _ in range(5_000):
        word_list.is_harmful(text)
    assert time.process_time() - started < 5_000 * 100e-6


@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_of_the_table_judges_plain_text_harmless(name):
    params = HarmfulParams(screen=name, threshold=0.5, action="report")
    assert build_screen(params).is_harmful("a red cat") is False


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["toxic", "neutral"], [0]),
        (["non-toxic", "toxic"], [1]),
        (["not_hate", "HATE"], [1]),
        (["harmless", "harmful"], [1]),
        (["toxic", "severe_toxic", "obscene", "threat", "insult", "identity_hate"], list(range(6))),
        (["LABEL_0", "LABEL_1"], [1]),
        (["neutral"], [0]),
    ],
)
def test_labels_are_known_by_name_or_place(labels, expected):
    assert harmful_labels(dict(enumerate(labels))) == expected


@pytest.fixture
def classifier(tmp_path):
    """A classifier that gives its label `toxic` to texts with the word `bad` first."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    backend = Tokenizer(WordLevel({"[UNK]": 0, "[PAD]": 1, "bad": 2, "good": 3}, unk_token="[UNK]"))
    backend.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_max_length=16
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
        intermediate_size=8, id2label={0: "toxic", 1: "fine"}, label2id={"toxic": 0, "fine": 1},
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    optimiser = torch.optim.Adam(model.parameters(), 0.05)
    texts = tokenizer(["bad", "good", "bad bad", "good good"], padding=True, return_tensors="pt")
    for _ in range(40):
        optimiser.zero_grad()
        model(**texts, labels=torch.tensor([0, 1, 0, 1])).loss.backward()
        optimiser.step()
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_with_a_classifier_is_a_screen(classifier):
    params = HarmfulParams(screen=str(classifier), threshold=0.5, action="report")
    screen = build_screen(params)
    assert screen.is_harmful("bad")
    assert not screen.is_harmful("good")


def test_the_threshold_counts(classifier):
    screen = ClassifierScreen(classifier, 0.5)
    probability = screen.probability("bad")
    assert 0.5 < probability < 1.0
    assert ClassifierScreen(classifier, probability).is_harmful("bad")
    assert not ClassifierScreen(classifier, min(1.0, probability + 1e-4)).is_harmful("bad")


def test_a_long_text_is_judged_by_its_worst_window(classifier):
    screen = ClassifierScreen(classifier, 0.5)
    assert screen.is_harmful("good " * 100 + "bad " * 20)
    assert not screen.is_harmful("good " * 120)


def test_weights_other_than_safetensors_are_refused(classifier):
    weights = classifier / "model.safetensors"
    weights.rename(classifier / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="weights in safetensors; found"):
        ClassifierScreen(classifier, 0.5)


def test_a_folder_without_a_classifier_is_refused(tmp_path):
    params = HarmfulParams(screen=str(tmp_path), threshold=0.5, action="report")
    with pytest.raises(ConfigError, match="expected a folder with a Transformers text classifier"):
        build_screen(params)
