import torch

from fuseline.learning.model import FuselineForTasks
from fuseline.learning.model.experts import UnimodalExperts, where_single
from tests.support.tiny_models import EVERY, classification, classifier, config, pretrainer, rows


def only(batch, *kept):
    """The batch with every other modality absent."""
    names = [name for name in EVERY if f"{name}_mask" in batch]
    return batch | {
        f"{name}_mask": torch.full_like(batch[f"{name}_mask"], name in kept) for name in names
    }


def test_a_row_with_one_modality_gets_its_experts_logits():
    model, batch = classifier(modalities=EVERY), rows(modalities=EVERY).batch(range(6))
    for name in EVERY:
        output = model(**only(batch, name))
        assert torch.equal(output.logits, output.by_modality[0][name])


def test_a_row_with_several_or_none_gets_the_fused_logits():
    model, batch = classifier(modalities=EVERY), rows(modalities=EVERY).batch(range(6))
    for kept in (("text", "image"), ("image", "audio", "tabular"), ()):
        partial = only(batch, *kept)
        pooled = model.fuseline(**{k: v for k, v in partial.items() if k[:2] not in ("la", "gr")})
        head = model.heads[0]
        fused = head.classifier(head.norm(pooled.pooled))
        assert torch.equal(model(**partial).logits, fused)


def test_rows_of_a_batch_are_told_apart():
    present = {
        "text": torch.tensor([True, True, False]), "image": torch.tensor([True, False, True])
    }  # fmt: skip
    alone = {"text": torch.full((3, 2), 1.0), "image": torch.full((3, 2), 2.0)}
    logits = where_single(present, alone, torch.zeros(3, 2))
    assert logits[:, 0].tolist() == [0.0, 1.0, 2.0]


def test_a_model_of_one_modality_has_no_experts():
    model, batch = classifier(modalities=["audio"]), rows(modalities=["audio"]).batch([0, 1])
    assert not list(model.heads[0].experts.parameters())
    assert model(**batch).by_modality == [{}]


def test_a_modality_that_is_not_given_is_absent():
    model, batch = classifier(), rows().batch(range(6))
    given = {name: batch[name] for name in ("input_ids", "attention_mask")}
    output = model(**given)
    assert torch.equal(output.logits, output.by_modality[0]["text"])


def test_an_expert_hears_its_own_modality_only():
    model, batch = classifier(), rows().batch(range(6))
    before = model(**batch).by_modality[0]
    after = model(**(batch | {"input_ids": batch["input_ids"].flip(0)})).by_modality[0]
    assert torch.equal(before["image"], after["image"])
    assert not torch.allclose(before["text"], after["text"])


def test_experts_give_float32_under_autocast():
    experts = UnimodalExperts(config(), 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = experts({"text": torch.zeros(2, 16), "image": torch.zeros(2, 16)})
    assert logits["text"].dtype == torch.float32
    assert logits["text"].shape == (2, 3)


def test_a_pretrained_model_gets_new_experts(tmp_path):
    pretrainer().save_pretrained(tmp_path)
    entry = classification() | {"head": {"kind": "pooled", "size": 5}}
    model = FuselineForTasks.from_pretrained(tmp_path, tasks=[entry])
    for layer in model.heads[0].experts.layers.values():
        assert layer.weight.shape == (5, 16)
        assert 0.01 < layer.weight.std() < 0.03
