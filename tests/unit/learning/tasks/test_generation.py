"""Texts: labels, losses, decoding, and the decoder that writes them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn
from transformers import PreTrainedTokenizerFast

from fuseline.data.dataset import NO_LABEL
from fuseline.data.modalities.text.vocabulary import train_tokenizer
from fuseline.errors import ConfigError, ContractError
from fuseline.learning.model import FuselineForTasks
from fuseline.learning.tasks.base import Cells
from fuseline.learning.tasks.generation import Generation, text_scores
from fuseline.learning.tasks.prediction import predict
from fuseline.params.evaluate import EvaluateParams
from tests.support.evaluation_params import AUDIT, PIXELS
from tests.support.tiny_models import SPECIAL, config, rows

TEXTS = ["a red ant", "two bees fly", "a cat", "the old ant naps", "bees", "a red cat naps"]
LIMIT = 8


def tokenizer(texts: list[str] = TEXTS) -> PreTrainedTokenizerFast:
    names = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    return PreTrainedTokenizerFast(tokenizer_object=train_tokenizer(texts, 80, words=True), **names)


def cells(count: int = len(TEXTS), **changes: object) -> Cells:
    values = {"values": TEXTS[:count], "texts": TEXTS[:count], "data": rows(count)}
    return Cells(**(values | changes), tokenizer=tokenizer(), where="examples")


def generation(limit: int = LIMIT, num_heads: int = 2) -> Generation:
    shape = {"num_layers": 2, "num_heads": num_heads, "max_length_tokens": limit}
    return Generation("caption", Generation.learn(cells()) | shape)


def labelled(task: Generation, found: Cells):
    return replace(found.data, labels=task.labels(found))


def writer(task: Generation, seed: int = 0, **changes: object) -> FuselineForTasks:
    entry = {
        "name": "caption", "kind": "generation", "target": "caption", "weight": 1.0,
        "head": task.head, "facts": task.facts,
    }  # fmt: skip
    torch.manual_seed(seed)
    model = FuselineForTasks(config(tasks=[entry], **changes)).eval()
    # Fresh logits are all but equal: every choice would be a tie.
    nn.init.normal_(model.heads[0].decoder.get_input_embeddings().weight, std=0.5)
    return model


def how(**changes: object) -> EvaluateParams:
    values = {
        "num_beams": 3, "length_penalty": 1.0, "sample": False, "temperature": 1.0, "top_p": 0.9,
    }  # fmt: skip
    attack = {
        "kind": "pgd", "norm": "l2", "per": "position", "epsilon": {"image_feature": 1.0},
        "num_steps": 1, "step_size": 0.5, "random_start": False,
    }  # fmt: skip
    return EvaluateParams.model_validate(
        {
            "batch_size": 4,
            "num_calibration_bins": 4,
            "generation": values | changes,
            "robustness": {
                "attack": attack,
                "num_restarts": 1,
                "curve_restarts": 1,
                "scales": [1.0, 2.0],
                "audit": AUDIT,
                "image_pixel": PIXELS,
            },
            "trust": {
                "num_resamples": 40,
                "target_risk": 0.1,
                "slices": [],
                "min_slice_rows": 2,
            },
        }
    )


@pytest.fixture(scope="module")
def trained():
    """A model that has learnt six rows by heart."""
    task, found = generation(), cells()
    model, data = writer(task), labelled(task, found)
    batch = data.batch(np.arange(len(data)))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    losses = []
    for _ in range(150):
        loss = task.losses(model(**batch).logits, batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model, task, found, losses


def test_labels_end_with_the_separator_and_are_padded():
    task, found = generation(), cells(3, values=["a cat", None, "a red ant naps"])
    labels = task.labels(found)
    ids = found.tokenizer("a cat", add_special_tokens=False)["input_ids"]
    assert labels[0].tolist() == [*ids, SPECIAL["sep"], NO_LABEL, NO_LABEL]
    assert task.has_label(labels).tolist() == [True, False, True]


def test_a_long_text_loses_its_tail_and_its_end():
    labels = generation(limit=3).labels(cells(1, values=["the old ant naps"]))
    assert labels.shape == (1, 3)
    assert SPECIAL["sep"] not in labels


def test_nothing_to_learn_is_refused():
    with pytest.raises(ContractError, match=r"^examples: expected texts to learn from, found none"):
        Generation.learn(cells(2, values=[None, None]))


def test_heads_must_share_the_width():
    message = r"^finetune\.generation\.num_heads: expected a divisor of .* 16; found 3\.$"
    with pytest.raises(ConfigError, match=message):
        writer(generation(num_heads=3))


def test_losses_are_the_mean_over_a_texts_own_tokens():
    task = generation()
    logits = torch.randn(2, 3, 10, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([[4, 3, NO_LABEL, NO_LABEL], [NO_LABEL] * 4])
    losses = task.losses(logits, {"labels": labels})
    expected = -logits.log_softmax(-1)
    torch.testing.assert_close(losses[0], (expected[0, 0, 4] + expected[0, 1, 3]) / 2)
    assert losses[1] == 0
    assert not task.right(logits, {"labels": labels})[1]


def test_the_decoder_learns_texts_by_heart(trained):
    model, task, found, losses = trained
    assert losses[-1] < 0.05 < losses[0]
    (one,) = predict(model, [task], labelled(task, found), 4)
    assert one.right.all()
    assert task.scores(one.outputs, labelled(task, found)) == {"token_accuracy": 1.0}
    decoded = task.decode(model, 0, found, how(), 0)
    assert decoded.texts == TEXTS == decoded.references
    assert decoded.scores["exact_match"] == 1.0
    assert decoded.scores["chrf"] == pytest.approx(100.0)


def test_an_untrained_decoder_writes_none_of_them():
    task = generation()
    assert task.decode(writer(task), 0, cells(), how(), 0).scores["exact_match"] == 0.0


@pytest.mark.parametrize("seed", range(4))
def test_beams_find_what_is_at_least_as_likely_as_the_greedy_text(seed):
    task = generation()
    model, batch = writer(task, seed), rows(6).batch(np.arange(6))

    def likelihood(**options: object) -> torch.Tensor:
        tokens = model.generate(batch, **options)
        ended = (tokens == SPECIAL["sep"]).cumsum(1) - (tokens == SPECIAL["sep"]).long() > 0
        labels = tokens.masked_fill(ended, NO_LABEL)
        taught = batch | {"labels": labels}
        count = (labels != NO_LABEL).sum(1)
        return -task.losses(model(**taught).logits, taught) * count

    beams = likelihood(num_beams=8, length_penalty=0.0)
    assert (beams >= likelihood(num_beams=1, do_sample=False) - 1e-4).all()


def test_draws_hang_on_the_seed_alone():
    task = generation()
    model, sample = writer(task), how(sample=True, top_p=1.0)
    texts = [task.decode(model, 0, cells(), sample, seed).texts for seed in (1, 1, 2)]
    torch.rand(3)
    assert texts[0] == texts[1] == task.decode(model, 0, cells(), sample, 1).texts
    assert texts[0] != texts[2]


def test_decoding_leaves_the_generator_alone():
    task = generation()
    model = writer(task)
    before = torch.get_rng_state()
    task.decode(model, 0, cells(), how(sample=True), 5)
    assert torch.equal(before, torch.get_rng_state())


def test_teacher_forcing_is_decoding_step_by_step(trained):
    model, task, found, _ = trained
    data = labelled(task, found)
    batch = data.batch(np.arange(len(data)))
    forced = model(**batch).logits
    unasked = {name: value for name, value in batch.items() if name != "labels"}
    torch.testing.assert_close(model(**unasked).logits, forced[:, :1], rtol=1e-4, atol=1e-4)
    for length in range(1, forced.shape[1]):
        # One token more: logits at its place are those after all tokens before it.
        cut = batch | {"labels": batch["labels"][:, : length + 1]}
        logits = model(**cut).logits
        torch.testing.assert_close(logits, forced[:, : logits.shape[1]], rtol=1e-4, atol=1e-4)
    texts = model.generate(batch, num_beams=1)
    asked = batch["labels"] != NO_LABEL
    assert torch.equal(texts[asked[:, : texts.shape[1]]], batch["labels"][asked])


def test_the_cache_changes_nothing():
    task = generation()
    model, batch = writer(task), rows(5).batch(np.arange(5))
    for num_beams in (1, 3):
        with_cache = model.generate(batch, num_beams=num_beams)
        without = model.generate(batch, num_beams=num_beams, use_cache=False)
        assert torch.equal(with_cache, without)


def test_padding_and_what_is_absent_change_nothing(trained):
    model, _, found, _ = trained
    data = found.data
    alone = [model.generate(data.batch([row]), num_beams=2)[0] for row in range(len(data))]
    batch = data.batch(np.arange(len(data)))
    batch["input_ids"] = nn.functional.pad(batch["input_ids"], (0, 8))
    batch["attention_mask"] = nn.functional.pad(batch["attention_mask"], (0, 8))
    batch["image_features"][~batch["image_mask"]] = 7.0
    together = model.generate(batch, num_beams=2)
    for row, tokens in enumerate(alone):
        assert torch.equal(together[row, : len(tokens)], tokens)
        assert (together[row, len(tokens) :] == SPECIAL["pad"]).all()


def test_labels_play_no_part_in_decoding(trained):
    model, task, found, _ = trained
    taught = labelled(task, found).batch([0, 1])
    plain = {name: value for name, value in taught.items() if name != "labels"}
    assert torch.equal(model.generate(taught), model.generate(plain))


def test_a_saved_model_writes_the_same(trained, tmp_path):
    model, task, found, _ = trained
    model.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", "pt") as saved:
        names = [name for name in saved.keys() if "decoder.weight" in name]  # noqa: SIM118
    assert not names, "the shared matrix is stored once"
    loaded = FuselineForTasks.from_pretrained(tmp_path).eval()
    decoder = loaded.heads[0].decoder
    assert decoder.get_output_embeddings().weight is decoder.get_input_embeddings().weight
    assert task.decode(loaded, 0, found, how(), 0).texts == TEXTS


def test_a_model_without_text_can_write():
    task = generation()
    model = writer(task, modalities=["image"])
    model.start_decoders()
    batch = rows(4, modalities=["image"]).batch(np.arange(4))
    assert model.generate(batch, max_new_tokens=3).shape == (4, 3)


def test_new_decoders_begin_with_the_text_encoders_words():
    model = writer(generation())
    model.start_decoders()
    own = model.heads[0].decoder.get_input_embeddings().weight
    words = model.get_input_embeddings().weight
    shared = min(len(own), len(words))
    torch.testing.assert_close(own[:shared], words[:shared])


def test_other_tasks_write_no_texts():
    entry = {
        "name": "label", "kind": "classification", "target": "label", "weight": 1.0,
        "head": {"kind": "pooled", "size": 3}, "facts": {"labels": ["ant", "bee", "cat"]},
    }  # fmt: skip
    model = FuselineForTasks(config(tasks=[entry])).eval()
    with pytest.raises(ValueError, match=r"^Task 0 of this model, classification, writes no texts"):
        model.generate(rows(2).batch([0, 1]))


def test_text_scores():
    assert text_scores([], tokenizer()) == {"chrf": 0.0, "bleu": 0.0, "exact_match": 0.0}
    found = text_scores([("a red ant", "a  red ant"), ("bees", "a cat")], tokenizer())
    assert found["exact_match"] == 0.5
    assert 0 < found["chrf"] < 100


def test_right_tokens_have_the_highest_bleu_whatever_their_spaces():
    references = ["don't e-mail it.", "who's there?", "well, it's an all-red ant!"]
    spelling = tokenizer(references)
    ids = [spelling(text, add_special_tokens=False)["input_ids"] for text in references]
    texts = [spelling.decode(one) for one in ids]
    assert texts[0].startswith("don ' t e - mail it")
    found = text_scores(list(zip(texts, references, strict=True)), spelling)
    assert found["bleu"] == pytest.approx(100.0)
    assert found["exact_match"] == 1.0
    wrong = text_scores(list(zip(reversed(texts), references, strict=True)), spelling)
    assert wrong["bleu"] < 50


def test_a_reference_with_an_unknown_token_keeps_its_words():
    pair = ("a red [UNK] , too", "a red 蟻, too")
    found = text_scores([pair], tokenizer())
    assert found["bleu"] < 100
    assert found["exact_match"] == 0.0


def test_references_are_whole_and_without_letter_case(trained):
    model, task, found, _ = trained
    shouted = replace(found, values=[text.upper() for text in TEXTS[:-1]] + [None])
    decoded = task.decode(model, 0, shouted, how(), 0)
    assert decoded.references == [*TEXTS[:-1], ""]
    assert decoded.scores["exact_match"] == 1.0
