"""Adapters in the text encoder: trained, checkpointed and merged."""

from itertools import pairwise
from unittest.mock import Mock

import pytest
import torch

from fuseline.data.modalities.text.characters import CharacterConfig, CharacterEncoder
from fuseline.errors import ConfigError
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.training import adversarial_finetune, finetune
from fuseline.learning.training.checkpoint import latest_checkpoint, read_parts
from fuseline.learning.training.freezing import apply_freezing
from fuseline.learning.training.lora import adapters
from fuseline.params.adversarial import MartParams, SmartParams, VillaParams
from fuseline.params.adversarial_finetune import AdversarialFinetuneParams
from fuseline.params.attack import FinetuneBallParams
from fuseline.params.base import BaseParams
from fuseline.params.finetune import (
    DecoderParams,
    FinetuneParams,
    RecommendationParams,
    TaskParams,
)
from tests.support.tiny_models import (
    classification,
    classifier,
    freezing,
    pretrainer,
    rows,
    training,
)
from tests.unit.learning.training.test_loop import Killed, dying, run, same, weights

LORA = freezing("lora")
BASE = BaseParams(seed=3, modalities=["text", "image"], num_threads=1, precision="fp32")
ENCODER = "fuseline.text_encoder."
TARGETS = {
    f"{ENCODER}encoder.layer.{layer}.attention.self.{name}"
    for layer in (0, 1)
    for name in ("query", "value")
}


def adapted_run(work, model, **changes):
    """Train with adapters: the weights before they are merged, and the history."""
    with adapters(model, LORA, seed=3):
        apply_freezing(model, LORA)
        history = run(work, model, **changes)
        trained = weights(model)
    return trained, history


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return adapted_run(tmp_path_factory.mktemp("whole"), classifier())


def disturb(model):
    """Adapters as if trained: their second matrices are no longer zero."""
    torch.manual_seed(5)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                parameter.normal_()


def test_adapters_train_beside_all_but_the_encoder():
    model = classifier()
    others = {name for name, _ in model.named_parameters() if not name.startswith(ENCODER)}
    with adapters(model, LORA, seed=0):
        apply_freezing(model, LORA)
        trained = {name for name, p in model.named_parameters() if p.requires_grad}
    matrices = {f"{target}.lora_{m}.default.weight" for target in TARGETS for m in "AB"}
    assert trained == others | matrices


def test_adapters_count_as_trained_and_not_as_the_models():
    plain = classifier()
    total = sum(p.numel() for p in plain.parameters())
    encoder = sum(p.numel() for p in plain.fuseline.text_encoder.parameters())
    assert apply_freezing(plain, freezing("all")) == {
        "trainable_parameters": total - encoder,
        "total_parameters": total,
        "encoder_trainable_parameters": 0,
        "encoder_parameters": encoder,
        "image_encoder_trainable_parameters": 0,
        "image_encoder_parameters": 0,
    }
    matrices = 4 * (2 * 16 + 16 * 2)
    with adapters(model := classifier(), LORA, seed=0):
        assert apply_freezing(model, LORA) == {
            "trainable_parameters": total - encoder + matrices,
            "total_parameters": total,
            "encoder_trainable_parameters": matrices,
            "encoder_parameters": encoder,
            "image_encoder_trainable_parameters": 0,
            "image_encoder_parameters": 0,
        }


def test_a_model_without_text_counts_no_encoder():
    counts = apply_freezing(classifier(modalities=["image"]), freezing("all"))
    assert counts["encoder_parameters"] == counts["encoder_trainable_parameters"] == 0


def test_a_merged_model_is_plain_and_gives_the_same_logits(tmp_path):
    model, batch = classifier(), rows().batch(range(6))
    names, before = list(model.state_dict()), model(**batch).logits
    with adapters(model, LORA, seed=0), torch.no_grad():
        assert torch.equal(model(**batch).logits, before)
        disturb(model.eval())  # their dropout is as new as they are
        adapted = model(**batch).logits
    assert not torch.allclose(adapted, before, atol=1e-3)
    merged = model(**batch).logits
    assert torch.allclose(merged, adapted, atol=1e-5)
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}
    loaded = FuselineForTasks.from_pretrained(tmp_path).eval()
    assert list(loaded.state_dict()) == names
    assert torch.equal(loaded(**batch).logits, merged)


def test_other_policies_leave_the_model_as_it_is():
    model = classifier()
    before = weights(model)
    with adapters(model, freezing("all"), seed=0):
        assert same(before, weights(model))
        assert len(weights(model)) == len(before)


def test_the_seed_alone_fixes_where_adapters_start():
    def start(seed, drawn):
        model = classifier()
        torch.manual_seed(drawn)
        before = torch.get_rng_state()
        with adapters(model, LORA, seed=seed):
            assert torch.equal(torch.get_rng_state(), before)
            return {name: value for name, value in weights(model).items() if ".lora_A." in name}

    first = start(1, drawn=0)
    assert same(first, start(1, drawn=8))
    assert not same(first, start(2, drawn=0))


@pytest.mark.parametrize("after_calls", [3, 13, 23])
def test_a_killed_run_ends_with_the_same_adapters(tmp_path, uninterrupted, after_calls):
    with pytest.raises(Killed):
        adapted_run(tmp_path, classifier(), objective=dying(after_calls))
    assert latest_checkpoint(tmp_path)
    trained, history = adapted_run(tmp_path, classifier())
    assert same(uninterrupted[0], trained)
    assert history == uninterrupted[1]


def test_the_best_epochs_adapters_come_back(tmp_path, uninterrupted):
    adapted_run(tmp_path, classifier())
    trained, _ = adapted_run(tmp_path, classifier(), objective=dying(0))
    assert same(uninterrupted[0], trained)
    assert any(value.any() for name, value in trained.items() if ".lora_B." in name)


def test_frozen_weights_are_in_no_checkpoint(tmp_path):
    """They are those of the stage's inputs, by whose hashes the checkpoint is found."""
    adapted_run(tmp_path, classifier(), num_epochs=1)
    parts = read_parts(latest_checkpoint(tmp_path))
    encoder = [name for name in parts["weights"] if ".text_encoder." in name]
    assert encoder
    assert all(".lora_" in name for name in encoder)


def test_unknown_targets_name_the_linear_layers():
    message = (
        r"^finetune\.freezing\.lora\.targets: the text encoder has no linear layer 'qery'\."
        r" Its linear layers: dense, key, query, value\. Did you mean 'query'\?$"
    )
    with (
        pytest.raises(ConfigError, match=message),
        adapters(classifier(), freezing("lora", targets=["value", "qery"]), seed=0),
    ):
        pass


@pytest.mark.parametrize("target", ["embeddings.word_embeddings", "ry", ""])
def test_what_is_no_whole_name_of_a_linear_layer_is_no_target(target):
    with (
        pytest.raises(ConfigError, match="no linear layer"),
        adapters(classifier(), freezing("lora", targets=[target]), seed=0),
    ):
        pass


def test_an_encoder_without_linear_layers_takes_no_adapters():
    model = classifier()
    config = CharacterConfig(vocab_size=12, hidden_size=8)
    model.fuseline.text_encoder = CharacterEncoder(config)
    with pytest.raises(ConfigError, match="It has none at all"), adapters(model, LORA, seed=0):
        pass


def test_a_target_may_be_told_from_its_namesakes():
    model, params = classifier(), freezing("lora", targets=["layer.1.attention.self.query"])
    with adapters(model, params, seed=0):
        found = {name for name, _ in model.named_parameters() if "lora_A" in name}
    assert found == {f"{ENCODER}encoder.layer.1.attention.self.query.lora_A.default.weight"}


def test_a_model_without_text_has_nowhere_to_put_them():
    with (
        pytest.raises(ConfigError, match=r"finetune\.freezing\.policy: .*takes no text"),
        adapters(classifier(modalities=["image"]), LORA, seed=0),
    ):
        pass


@pytest.fixture
def stages(monkeypatch):
    """The two stages without their tables: rows are made up, and no card is written."""
    processor = Mock()
    processor.from_pretrained.return_value = processor
    monkeypatch.setattr(finetune, "learn_tasks", Mock(return_value=[classification()]))
    for module in (finetune, adversarial_finetune):
        monkeypatch.setattr(module, "FuselineProcessor", processor)
        monkeypatch.setattr(module, "load_rows", Mock(return_value=(rows(48), None)))
        monkeypatch.setattr(module, "with_labels", lambda data, *_: data)
        monkeypatch.setattr(module, "write_model_card", Mock())
        monkeypatch.setattr(module, "make_deterministic", Mock())


def test_both_stages_adapt_and_leave_a_plain_model(tmp_path, stages):
    pretrainer(seed=4).save_pretrained(tmp_path / "pretrained")
    metrics, _ = finetune.finetune(
        tmp_path / "pretrained", tmp_path, tmp_path, tmp_path, tmp_path / "finetuned",
        params=FinetuneParams(
            tasks=[TaskParams(kind="classification", target="label", weight=1.0)],
            generation=DecoderParams(
                num_layers=1, num_heads=1, max_length_tokens=8, controls=[], control_dropout=0.0,
                refusals={},
            ),
            recommendation=RecommendationParams(
                width=4, num_heads=1, history=2, events_per_row=1, horizon_days=1.0
            ),
            class_weights="none", freezing=LORA, modality_dropout=0.0, label_smoothing=0.0,
            classifier_dropout=0.0, unimodal_weight=0.5, linear_probe_max_rows=100,
            training=training(num_epochs=2),
        ),
        base=BASE, work=tmp_path / "work",
    )  # fmt: skip
    attack = FinetuneBallParams(
        norm="l2", per="position", epsilon={"text_embedding": 0.1}, num_steps=1, step_size=1.0,
        random_start=False,
    )  # fmt: skip
    adversarial_finetune.adversarial_finetune(
        tmp_path / "finetuned", tmp_path, tmp_path, tmp_path, tmp_path / "adversarial",
        params=AdversarialFinetuneParams(
            method="fgm", mart=MartParams(divergence_weight=1.0),
            villa=VillaParams(divergence_weight=1.0),
            smart=SmartParams(proximal_weight=1.0, momentum=0.9), attack=attack, clean_weight=1.0,
            adversarial_weight=1.0, attacked_share=1.0, modality_dropout=0.0,
            label_smoothing=0.0, unimodal_weight=0.5, training=training(num_epochs=1),
        ),
        base=BASE, work=tmp_path / "more_work",
    )  # fmt: skip
    models = [
        pretrainer(seed=4),
        FuselineForTasks.from_pretrained(tmp_path / "finetuned"),
        FuselineForTasks.from_pretrained(tmp_path / "adversarial"),
    ]
    plain = set(classifier().state_dict())
    assert metrics["encoder_trainable_parameters"] == 256
    # Of 48 rows there is a probe, which attacks would find first.
    assert metrics["probe_share"] > 0.0
    assert [bool(model.heads[0].probes) for model in models[1:]] == [True, False]
    for earlier, later in pairwise(models):
        assert {name for name in later.state_dict() if ".probes." not in name} == plain
        assert moved(earlier, later) == {f"{target}.weight" for target in TARGETS}


def moved(earlier, later):
    """Names of the encoder's weights that differ."""
    before, after = earlier.state_dict(), later.state_dict()
    return {
        name
        for name, value in after.items()
        if name.startswith(ENCODER) and not torch.equal(value, before[name])
    }
