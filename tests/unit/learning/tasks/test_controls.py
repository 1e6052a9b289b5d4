"""What references and written texts are, by hand."""

import hashlib

import emoji
import pytest

from fuseline.errors import ContractError
from fuseline.learning.tasks.controls import CONTROLS, Language, Reference
from fuseline.params.finetune import DecoderParams


def params(**changes: object) -> DecoderParams:
    shape = {"num_layers": 1, "num_heads": 1, "max_length_tokens": 8}
    controls = {"controls": [], "control_dropout": 0.0, "refusals": {}}
    return DecoderParams.model_validate(shape | controls | changes)


def control(name: str, *texts: str | tuple[str, str], **changes: object):
    references = [Reference(*((text,) if isinstance(text, str) else text)) for text in texts]
    facts = CONTROLS[name].learn(references, params(**changes), "examples")
    return CONTROLS[name](facts)


@pytest.mark.parametrize(
    ("lengths", "short", "medium"),
    [
        ([1, 2, 3], 1, 2),
        ([1, 2, 3, 4, 5, 6], 2, 4),
        # Thirds that are none: cuts lie where they come nearest.
        ([2] * 32 + [4] * 34 + [8] * 34, 2, 4),
        ([2, 2, 2, 2, 2, 4, 8], 2, 2),
    ],
)
def test_lengths_are_thirds_of_the_references(lengths, short, medium):
    found = control("length", *(" ".join(["w"] * length) for length in lengths))
    assert (found.facts["short"], found.facts["medium"]) == (short, medium)
    assert found.told("w " * short) == "short"
    assert found.told("w " * (medium + 1)) == "long"


def test_two_lengths_are_short_and_long():
    assert control("length", "a", "a", "a b c").values == ["long", "short"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Where is it ?", "question"),
        ('"Where?"', "question"),
        ("どこ？", "question"),
        ("「どこ？」", "question"),
        ("『行け！』", "exclamation"),
        ("„Wo?“", "question"),
        ("‚Hier.‘", "statement"),
        ("Go!", "exclamation"),
        ("It is here .", "statement"),
        ("an ant", "fragment"),
        ("", "fragment"),
    ],
)
def test_style_is_what_ends_a_text(text, value):
    style = control("style", "who?", "me.", "no!", "an ant")
    assert style.values == ["exclamation", "fragment", "question", "statement"]
    assert style.told(text) == value


def test_refusals_begin_with_a_phrase_of_their_class():
    phrases = {"unknown": ["I don't know", "No idea"], "unsafe": ["I can't help"]}
    texts = ["i don ' t know this", "I can't help with it", "an ant"]
    refusal = control("refusal", *texts, refusals=phrases)
    assert [refusal.told(text) for text in texts] == ["unknown", "unsafe", "answer"]
    assert refusal.told("No ideal ant") == "answer"
    assert refusal.values == ["answer", "unknown", "unsafe"]


@pytest.mark.parametrize("kinds", [["vague", "strict"], ["strict", "vague"]])
def test_the_longest_phrase_counts_then_the_name(kinds):
    phrases = {"vague": ["I cannot", "sorry"], "strict": ["I cannot help", "Sorry"]}
    refusals = {kind: phrases[kind] for kind in kinds}
    texts = ["I cannot help you", "I cannot see it", "sorry!", "an ant"]
    refusal = control("refusal", *texts, refusals=refusals)
    assert [refusal.told(text) for text in texts] == ["strict", "vague", "strict", "answer"]


def test_languages_are_told_by_their_letters():
    texts = [
        ("the old ant sleeps in the garden", "en"),
        ("two bees fly through the window", "en"),
        ("die alte ameise schläft im garten", "de"),
        ("zwei bienen fliegen durch das fenster", "de"),
    ]
    language = control("language", *texts, ("no language", ""))
    assert language.values == ["de", "en"]
    assert language.told("the bees sleep") == "en"
    assert language.told("die bienen schlafen") == "de"
    assert language.told("42") is None
    assert not language.fits("", "en")
    assert language.of(Reference("the ant", "de")) == "de", "the row's word counts, not a guess"
    assert language.of(Reference("the ant")) is None


def test_what_two_languages_share_is_the_first_ones_by_name_in_any_order():
    language = control("language", ("ant", "de"), ("ant", "en"))
    counts = dict(sorted(language.facts["counts"].items(), reverse=True))
    assert language.told("ant") == "de"
    assert Language(language.facts | {"counts": counts}).told("ant") == "de"


def test_languages_of_short_real_names_are_mostly_told():
    emoji.config.load_language("de")
    names = sorted(
        (names["en"], lang, names[lang].strip(":").replace("_", " "))
        for names in emoji.EMOJI_DATA.values()
        for lang in ("en", "de")
        if lang in names and "skin" not in names["en"]
    )
    held_out = {key for key, _, _ in names if hashlib.sha256(key.encode()).digest()[0] < 26}
    language = control(
        "language", *((text, lang) for key, lang, text in names if key not in held_out)
    )
    fits = [language.fits(text, lang) for key, lang, text in names if key in held_out]
    assert len(fits) > 300
    assert 0.85 < sum(fits) / len(fits) < 1, "the check errs, and so does what it measures"


@pytest.mark.parametrize(
    ("name", "texts", "found"),
    [
        ("style", ["an ant", "a bee"], "fragment"),
        ("language", ["an ant"], "none"),
        ("length", ["an ant", "a bee"], "short"),
        ("length", [], "none"),
    ],
)
def test_a_control_with_nothing_to_choose_is_refused(name, texts, found):
    message = (
        rf"^examples: expected texts of several values of {name} in the training split, found"
        rf" {found}\. Take {name} out of finetune\.generation\.controls"
    )
    with pytest.raises(ContractError, match=message):
        control(name, *texts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"controls": ["length", "length"]}, "controls may name each control once"),
        ({"controls": ["refusal"]}, "refusals hold no phrase that begins one"),
        ({"refusals": {"answer": ["no"]}}, "refusals may have no class 'answer'"),
        (
            {"refusals": {"unknown": ["no idea", "..."]}},
            r"class 'unknown' hold the phrase '\.\.\.'",
        ),
        ({"refusals": {"unknown": [""]}}, "phrase '', which has no word"),
        ({"control_dropout": 1.0}, "less than 1"),
    ],
)
def test_params_that_cannot_work_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        params(**changes)
