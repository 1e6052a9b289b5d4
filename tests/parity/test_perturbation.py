"""A zero delta is the plain forward, to the last bit."""

import pytest
import torch
from transformers import AutoConfig, AutoModel

from fuseline.learning.model.fusion import FUSIONS
from fuseline.learning.objectives.perturbation import Perturbable
from tests.support.tiny_models import SPECIAL, classifier, config, rows

SPACES = ["image_feature", "text_embedding"]


@pytest.mark.parametrize("kind", FUSIONS)
@pytest.mark.parametrize("bf16", [False, True])
def test_zero_delta_reproduces_the_plain_forward(kind, bf16):
    model, batch = classifier(kind), rows().batch(range(8))
    perturbable = Perturbable(model, batch, SPACES)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16), torch.no_grad():
        plain = model(**batch).logits
        perturbed = model(**perturbable.inputs(perturbable.start())).logits
    assert torch.equal(plain, perturbed)


@pytest.mark.parametrize("model_type", ["bert", "roberta", "mpnet"])
def test_zero_delta_reproduces_the_forward_of_encoders_that_count_positions_from_padding(
    model_type,
):
    """Some derive positions from the ids of padding, which word embeddings do not show."""
    text = config().text_config | {"model_type": model_type, "pad_token_id": 0}
    model, batch = classifier(text_config=text), rows().batch(range(8))
    assert not batch["attention_mask"].all(), "some row is padded"
    perturbable = Perturbable(model, batch, SPACES)
    with torch.no_grad():
        plain = model(**batch).logits
        perturbed = model(**perturbable.inputs(perturbable.start())).logits
    assert torch.equal(plain, perturbed)


def test_padding_special_tokens_and_absent_modalities_never_move():
    model, data = classifier(), rows()
    batch = data.batch(range(8))
    masks = Perturbable(model, batch, SPACES).masks()
    special = torch.isin(batch["input_ids"], torch.tensor(list(SPECIAL.values())))
    assert not masks["text_embedding"][special].any()
    assert not masks["text_embedding"][~batch["attention_mask"].bool()].any()
    assert not masks["text_embedding"][~batch["text_mask"]].any()
    assert not masks["image_feature"][~batch["image_mask"]].any()
    assert masks["image_feature"][batch["image_mask"]].all()
    assert masks["text_embedding"].any()


@pytest.mark.parametrize(
    ("model_type", "padding"), [("bert", "left"), ("roberta", "left"), ("roberta", "right")]
)
def test_word_embeddings_reproduce_input_ids_in_the_library_models(model_type, padding):
    """What the perturbation rests on, where positions come from the padding too."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        model_type,
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        pad_token_id=1,
    )
    encoder = AutoModel.from_config(config, add_pooling_layer=False).eval()
    ids = torch.tensor([[5, 6, 7, 8], [9, 10, 1, 1]])
    if padding == "left":
        ids = ids.flip(1)
    mask = (ids != 1).long()
    embeds = encoder.get_input_embeddings()(ids)
    positions = None
    if model_type == "roberta":
        positions = torch.cumsum(mask, 1) * mask + config.pad_token_id
    plain = encoder(input_ids=ids, attention_mask=mask, position_ids=positions)[0]
    fed = encoder(inputs_embeds=embeds, attention_mask=mask, position_ids=positions)[0]
    assert torch.equal(plain[mask.bool()], fed[mask.bool()])
