"""What the check before any work refuses, with the key named."""

import pytest

from fuseline.config import read_yaml
from fuseline.errors import ConfigError
from fuseline.params.whole import check, set_keys
from tests.support.repository import PARAMS_FILE

OBJECTIVES = read_yaml(PARAMS_FILE)["pretrain"]["objectives"]

WRONG = {
    "pretrain.model.fusion.kind": ("attenton", r"pretrain\.model\.fusion\.kind: .*'attention'"),
    "pretrain.model.fusion.num_heads": (5, r"pretrain\.model: .*must divide hidden_size"),
    "pretrain.model.fusion.num_bottleneck_tokens": (
        0,
        r"pretrain\.model\.fusion\.num_bottleneck_tokens: .*greater than or equal to 1",
    ),
    "pretrain.objectives.weights": (
        {"mml": 1.0},
        r"objectives\.weights: .*objective mml; valid: mlm",
    ),
    "finetune.training.layer_decay": (0.0, r"finetune\.training\.layer_decay: .*greater than 0"),
    "finetune.freezing.lora.targets": ([], r"finetune\.freezing\.lora\.targets: .*at least 1"),
    "pretrain.objectives.mlm_masking": (
        "words",
        r"objectives\.mlm_masking: .*'token', 'whole_word' or 'span'; found 'words'",
    ),
    "pretrain.objectives.contrastive_queue_size": (
        -1,
        r"objectives\.contrastive_queue_size: .*greater than or equal to 0",
    ),
    "pretrain.objectives": (
        OBJECTIVES
        | {
            "weights": OBJECTIVES["weights"] | {"contrastive": 0.0},
            "itm_negatives": "hard",
        },
        r"pretrain\.objectives: .*itm_negatives 'hard' .*weights\.contrastive above 0",
    ),
    "finetune.tasks": (
        [{"kind": "classify", "target": "label", "weight": 1.0}],
        r"finetune\.tasks\.0\.kind: .*'classification'",
    ),
    "finetune.generation.max_length_tokens": (
        1,
        r"finetune\.generation\.max_length_tokens: .*greater than or equal to 2",
    ),
    "finetune.class_weights": (
        "balancd",
        r"finetune\.class_weights: .*expected none, balanced, balanced_sampler, logit_adjustment,"
        r" or a weight by label as in \{spam: 5\.0\}; found 'balancd'",
    ),
    "evaluate.trust.target_risk": (0.0, r"evaluate\.trust\.target_risk: .*greater than 0"),
    "evaluate.generation.top_p": (0.0, r"evaluate\.generation\.top_p: .*greater than 0"),
    "adversarial_finetune.method": ("pgt", r"adversarial_finetune\.method"),
    "stress.suites": (["txt"], r"stress\.suites\.0: .*'text'.*found 'txt'"),
    "stress.text.noises": (["swap", "swap"], r"stress\.text\.noises: .*each noise may stand once"),
    "stress.text.strengths": ([0.3, 0.1], r"stress\.text\.strengths: .*strengths must rise"),
    "stress.transfer.attack.epsilon": (
        {"audio_feature": 1.0},
        r"stress\.transfer\.attack\.epsilon: expected a radius for .*only audio_feature",
    ),
    "ingest.manifest.columns.text": (
        ["title", 3],
        r"ingest\.manifest\.columns\.text: .*a name, a list of names such as \[title, descr.*, or"
        r" null; found \['title', 3\]",
    ),
    "ingest.limits.max_images": (0, r"ingest\.limits\.max_images: .*greater than or equal to 1"),
    "ingest.datasets.columns.text": ([], r"datasets\.columns\.text: .*write null for none"),
    "ingest.webdataset.columns.text": (
        ["txt", "json.a", "txt"],
        r"webdataset\.columns\.text: .*txt is named more than once",
    ),
    "evaluate.robustness.audit.gate": ("warn", r"audit\.gate: .*'report' or 'fail'; found 'warn'"),
    "evaluate.robustness.audit.max_rows": (0, r"audit\.max_rows: .*greater than or equal to 1"),
    "evaluate.robustness.attack.kind": ("autopgd", r"attack\.kind: .*'apgd'"),
    "evaluate.robustness.attack.epsilon": (
        {"text_embedding": 0.1, "image_pixel": 2.0},
        r"evaluate\.robustness\.attack\.epsilon\.image_pixel",
    ),
    "evaluate.robustness.image_pixel.attack.epsilon": (
        {"image_pixel": 0.0},
        r"image_pixel\.attack\.epsilon\.image_pixel: .*greater than 0",
    ),
    "ingest.source": ("emojis", r"ingest\.source: .*'emoji'"),
    "tokenize.scratch.num_heads": (3, r"tokenize\.scratch: .*must divide hidden_size"),
    "base.modalities": (["text", "text"], r"base\.modalities: .*each modality may stand once"),
    "pretrain.adversarial.attack.epsilon": (
        {"text_embedding": 0.1, "image_pixel": 2.0},
        r"pretrain\.adversarial\.attack\.epsilon\.image_pixel",
    ),
    "adversarial_finetune.attack.epsilon": (
        {"text_embedding": 0.0},
        r"adversarial_finetune\.attack\.epsilon\.text_embedding: .*greater than 0",
    ),
}


def with_value(key, value):
    content = read_yaml(PARAMS_FILE)
    set_keys(content, {key: value})
    return content


@pytest.mark.parametrize("key", ["a.x", "b.y", "b.z.c", "b.c.d", "n.x"])
def test_a_key_that_is_not_there_is_named_and_nothing_is_set(key):
    content = {"b": {"c": "text"}, "n": None}
    with pytest.raises(KeyError, match=key):
        set_keys(content, {"b.c": "other", key: 1})
    assert content == {"b": {"c": "text"}, "n": None}


def test_the_committed_params_pass():
    check(read_yaml(PARAMS_FILE))


def test_hard_negatives_may_stay_where_matching_is_not_trained():
    weights = OBJECTIVES["weights"] | {"itm": 0.0, "contrastive": 0.0}
    hard = OBJECTIVES | {"itm_negatives": "hard", "weights": weights}
    check(with_value("pretrain.objectives", hard))


@pytest.mark.parametrize("key", WRONG)
def test_a_wrong_value_is_refused_with_its_key(key):
    value, message = WRONG[key]
    with pytest.raises(ConfigError, match=message):
        check(with_value(key, value))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": "title"}, "'title' is the label and may not be among the texts too"),
        ({"targets": {"body": "number"}}, "'body' is a target and may not be text too"),
        (
            {"targets": {"marks": "tags"}},
            "tags of 'marks' name the words of one text, found the texts title, body: name the one",
        ),
    ],
)
def test_each_of_several_texts_is_a_text_alone(changes, message):
    content = with_value("ingest.manifest.columns.text", ["title", "body"])
    check(content)
    content["ingest"]["manifest"]["columns"] |= changes
    with pytest.raises(ConfigError, match=message):
        check(content)


def test_each_of_several_pictures_needs_a_place():
    content = with_value("ingest.manifest.columns.image", ["front", "back"])
    check(content)
    content["ingest"]["source"] = "manifest"
    with pytest.raises(
        ConfigError,
        match=r"ingest\.limits\.max_images: expected a place .* ingest\.manifest\.columns\.image"
        r" names 2 \(front, back\); found 1\. Set it to 2\.",
    ):
        check(content)
    content["ingest"]["limits"]["max_images"] = 2
    check(content)
    content["ingest"]["manifest"]["columns"]["targets"] = {"back": "category"}
    with pytest.raises(ConfigError, match="'back' is a target and may not be image too"):
        check(content)


def test_layers_are_trained_over_one_picture_a_row():
    content = with_value("extract_features.image.top_layers", 2)
    check(content)
    content["ingest"]["limits"]["max_images"] = 2
    with pytest.raises(ConfigError, match=r"top_layers: .*max_images is 2; found 2\. Use 0"):
        check(content)


def test_tags_name_the_words_of_a_list_of_one_text():
    content = with_value("ingest.manifest.columns.text", ["title"])
    content["ingest"]["manifest"]["columns"] |= {"targets": {"marks": "tags"}}
    check(content)


def test_an_attack_needs_a_space_that_takes_part():
    content = with_value("base.modalities", ["text"])
    content["adversarial_finetune"]["attack"]["epsilon"] = {"image_feature": 1.0}
    with pytest.raises(
        ConfigError, match=r"adversarial_finetune\.attack\.epsilon: expected a radius for text_emb"
    ):
        check(content)


def test_pixels_are_a_space_of_pictures():
    content = with_value("adversarial_finetune.attack.epsilon", {"image_pixel": 2.0})
    check(content)
    content["base"]["modalities"] = ["text"]
    with pytest.raises(ConfigError, match=r"expected a radius for text_emb.* only image_pixel"):
        check(content)


PIXELS = "evaluate.robustness.image_pixel.attack"
TRAINED = "adversarial_finetune.attack"
STRANGE = [
    (PIXELS, "linf", "image_pixel", 0.031, r"1 to 255 .*8-bit pixel.*found 0\.031\. .*7\.91 steps"),
    (PIXELS, "linf", "image_pixel", 0.0078, "1.99 steps"),
    (PIXELS, "linf", "image_pixel", 8 / 255, "8 steps: write that"),
    (PIXELS, "linf", "image_pixel", 0.3, "76.5 steps"),
    (PIXELS, "linf", "image_pixel", 0.999, "255 steps"),
    (PIXELS, "linf", "image_pixel", 300, "found 300. No picture can move so far"),
    (PIXELS, "linf", "image_pixel", 255.5, "found 255.5. No picture can move so far"),
    (PIXELS, "linf", "image_pixel", 1e9, "No picture can move so far"),
    (PIXELS, "l2", "image_pixel", 0.5, r"1 to 98935 with norm l2.*found 0\.5\. .*128 steps"),
    (PIXELS, "l2", "image_pixel", 100_000, "No picture can move so far"),
    (TRAINED, "linf", "image_pixel", 0.031, "7.91 steps"),
    (TRAINED, "l2", "image_pixel", 300_000, "No picture can move so far"),
    (TRAINED, "l2", "text_embedding", 300, "0.0001 to 100, a length in that space; found 300"),
    ("evaluate.robustness.attack", "l2", "image_feature", 5000, "0.0001 to 1000"),
    ("evaluate.robustness.attack", "l2", "image_feature", 1e-7, "0.0001 to 1000"),
    ("evaluate.robustness.attack", "linf", "text_embedding", 255, "0.0001 to 100"),
    ("stress.transfer.attack", "l2", "tabular_feature", 1e6, "0.0001 to 1000"),
    ("pretrain.adversarial.attack", "l2", "audio_feature", 1e-9, "0.0001 to 1000"),
]


@pytest.mark.parametrize(("attack", "norm", "space", "radius", "message"), STRANGE)
def test_a_radius_of_another_unit_is_refused(attack, norm, space, radius, message):
    """It reads as robustness, or as a model that nothing withstands."""
    epsilon = {space: radius}
    if attack != PIXELS:
        epsilon |= {"text_embedding": epsilon.get("text_embedding", 0.1)}
    content = with_value(f"{attack}.epsilon", epsilon)
    set_keys(content, {f"{attack}.norm": norm})
    with pytest.raises(ConfigError, match=rf"{attack}\.epsilon\.{space}: expected .*{message}"):
        check(content)


@pytest.mark.parametrize(
    ("norm", "radius"), [("linf", 1), ("linf", 2.5), ("linf", 255), ("l2", 127.5), ("l2", 765)]
)
def test_radii_that_papers_use_pass(norm, radius):
    content = with_value(f"{PIXELS}.epsilon", {"image_pixel": radius})
    set_keys(content, {f"{PIXELS}.norm": norm})
    check(content)


def test_a_picture_of_fewer_pixels_moves_less_far():
    content = with_value(f"{PIXELS}.epsilon", {"image_pixel": 50_000})
    set_keys(content, {f"{PIXELS}.norm": "l2"})
    check(content)
    set_keys(content, {"extract_features.image.image_size": 64})
    with pytest.raises(ConfigError, match=r"1 to 28267 with norm l2"):
        check(content)


@pytest.mark.parametrize(
    "value",
    ["none", "balanced", "balanced_sampler", "logit_adjustment", {"spam": 5.0}, {"spam": 5, 1: 2},
     {True: 2.0, 0.5: 1}],
)  # fmt: skip
def test_ways_to_learn_rare_labels(value):
    check(with_value("finetune.class_weights", value))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "expected none, balanced"),
        (2.0, "expected none, balanced"),
        ([1.0, 2.0], "expected none, balanced"),
        ({}, "expected none, balanced"),
        ("weighted", "expected none, balanced"),
        ({"spam": 0.0}, "expected a weight above 0 for the label 'spam', found 0.0"),
        ({"spam": -1}, "found -1"),
        ({"spam": "5"}, "found '5'"),
        ({"spam": True}, "found True"),
        ({"spam": None, "ham": 1}, "found None"),
        ({"spam": float("inf")}, "found inf"),
        ({"spam": float("nan")}, "found nan"),
    ],
)
def test_weights_that_weigh_nothing_are_refused(value, message):
    with pytest.raises(ConfigError, match=rf"finetune\.class_weights: .*{message}"):
        check(with_value("finetune.class_weights", value))


@pytest.mark.parametrize("value", ["balanced", "balanced_sampler", "logit_adjustment", {"a": 2}])
def test_weights_want_a_classification(value):
    content = with_value("finetune.class_weights", value)
    content["finetune"]["tasks"] = [{"kind": "retrieval", "target": None, "weight": 1.0}]
    with pytest.raises(ConfigError, match="of a classification, and tasks have none: use none"):
        check(content)
    content["finetune"]["class_weights"] = "none"
    check(content)


def test_weights_by_label_fit_one_classification():
    content = with_value("finetune.class_weights", {"a": 2})
    kinds = {"targets": {"mood": "category"}}
    content["ingest"]["source"] = "manifest"
    content["ingest"]["manifest"]["path"] = "data/raw/rows.csv"
    content["ingest"]["manifest"]["columns"] |= kinds
    task = {"kind": "classification", "target": "mood", "weight": 1.0}
    content["finetune"]["tasks"].append(task)
    with pytest.raises(ConfigError, match=r"by label fit one classification, .* label, mood"):
        check(content)
    content["finetune"]["class_weights"] = "balanced"
    check(content)


def test_adapters_need_the_text_encoder():
    content = with_value("finetune.freezing.policy", "lora")
    check(content)
    content["base"]["modalities"] = ["image", "audio"]
    with pytest.raises(
        ConfigError, match=r"finetune\.freezing\.policy: 'lora' .* has only image, audio\."
    ):
        check(content)


def test_adapters_of_pictures_need_layers_that_the_model_holds():
    content = with_value("finetune.freezing.image_policy", "lora")
    with pytest.raises(ConfigError, match=r"freezing\.image_policy: .* the model holds none\."):
        check(content)
    content["extract_features"]["image"]["top_layers"] = 2
    check(content)
    content["base"]["modalities"] = ["text"]
    with pytest.raises(ConfigError, match=r"freezing\.image_policy: .* the model holds none\."):
        check(content)


def test_patches_have_no_layers_to_train():
    content = with_value("extract_features.image.top_layers", 1)
    check(content)
    content["extract_features"]["image"]["encoder"] = "patches"
    with pytest.raises(ConfigError, match=r"image\.top_layers: 'patches' .* no layers, found 1"):
        check(content)


def test_prompts_over_media_need_media():
    content = with_value("prompt.class_prompts.over", "media")
    check(content)
    content["base"]["modalities"] = ["text"]
    with pytest.raises(ConfigError, match=r"prompt\.class_prompts\.over: 'media' .* only text\."):
        check(content)


def test_rows_are_sliced_by_what_the_source_gives():
    content = with_value("evaluate.trust.slices", ["lang", "shop"])
    wrong = r"evaluate\.trust\.slices\[1\]: expected one of lang, provenance, .*found 'shop'"
    with pytest.raises(ConfigError, match=wrong):
        check(content)
    content["ingest"]["source"] = "manifest"
    content["ingest"]["manifest"]["columns"]["tabular"] = ["shops"]
    with pytest.raises(ConfigError, match=r"Did you mean 'shops'"):
        check(content)
    content["ingest"]["manifest"]["columns"]["tabular"] = ["shop"]
    check(content)


def test_a_task_learns_what_the_source_gives():
    price = [{"kind": "regression", "target": "price", "weight": 1.0}]
    content = with_value("finetune.tasks", price)
    wrong = r"finetune\.tasks\[0\]\.target: expected one of label, .*'emoji' gives; found 'price'"
    with pytest.raises(ConfigError, match=wrong):
        check(content)
    content["ingest"]["source"] = "manifest"
    columns = content["ingest"]["manifest"]["columns"]
    columns |= {"label": None, "targets": {"prices": "number"}}
    with pytest.raises(ConfigError, match=r"expected one of prices, .*Did you mean 'prices'"):
        check(content)
    columns["targets"] = {"price": "number"}
    check(content)
    content["finetune"]["tasks"] = [{"kind": "retrieval", "target": None, "weight": 1.0}]
    check(content)


@pytest.mark.parametrize("modality", ["audio", "video", "tabular"])
def test_any_modality_has_a_space_to_attack(modality):
    content = with_value("base.modalities", [modality])
    with pytest.raises(ConfigError, match=f"expected a radius for {modality}_feature"):
        check(content)
    for attack in (
        content["adversarial_finetune"]["attack"],
        content["evaluate"]["robustness"]["attack"],
        content["stress"]["transfer"]["attack"],
    ):
        attack["epsilon"] = {f"{modality}_feature": 1.0}
    check(content)
