import subprocess
import sys

import pytest
import torch

from fuseline.learning.model import FuselineForTasks
from fuseline.learning.training.finetune import _pretrained_heads
from tests.support.tiny_models import classification, classifier, freezing, pretrainer, rows

SCRIPT = """
import sys, torch
from fuseline.learning.model import FuselineForTasks
folder = sys.argv[1]
torch.set_num_threads(int(sys.argv[2]))
batch = torch.load(folder + "/batch.pt", weights_only=True)
with torch.no_grad():
    logits = FuselineForTasks.from_pretrained(folder).eval()(**batch).logits
torch.save(logits, folder + "/logits.pt")
"""


@pytest.mark.parametrize("modalities", [["text", "image"], ["image", "audio", "tabular"]])
def test_a_saved_model_gives_the_same_logits_in_another_process(tmp_path, modalities):
    model = classifier(modalities=modalities)
    batch = rows(modalities=modalities).batch(range(6))
    model.save_pretrained(tmp_path)
    torch.save(batch, tmp_path / "batch.pt")
    # How a product is shared among threads decides its last bits.
    threads = str(torch.get_num_threads())
    subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path), threads], check=True)
    with torch.no_grad():
        expected = model(**batch).logits
    assert torch.equal(torch.load(tmp_path / "logits.pt", weights_only=True), expected)


def test_a_saved_model_is_safetensors_only(tmp_path):
    classifier().save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def test_pictures_and_their_stored_features_give_the_same_logits():
    image = {"name": "patches", "grid": 2, "top_layers": 0, "image_size": 16, "config": None}
    shape = {"image": {"positions": 4, "dim": 192}}
    model = classifier(image_encoder=image, features=shape)
    pixels = torch.randint(0, 256, (3, 3, 16, 16)).float()
    features = model.fuseline.encode_image(pixels)
    ids = torch.tensor([[2, 9, 3]] * 3)
    from_pixels = model(input_ids=ids, pixel_values=pixels).logits
    assert torch.equal(from_pixels, model(input_ids=ids, image_features=features).logits)


def test_no_tokens_is_an_error():
    with pytest.raises(ValueError, match="input_ids or inputs_embeds is required"):
        classifier()(image_features=torch.zeros(1, 4, 12))


def test_a_model_without_text_has_no_text_encoder():
    model = pretrainer(modalities=["audio", "image"])
    assert not any("text" in name or "mlm" in name for name, _ in model.named_parameters())
    with pytest.raises(ValueError, match="takes no text"):
        model.get_input_embeddings()
    with pytest.raises(ValueError, match="at least one modality is required"):
        model(input_ids=torch.tensor([[2, 3]]))


def test_a_modality_left_out_of_the_call_is_absent():
    model = classifier(modalities=["image", "audio"])
    batch = rows(modalities=["image", "audio"]).batch(range(6))
    absent = batch | {"audio_mask": torch.zeros(6, dtype=torch.bool)}
    without = {name: value for name, value in batch.items() if not name.startswith("audio")}
    assert torch.equal(model(**without).logits, model(**absent).logits)


def test_the_level_of_a_sound_does_not_matter_and_its_course_does():
    """Log spectra of a louder clip are higher by a constant."""
    model, batch = classifier(modalities=["audio"]), rows(modalities=["audio"]).batch([0, 1])
    logits = model(**batch).logits
    louder = batch | {"audio_features": batch["audio_features"] + 3.0}
    assert torch.allclose(model(**louder).logits, logits, atol=1e-5)
    fading = batch["audio_features"] + torch.linspace(0, 3, 6)[None, :, None]
    assert not torch.allclose(model(**(batch | {"audio_features": fading})).logits, logits)


def test_freezing_policies_train_exactly_what_they_say():
    from fuseline.learning.training.freezing import apply_freezing

    def trained(policy: str, top_k: int = 1) -> set[str]:
        model = classifier()
        apply_freezing(model, freezing(policy, top_k))
        return {name for name, p in model.named_parameters() if p.requires_grad}

    everything = trained("none")
    text = {name for name in everything if ".text_encoder." in name}
    head = {name for name in everything if not name.startswith("fuseline.")}
    layers = {"norm", "classifier", "experts.norms.text", "experts.layers.image"}
    assert {f"heads.0.{layer}.{kind}" for layer in layers for kind in ("weight", "bias")} < head
    assert trained("head") == head
    assert trained("all") == everything - text
    top = {name for name in text if ".encoder.layer.1." in name}
    assert top
    assert trained("top_k") == (everything - text) | top


def test_pretrained_heads_are_dropped_and_the_backbone_kept(tmp_path):
    pretrained = pretrainer(seed=3)
    pretrained.save_pretrained(tmp_path)
    model = FuselineForTasks.from_pretrained(tmp_path, tasks=[classification()])
    theirs = pretrained.fuseline.state_dict()
    assert all(torch.equal(value, theirs[k]) for k, value in model.fuseline.state_dict().items())
    assert model.heads[0].classifier.weight.shape == (3, 16)


def test_a_head_that_began_in_pretraining_is_saved_under_its_own_name(tmp_path):
    entry = {
        "name": "retrieval", "kind": "retrieval", "target": None, "weight": 1.0,
        "head": {"kind": "contrastive", "modalities": ["text", "image"]}, "facts": {},
    }  # fmt: skip
    start = pretrainer()
    start.save_pretrained(tmp_path / "pretrained")
    model = FuselineForTasks.from_pretrained(
        tmp_path / "pretrained",
        tasks=[entry],
        key_mapping=_pretrained_heads([entry]),
    )
    head = model.heads[0].contrastive_heads["text"]
    assert torch.equal(head.weight, start.contrastive_heads["text"].weight)
    model.save_pretrained(tmp_path / "finetuned")
    again = FuselineForTasks.from_pretrained(tmp_path / "finetuned")
    assert torch.equal(again.heads[0].contrastive_heads["text"].weight, head.weight)
