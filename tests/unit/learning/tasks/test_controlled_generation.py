"""A decoder that is told what its texts are to be like."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from fuseline.data.dataset import NO_LABEL
from fuseline.data.modalities.text.vocabulary import train_tokenizer
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.model.constraints import OneOf
from fuseline.learning.tasks.base import Cells
from fuseline.learning.tasks.generation import Generation
from fuseline.learning.tasks.labelled import build_tasks
from fuseline.learning.tasks.prediction import predict
from fuseline.params.evaluate import EvaluateParams, GenerationParams
from fuseline.params.finetune import DecoderParams, FinetuneParams
from tests.support.tiny_models import config, pretrainer, rows

# What a row's content tells, by language and length; all four are asked of each content.
SUBJECTS = {"en": ["ant", "bee", "cat"], "de": ["ameise", "biene", "katze"]}
FORMS = {
    ("en", "short"): "{}", ("en", "long"): "the old {} naps",
    ("de", "short"): "{}", ("de", "long"): "die alte {} ruht",
}  # fmt: skip
CONTENTS = 6
LANGS = [lang for lang, _ in FORMS] * CONTENTS
TEXTS = [
    form.format(SUBJECTS[lang][row % 3])
    for row in range(CONTENTS)
    for (lang, _), form in FORMS.items()
]


def tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    trained = train_tokenizer(texts, 150, words=True)
    return PreTrainedTokenizerFast(tokenizer_object=trained, **names)


def cells(texts: Sequence[str] = TEXTS) -> Cells:
    """Each content once in every language and length, so that nothing but a prefix tells which."""
    data = rows(CONTENTS).take(np.repeat(np.arange(CONTENTS), len(FORMS)))
    return Cells(texts, texts, data, tokenizer(list(texts)), "examples", LANGS)


def params(controls: list[str], **changes: object) -> FinetuneParams:
    """Of the section nothing but the decoder's is read here."""
    shape = {"num_layers": 1, "num_heads": 2, "max_length_tokens": 8}
    asked = {"controls": controls, "control_dropout": 0.2, "refusals": {}}
    return FinetuneParams.model_construct(
        generation=DecoderParams.model_validate(shape | asked | changes)
    )


def generation(controls: tuple[str, ...] = ("language", "length")) -> Generation:
    found = cells()
    facts = Generation.learn(found) | Generation.settings(params(list(controls)), found)
    return Generation("caption", facts)


def entry(task: Generation) -> dict[str, object]:
    return {
        "name": "caption", "kind": "generation", "target": "caption", "weight": 1.0,
        "head": task.head, "facts": task.facts,
    }  # fmt: skip


def writer(task: Generation) -> FuselineForTasks:
    torch.manual_seed(0)
    model = FuselineForTasks(config(tasks=[entry(task)])).eval()
    nn.init.normal_(model.heads[0].decoder.get_input_embeddings().weight, std=0.5)
    return model


def labelled(task: Generation, found: Cells):
    inputs = task.further_inputs(found)
    return replace(found.data, labels=task.labels(found), other_labels=inputs)


def learn(model: FuselineForTasks, task: Generation, batch: dict) -> None:
    """As training does, control dropout included, but without any other."""
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    model.heads[0].train()
    for _ in range(150):
        loss = task.losses(model(**batch).logits, batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()


def how() -> EvaluateParams:
    written = {
        "num_beams": 1, "length_penalty": 1.0, "sample": False, "temperature": 1.0, "top_p": 0.9,
    }  # fmt: skip
    return EvaluateParams.model_construct(
        batch_size=32, generation=GenerationParams.model_validate(written)
    )


def every(data) -> dict:
    return data.batch(np.arange(len(data)))


@pytest.fixture(scope="module")
def trained():
    task, found = generation(), cells()
    model = writer(task)
    learn(model, task, every(labelled(task, found)))
    return model, task, found


def test_without_controls_nothing_is_learnt_or_built_for_them():
    task = generation(())
    assert set(task.facts) == {"vocab_size", "num_layers", "num_heads", "max_length_tokens"}
    assert task.head == {"kind": "decoder", "key": "labels", **task.facts}
    assert task.further_inputs(cells()) == {}
    model = writer(task)
    assert not [name for name in model.state_dict() if "control" in name]
    scores = task.decode(model, 0, cells(), how(), 0).scores
    assert set(scores) == {"chrf", "bleu", "exact_match"}


def test_a_model_obeys_what_its_rows_do_not_tell(trained):
    model, task, found = trained
    (one,) = predict(model, [task], labelled(task, found), 8)
    assert one.right.all()
    decoded = task.decode(model, 0, found, how(), 0)
    scores = decoded.scores
    assert scores["exact_match_when_told"] == 1.0
    assert scores["checked_length"] == scores["checked_language"] == 1.0
    # Without the prefix one of four texts is as good a guess as another.
    assert scores["exact_match"] <= 0.5
    for name in ("language", "length"):
        assert scores[f"obeyed_{name}_own"] == 1.0
        assert scores[f"obeyed_{name}"] >= 0.95
        assert scores[f"ignored_{name}"] == 0.0
    assert decoded.scores == task.decode(model, 0, found, how(), 0).scores


def test_a_model_trained_without_the_prefix_obeys_as_by_chance():
    task, found = generation(), cells()
    model = writer(task)
    learn(model, task, every(replace(labelled(task, found), other_labels={})))
    scores = task.decode(model, 0, found, how(), 0).scores
    for name in ("language", "length"):
        assert abs(scores[f"obeyed_{name}"] - scores[f"ignored_{name}"]) <= 0.2
        assert scores[f"obeyed_{name}"] <= 0.75


def test_texts_are_as_asked_for_all_rows_or_each(trained):
    model, _, found = trained
    batch = found.data.batch([0, 4])
    values = list(itertools.product(["en", "de"], ["short", "long"]))
    for lang, length in values:
        one = model.generate(batch, controls={"language": lang, "length": length}, num_beams=2)
        each = {"language": [lang, lang], "length": [length, length]}
        assert torch.equal(one, model.generate(batch, controls=each, num_beams=2))
        texts = [found.tokenizer.decode(ids, skip_special_tokens=True) for ids in one]
        assert texts == [FORMS[lang, length].format(SUBJECTS[lang][row]) for row in (0, 1)]
    open_ones = {"language": None, "length": [None, None]}
    assert torch.equal(model.generate(batch), model.generate(batch, controls=open_ones))


def test_what_the_model_does_not_know_is_refused(trained):
    model, _, found = trained
    with pytest.raises(ValueError, match=r"expected language to be one of de, en; found 'fr'\."):
        model.generate(found.data.batch([0]), controls={"language": "fr"})
    with pytest.raises(ValueError, match=r"expected one of language, length, .* found 'style'\."):
        model.generate(found.data.batch([0]), controls={"style": "question"})


def test_controls_of_a_batch_play_no_part_in_decoding(trained):
    model, task, found = trained
    assert torch.equal(
        model.generate(every(labelled(task, found))), model.generate(every(found.data))
    )


def test_teacher_forcing_is_decoding_under_the_same_values(trained):
    model, task, found = trained
    batch = every(labelled(task, found))
    langs, lengths = zip(*list(FORMS) * CONTENTS, strict=True)
    controls = {"language": langs, "length": lengths}
    texts = model.generate(batch, controls=controls)
    asked = batch["labels"] != NO_LABEL
    assert torch.equal(texts[asked[:, : texts.shape[1]]], batch["labels"][asked])
    assert model(**batch).logits.shape[1] == asked.sum(1).max(), "no logits of control tokens"
    for num_beams in (1, 3):
        options = {"controls": controls, "num_beams": num_beams}
        cached = model.generate(batch, **options)
        assert torch.equal(cached, model.generate(batch, use_cache=False, **options))


def test_constraints_hold_under_controls(trained):
    model, _, found = trained
    either = OneOf(["die alte katze ruht", "the old cat naps"], found.tokenizer)
    batch = found.data.batch([0, 4])
    for lang, text in (("en", "the old cat naps"), ("de", "die alte katze ruht")):
        ids = model.generate(
            batch, controls={"language": lang}, num_beams=2, prefix_allowed_tokens_fn=either
        )
        texts = [found.tokenizer.decode(row, skip_special_tokens=True) for row in ids]
        assert texts == [text, text]


def test_no_option_takes_a_control_for_a_written_token(trained):
    model, _, found = trained
    asked = {"language": "en", "length": "long"}
    plain = model.generate(found.data.batch([0, 4]), controls=asked)
    # No text repeats a token, so nothing is to be held against it.
    for options in ({"repetition_penalty": 1.2}, {"no_repeat_ngram_size": 2}):
        assert torch.equal(
            plain, model.generate(found.data.batch([0, 4]), controls=asked, **options)
        )


def test_control_dropout_leaves_all_open_in_training_alone():
    task = generation()
    task.facts["control_dropout"] = 1.0
    model = writer(task)
    batch = every(labelled(task, cells()))
    free = {name: value for name, value in batch.items() if name != "caption_controls"}
    nn.init.normal_(model.heads[0].decoder.get_input_embeddings().controls.weight)
    assert not torch.allclose(model(**batch).logits, model(**free).logits)
    model.heads[0].train()
    torch.testing.assert_close(model(**batch).logits, model(**free).logits)


def test_a_saved_model_obeys_the_same(trained, tmp_path):
    model, _, found = trained
    model.save_pretrained(tmp_path)
    loaded = FuselineForTasks.from_pretrained(tmp_path).eval()
    asked = {"length": "short", "language": "de"}
    batch = found.data.batch([0, 4, 8])
    assert torch.equal(
        loaded.generate(batch, controls=asked), model.generate(batch, controls=asked)
    )
    decoder = loaded.heads[0].decoder
    assert decoder.get_output_embeddings().weight is decoder.get_input_embeddings().weight


def test_a_saved_model_obeys_whatever_the_order_of_its_controls(tmp_path):
    task = generation(("length", "language"))
    model = writer(task)
    nn.init.normal_(model.heads[0].decoder.get_input_embeddings().controls.weight)
    model.save_pretrained(tmp_path)
    loaded = FuselineForTasks.from_pretrained(tmp_path).eval()
    (saved,) = build_tasks(loaded.config.tasks)
    assert list(saved.controls) == list(task.controls)
    key = "caption_controls"
    found = cells()
    before = labelled(task, found)
    after = replace(before, other_labels=saved.further_inputs(found))
    assert np.array_equal(before.other_labels[key], after.other_labels[key])
    torch.testing.assert_close(loaded(**every(after)).logits, model(**every(before)).logits)
    asked = {"length": "long", "language": "en"}
    assert torch.equal(
        loaded.generate(found.data.batch([0, 4]), controls=asked),
        model.generate(found.data.batch([0, 4]), controls=asked),
    )


def test_controls_of_a_pretrained_model_begin_as_words_do(tmp_path):
    pretrainer().save_pretrained(tmp_path)
    model = FuselineForTasks.from_pretrained(tmp_path, tasks=[entry(generation())])
    found = model.heads[0].decoder.get_input_embeddings().controls.weight
    assert 0.01 < found.std() < 0.03


def test_style_and_refusals_are_obeyed():
    forms = ["{} here?", "{} here.", "no idea of it.", "who knows?"]
    texts = [form.format(SUBJECTS["en"][row % 3]) for row in range(CONTENTS) for form in forms]
    found = cells(texts)
    wanted = params(["refusal", "style"], refusals={"unknown": ["no idea", "Who knows"]})
    task = Generation("caption", Generation.learn(found) | Generation.settings(wanted, found))
    assert [list(control.values) for control in task.controls.values()] == [
        ["answer", "unknown"], ["question", "statement"],
    ]  # fmt: skip
    model = writer(task)
    learn(model, task, every(labelled(task, found)))
    scores = task.decode(model, 0, found, how(), 0).scores
    assert scores["exact_match_when_told"] == 1.0
    for name in ("refusal", "style"):
        assert scores[f"obeyed_{name}"] >= 0.95
        assert scores[f"ignored_{name}"] == 0.0
