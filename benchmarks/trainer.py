"""Our training step and features beside what one would use instead, on the same rows and weights.

Transformers' Trainer as its examples set it up (every text padded to one length, float32), the same
tuned (rows grouped by length, the vocabulary's logits at masked positions only, bfloat16 where the
processor is faster in it), and ours; frozen features of texts and pictures beside a loop one by
one; the linear twin beside scikit-learn's own search. Texts are those of BANKING77, in
`$FUSELINE_TEST_DATA/banking77`. Each runs on one thread, in a process of its own; they take turns.
Times are those of the processor, which what else the machine does moves less than those of a clock.

Rates are real tokens a second, special ones too, padding left out. The share of products is what
the linear layers need at least, by counting multiply-adds of real tokens, beside the rate of bare
matrix products of the same shapes. Our models have fusion layers on top of the encoder, as the
shipped params have them, which count among their work and not in the ratios.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from benchmarks.contestants import Maker, Piece, Ratio, Result, Work, compete
from benchmarks.workspace import ROOT

FIGURES, CHART = ROOT / "docs/performance.json", ROOT / "docs/performance.svg"
TEXTS_ONLY: Mapping[str, Any] = {"base.modalities": ["text"]}
WAYS = ("examples", "tuned", "ours")
PADDED_TOKENS = 64
PRODUCTS = "bare products"


@dataclass(frozen=True)
class Sizes:
    """How much is measured: rows of each file (None for all), rows a batch, steps a piece, texts,
    pictures and rows of the twin; rounds that count."""

    num_rows: int | None = None
    batch_rows: int = 64
    classified_rows: int = 32
    num_steps: int = 3
    num_texts: int = 1500
    num_pictures: int = 48
    twin_rows: int = 1000
    num_rounds: int = 5


@dataclass(frozen=True)
class Setting:
    """Contestants of one work, ours the last, and multiply-adds of a unit of it by contestant,
    where they are counted: forward passes, and what a backward pass adds."""

    unit: str
    makers: Mapping[str, Maker]
    multiply_adds: Mapping[str, float]


def main(
    sizes: Sizes = Sizes(), changes: Mapping[str, Any] = TEXTS_ONLY, out: Path | None = None
) -> None:
    """Print rates, ratios with their least and most, shares of the products' rate and memory.

    Args:
        sizes: how much is measured.
        changes: to the shipped params.
        out: folder for the figures as JSON and the ratios as SVG; None for neither.
    """
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="fuseline-") as name:
        folder = Path(name)
        prepare(folder, sizes, changes)
        print("| work | way | a second | ours over it | share of products | most memory |")
        print("|---|---|---|---|---|---|")
        for title, setting in settings(folder, sizes, changes).items():
            results = compete(setting.makers, sizes.num_rounds)
            found[title] = figures(setting, results)
            for line in lines(title, found[title]):
                print(line, flush=True)
    if out:
        (out / FIGURES.name).write_text(f"{json.dumps(found, indent=2)}\n", encoding="utf-8")
        (out / CHART.name).write_text(chart(found), encoding="utf-8")


def prepare(folder: Path, sizes: Sizes, changes: Mapping[str, Any]) -> None:
    """Tables of the rows, and a model whose text encoder is the pre-trained one."""
    from benchmarks.banking77 import sections, write_tables
    from fuseline.learning.model.creation import create_model
    from fuseline.learning.model.processing import create_processor
    from fuseline.pipeline.precision import make_deterministic

    make_deterministic(0, 1)
    write_tables(folder, sizes.num_rows, changes)
    params = sections(changes)
    of = folder / "tokenizer", folder / "features"
    model = create_model(params["pretrain"].model, *of, params["base"].modalities)
    model.save_pretrained(folder / "pretrained")
    create_processor(*of, params["base"].modalities).save_pretrained(folder / "pretrained")


def settings(folder: Path, sizes: Sizes, changes: Mapping[str, Any]) -> dict[str, Setting]:
    """All works, by title."""
    from benchmarks import trainings

    mlm = (sizes.batch_rows, PADDED_TOKENS, sizes.num_steps)
    labels = (sizes.classified_rows, PADDED_TOKENS, sizes.num_steps)
    products = {PRODUCTS: partial(bare_products, folder, sizes.batch_rows)}
    theirs, ours, head = token_weights(folder)
    masked = trainings.MASKED_SHARE * head
    return {
        "masked language modelling": Setting(
            "tokens",
            products
            | {way: partial(trainings.masked_language, folder, changes, mlm, way) for way in WAYS},
            {"examples": 3 * (theirs + masked), "tuned": 3 * (theirs + masked)}
            | {"ours": 3 * (ours + masked)},
        ),
        **{
            f"fine-tuning, encoder {'frozen' if frozen else 'trained'}": Setting(
                "tokens",
                products
                | {
                    way: partial(
                        trainings.classification, folder, changes, labels, way, frozen=frozen
                    )
                    for way in WAYS
                },
                dict.fromkeys(("examples", "tuned"), theirs * (1 if frozen else 3))
                | {"ours": 3 * ours - (2 * theirs if frozen else 0)},
            )
            for frozen in (True, False)
        },
        "frozen features of texts": Setting(
            "texts",
            {
                "one by one": partial(texts_one_by_one, folder, sizes.num_texts),
                "ours": partial(texts_together, folder, sizes.num_texts),
            },
            {},
        ),
        "frozen features of pictures": Setting(
            "pictures",
            {
                "one by one": partial(pictures, sizes.num_pictures, together=False),
                "ours": partial(pictures, sizes.num_pictures, together=True),
            },
            {},
        ),
        "linear twin": Setting(
            "rows",
            {
                "scikit-learn": partial(twin, folder, changes, sizes.twin_rows, ours=False),
                "ours": partial(twin, folder, changes, sizes.twin_rows, ours=True),
            },
            {},
        ),
    }


def token_weights(folder: Path) -> tuple[int, int, int]:
    """Multiply-adds of a token in the encoder's layers, in our layers with it, and of a masked
    token in the vocabulary's head."""
    from benchmarks.trainings import matrix_weights
    from fuseline.learning.model.modeling import FuselineForPreTraining

    model = FuselineForPreTraining.from_pretrained(folder / "pretrained")
    backbone = model.fuseline
    theirs = matrix_weights(backbone.text_encoder)
    fused = matrix_weights(backbone.fusion) + matrix_weights(backbone.embeddings)
    vocabulary = model.get_input_embeddings().weight.numel()
    return theirs, theirs + fused, vocabulary + matrix_weights(model.mlm_transform)


def bare_products(folder: Path, batch_rows: int) -> Work:
    """Products of the encoder's shapes and of as many tokens as a batch has on average; their
    amount is multiply-adds."""
    import torch

    from fuseline.contracts import TOKENS, read_table
    from fuseline.data.modalities.text.encoder import text_config
    from fuseline.pipeline.precision import autocast, make_deterministic

    make_deterministic(0, 1)
    config = text_config(folder / "tokenizer")
    lengths = [len(ids) for ids in read_table(folder / "tokens", TOKENS, "tokens")["input_ids"]]
    tokens = batch_rows * sum(lengths) // len(lengths)
    width, inner = config.hidden_size, config.intermediate_size
    shapes = [*[(width, width)] * 4, (width, inner), (inner, width)] * config.num_hidden_layers
    layers = [torch.nn.Linear(*shape) for shape in shapes]
    inputs = {size: torch.randn(tokens, size) for size in (width, inner)}

    def work(turn: int) -> Piece:
        del turn
        start = time.process_time()
        with torch.inference_mode(), autocast("auto"):
            for layer in layers:
                layer(inputs[layer.in_features])
        seconds = time.process_time() - start
        return Piece(seconds, tokens * sum(layer.weight.numel() for layer in layers))

    return work


def texts_one_by_one(folder: Path, num_texts: int) -> Work:
    """The usual loop: a text's tokens, the encoder in float32, the mean of its states."""
    import torch

    from fuseline.data.modalities.text.encoder import load_text_encoder
    from fuseline.pipeline.precision import make_deterministic

    make_deterministic(0, 1)
    encoder = load_text_encoder(folder / "tokenizer").eval()
    texts = [torch.from_numpy(ids) for ids in token_ids(folder, num_texts)]

    def work(turn: int) -> Piece:
        del turn
        start = time.process_time()
        with torch.no_grad():
            for ids in texts:
                encoder(input_ids=ids.unsqueeze(0)).last_hidden_state.mean(1).numpy()
        return Piece(time.process_time() - start, len(texts))

    return work


def texts_together(folder: Path, num_texts: int) -> Work:
    """Ours, as `baseline` has it; loading the encoder counts."""
    from fuseline.data.modalities.text.encoder import embed_texts
    from fuseline.evaluation.twins.frozen import TEXTS_AT_ONCE
    from fuseline.pipeline.precision import make_deterministic

    make_deterministic(0, 1)
    texts = token_ids(folder, num_texts)

    def work(turn: int) -> Piece:
        del turn
        start = time.process_time()
        embed_texts(folder / "tokenizer", texts, TEXTS_AT_ONCE, "auto")
        return Piece(time.process_time() - start, len(texts))

    return work


def token_ids(folder: Path, num_texts: int) -> list[Any]:
    """The first texts' tokens, an int64 array each."""
    import numpy as np

    from fuseline.contracts import TOKENS, read_table

    table = read_table(folder / "tokens", TOKENS, "tokens")
    return [np.array(ids) for ids in table["input_ids"][:num_texts].to_pylist()]


def pictures(num_pictures: int, *, together: bool) -> Work:
    """Stored pictures through the default encoder; see `images`."""
    from benchmarks.images import extraction, one_by_one, stored_pictures
    from fuseline.pipeline.precision import make_deterministic

    make_deterministic(0, 1)
    stored = stored_pictures(num_pictures)
    encode = extraction("efficientnet_lite0") if together else one_by_one(None)

    def work(turn: int) -> Piece:
        del turn
        start = time.process_time()
        encode(stored)
        return Piece(time.process_time() - start, len(stored))

    return work


def twin(folder: Path, changes: Mapping[str, Any], num_rows: int, *, ours: bool) -> Work:
    """A linear model of the frozen texts, its penalty chosen on the development rows; without their
    encoding."""
    import numpy as np
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import PredefinedSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from benchmarks.trainings import Read
    from fuseline.data.modalities.text.encoder import embed_texts
    from fuseline.evaluation.twins.classification import Block, predict_twin
    from fuseline.learning.tasks.linear import MAX_ITERATIONS, STRENGTHS
    from fuseline.pipeline.precision import make_deterministic

    make_deterministic(0, 1)
    rows = Read.of(folder, changes).rows
    rows = rows.take(np.linspace(0, len(rows) - 1, min(num_rows, len(rows)), dtype=int))
    # A fifth, for which labels must lie in both parts.
    is_dev = np.arange(len(rows)) % 5 == 4
    vectors = embed_texts(folder / "tokenizer", rows.input_ids, 256, "auto")
    rows.splits[:] = np.where(is_dev, "dev", "train")

    def work(turn: int) -> Piece:
        del turn
        start = time.process_time()
        if ours:
            predict_twin(rows, [Block(vectors, rows.text_mask)])
        else:
            search = LogisticRegressionCV(
                Cs=STRENGTHS,
                cv=PredefinedSplit(np.where(is_dev, 0, -1)),
                scoring="f1_macro",
                max_iter=MAX_ITERATIONS,
            )
            make_pipeline(StandardScaler(), search).fit(vectors, rows.labels)
        return Piece(time.process_time() - start, len(rows))

    return work


def figures(setting: Setting, results: Mapping[str, Result]) -> dict[str, Any]:
    """What the table, the JSON and the plot say of one work."""
    products = results.get(PRODUCTS)
    found: dict[str, Any] = {"unit": setting.unit, "ways": {}}
    if products:
        found["products_gflops"] = 2e-9 * products.rate
    for name, result in results.items():
        if name == PRODUCTS:
            continue
        ratio = Ratio.of(results["ours"], result)
        needed = setting.multiply_adds.get(name)
        share = needed * result.rate / products.rate if needed and products else None
        found["ways"][name] = {
            "rate": result.rate,
            "ours_over_it": asdict(ratio),
            "share_of_products": share,
            "memory_mib": result.memory_mib,
        }
    return found


def lines(title: str, found: Mapping[str, Any]) -> list[str]:
    """Rows of the table, ours the last."""
    rows = []
    for name, way in found["ways"].items():
        share = way["share_of_products"]
        rows.append(
            f"| {title} | {name} | {way['rate']:.0f} {found['unit']} |"
            f" {Ratio(**way['ours_over_it'])} | {f'{share:.0%}' if share else ''} |"
            f" {way['memory_mib']:.0f} MiB |"
        )
    if "products_gflops" in found:
        rows.append(f"| {title} | {PRODUCTS} | {found['products_gflops']:.0f} GFLOP | | 100% | |")
    return rows


def chart(found: Mapping[str, Any]) -> str:
    """How many times as fast ours is, with the least and the most of all rounds, as SVG."""
    rows = [
        {"work": f"{title}: {name}", **way["ours_over_it"]}
        for title, work in found.items()
        for name, way in work["ways"].items()
        if name != "ours"
    ]
    order = [row["work"] for row in rows]
    bars = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("work:N", sort=order, title=None, axis=alt.Axis(labelLimit=400)),
    )
    scale = alt.Scale(type="log")
    points = bars.mark_point(filled=True, size=60).encode(
        x=alt.X("median:Q", scale=scale, title="ours, times as fast"),
    )
    spans = bars.mark_rule(strokeWidth=2).encode(x=alt.X("least:Q", scale=scale), x2="most:Q")
    drawn = (spans + points).properties(width=360, height=24 * len(rows))
    svg: str = vl_convert.vegalite_to_svg(drawn.to_dict())
    return svg


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"{FIGURES.name} and {CHART.name}")
    main(out=FIGURES.parent if parser.parse_args().write else None)
