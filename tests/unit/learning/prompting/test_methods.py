"""What the methods train, and what becomes of absent modalities."""

import numpy as np
import pytest
import torch

from fuseline.errors import ContractError
from fuseline.learning.prompting.class_prompts import ClassPrompts
from fuseline.learning.prompting.cloze import Cloze
from fuseline.learning.prompting.head import Head
from fuseline.learning.prompting.residual import Residual
from fuseline.learning.prompting.soft_prompt import ContextPrompt, SoftPrompt
from fuseline.learning.prompting.vectors import (
    ClassVectors,
    RowVectors,
    encode_prompts,
    text_vectors,
)
from tests.support.prompt_material import material, params, tokenizer
from tests.support.tiny_models import pretrainer

PROMPTS = params().class_prompts


def test_a_soft_prompt_moves_its_context_and_nothing_else(tiny, monkeypatch):
    made = []
    original = ContextPrompt.__init__

    def noted(self, *args):
        original(self, *args)
        made.append((self, self.context.detach().clone(), self.embedded.clone()))

    monkeypatch.setattr(ContextPrompt, "__init__", noted)
    before = {key: value.clone() for key, value in tiny.model.state_dict().items()}
    SoftPrompt(tiny).scores(np.arange(6), 0)
    ((prompt, context, embedded),) = made
    assert [name for name, _ in prompt.named_parameters()] == ["context"]
    assert not torch.equal(prompt.context, context)
    assert torch.equal(prompt.embedded, embedded)
    after = tiny.model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert all(parameter.grad is None for parameter in tiny.model.parameters())


def test_a_context_of_words_is_the_prompt_of_those_words():
    """Before any step, class vectors are those of the written template."""
    model = pretrainer()
    settings = params(
        soft_prompt__num_tokens=2, soft_prompt__initial_context="picture of"
    ).soft_prompt
    soft = ContextPrompt(model, tokenizer(), ["ant", "bee and cat"], settings).classes(model)
    written = encode_prompts(model, tokenizer(), [["ant"], ["bee and cat"]], ["picture of {label}"])
    assert torch.allclose(soft.text, written.text, atol=1e-5)
    assert torch.allclose(soft.media["image"], written.media["image"], atol=1e-5)


def test_names_longer_than_the_model_reads_lose_their_tail():
    model, settings = pretrainer(), params().soft_prompt
    names = ["ant " * 100, "bee"]
    soft = ContextPrompt(model, tokenizer(), names, settings)
    assert soft.embedded.shape[1] == 56
    assert soft.classes(model).text.isfinite().all()
    templates = ["{label}", "picture of {label}"]
    written = encode_prompts(model, tokenizer(), [[name] for name in names], templates)
    shorter = encode_prompts(model, tokenizer(), [["ant " * 54], ["bee"]], templates)
    assert torch.allclose(written.text, shorter.text, atol=1e-6)


def test_classes_may_have_contexts_of_their_own():
    settings = params(soft_prompt__class_specific=True).soft_prompt
    prompt = ContextPrompt(pretrainer(), tokenizer(), ["ant", "bee", "cat"], settings)
    assert prompt.context.shape == (3, settings.num_tokens, 16)


def test_vectors_of_texts_are_those_of_the_whole_model():
    model = pretrainer()
    ids = torch.tensor([[2, 5, 6, 3], [2, 7, 3, 0]])
    mask = (ids != 0).long()
    plain, shared = text_vectors(model, attention_mask=mask, input_ids=ids)
    output = model(input_ids=ids, attention_mask=mask)
    expected = torch.nn.functional.normalize(output.unimodal["text"], dim=-1)
    assert torch.allclose(plain, expected, atol=1e-6)
    assert torch.allclose(shared, model.contrastive_vectors(output, "text"), atol=1e-6)


def test_an_absent_modality_says_nothing(tiny):
    vectors = tiny.test_vectors
    for name in ("text", "image"):
        absent = ~tiny.test.present(name)
        assert absent.any()
        assert not vectors.unimodal[name][absent].any()
        assert vectors.contrastive[name][~absent].any(1).all()


def test_media_that_a_row_lacks_do_not_weigh_in_the_mean():
    eye = torch.eye(2)
    rows = RowVectors(
        {"text": torch.zeros(2, 2)},
        {"image": eye.clone(), "audio": torch.stack([eye[0], torch.zeros(2)])},
    )
    classes = ClassVectors(eye, {"image": eye, "audio": eye})
    assert torch.equal(classes.similarities(rows, PROMPTS, "media"), eye)


def test_shots_pull_a_class_towards_them(tmp_path):
    """With prompts of no weight, classes are the means of their shots."""
    held = material(tmp_path, contrastive__prompt_weight=0.0)
    rows = np.concatenate([np.flatnonzero(held.data.labels == label)[:2] for label in range(3)])
    found = ClassPrompts(held).scores(rows, 0)["contrastive_text"]
    vectors, labels = held.row_vectors.unimodal["text"][rows], held.data.labels[rows]
    means = torch.stack([vectors[labels == label].sum(0) for label in range(3)])
    expected = held.test_vectors.unimodal["text"] @ torch.nn.functional.normalize(means, dim=-1).T
    assert np.allclose(found, expected.numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("method", "rate"),
    [
        (Residual, "residual.learning_rate"),
        (SoftPrompt, "soft_prompt.learning_rate"),
        (Head, "training.learning_rate"),
    ],
)
def test_a_loss_that_is_no_number_stops_the_run(tmp_path, method, rate):
    held = material(tmp_path)
    held.model.fuseline.embeddings["text"].project.bias.fill_(float("nan"))
    with pytest.raises(ContractError, match=f"loss is nan. Lower prompt.{rate}"):
        method(held).scores(np.arange(6), 0)


def moved(before, model):
    after = model.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


@pytest.mark.parametrize("train_encoder", [True, False])
def test_a_cloze_trains_all_but_word_embeddings_and_the_encoder_if_asked(tmp_path, train_encoder):
    held = material(tmp_path, cloze__train_encoder=train_encoder)
    before = {key: value.clone() for key, value in held.model.state_dict().items()}
    changed = moved(before, Cloze(held)._trained(np.arange(6), 0))
    assert any(name.startswith("mlm_transform") for name in changed)
    assert any(name.startswith("fuseline.fusion") for name in changed)
    assert any(".text_encoder.encoder." in name for name in changed) == train_encoder
    assert not any("word_embeddings" in name for name in changed)


def test_a_head_trains_all_but_word_embeddings_from_the_same_start(tiny):
    head = Head(tiny)
    head._reset()
    before = {key: value.clone() for key, value in head.model.state_dict().items()}
    head.scores(np.arange(6), 0)
    changed = moved(before, head.model)
    assert any(name.startswith("heads.0.classifier") for name in changed)
    assert any(name.startswith("heads.0.experts") for name in changed)
    assert any(".text_encoder.encoder." in name for name in changed)
    assert not any("word_embeddings" in name for name in changed)
    head._reset()
    assert {name.partition(".0.")[2] for name in moved(before, head.model)} == {
        "classifier.weight", "experts.layers.image.weight", "experts.layers.text.weight"
    }  # fmt: skip


def test_a_head_trains_its_experts_by_their_loss(tmp_path):
    """Without their loss they only decay: for rows with one modality they would say noise."""
    trained, idle = (
        Head(material(tmp_path / str(weight), training__unimodal_weight=weight))
        for weight in (1.0, 0.0)
    )
    scales = []
    for head in (trained, idle):
        torch.manual_seed(0)
        head._reset()
        torch.manual_seed(0)
        head.scores(np.arange(6), 0)
        scales.append(head.model.heads[0].experts.layers["text"].bias.abs().sum())
    assert scales[0] > 0
    assert scales[1] == 0
