"""Answers of an exported model: how long one takes, how many a second, in how much memory.

In a repository whose pipeline has run. One row of text and stored features goes through the model
in torch and through both graphs in turn, on one thread, and so does a row from its picture's bytes
on. Then a table of short texts is answered by `fuseline predict` in a process of its own, beside a
linear model of words and Transformers' own pipeline over the same encoder.
"""

from __future__ import annotations

import csv
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

NUM_ROWS = (10_000, 100_000)
PIPELINE_ROWS = 2_000
ENDINGS = {"onnx": (), "int8": ("--int8",)}
Call = Callable[[], object]


def main(
    root: Path = Path(), sizes: tuple[int, ...] = NUM_ROWS, num_rounds: int = 40, threads: int = 2
) -> None:
    """Print medians, ratios to torch, rows a second and peak memory.

    Args:
        root: of a repository with `models/export` and the tables it was made of.
        sizes: rows of the tables to answer.
        num_rounds: of each single row.
        threads: of the tables' answers.
    """
    for title, calls in (("stored features", stored(root)), ("picture bytes", raw(root))):
        if calls:
            for name, (median, ratio) in timed(calls, num_rounds).items():
                print(f"{title:<17}{name:<8}{1000 * median:>8.2f} ms{ratio:>7.2f} of torch")
    texts = training_texts(root)
    for name, rate in rivals(root, texts).items():
        print(f"{'short texts':<17}{name:<22}{rate:>9.0f} rows a second")
    for size in sizes:
        for name, options in ENDINGS.items():
            rate, peak = answered(root, texts, size, threads, options)
            print(
                f"{'short texts':<17}predict, {name:<13}{rate:>9.0f} rows a second{size:>9} rows"
                f"{peak:>7.2f} GiB",
                flush=True,
            )


def timed(calls: Mapping[str, Call], num_rounds: int) -> dict[str, tuple[float, float]]:
    """Median seconds of each call, all taking turns, and its ratio to the first's."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(num_rounds + 1):
        for name in random.Random(turn).sample([*calls], len(calls)):
            start = time.perf_counter()
            calls[name]()
            seconds[name].append(time.perf_counter() - start)
    # The first of each allocates.
    medians = {name: statistics.median(found[1:]) for name, found in seconds.items()}
    first = next(iter(medians.values()))
    return {name: (median, median / first) for name, median in medians.items()}


def stored(root: Path) -> dict[str, Call]:
    """One test row of text and stored features through the model and its graphs."""
    import torch

    from benchmarks.trained import load_trained
    from fuseline.config import load_section
    from fuseline.params.base import BaseParams
    from fuseline.serving.contract import MODEL_FILES
    from fuseline.serving.sessions import Graph

    torch.set_num_threads(1)
    export = root / "models/export"
    base = load_section("base", BaseParams, root / "params.yaml")
    model, rows = load_trained(export, root / "data", base)
    batch = rows.select("test").batch([0])
    graphs = {name: Graph(export / file, 1) for name, file in MODEL_FILES.items()}
    inputs = {name: batch[name].numpy() for name in graphs["onnx"].inputs}
    tensors = {name: batch[name] for name in inputs}

    def eager() -> object:
        with torch.inference_mode():
            return model(**tensors)

    def through(graph: Graph) -> Call:
        return lambda: graph(inputs)

    return {"torch": eager} | {name: through(graph) for name, graph in graphs.items()}


def raw(root: Path) -> dict[str, Call]:
    """One row from its text and picture on; nothing of a model without pictures."""
    import io

    import torch
    from PIL import Image

    from fuseline.data.sources import Media, RawRow
    from fuseline.learning.model import FuselineForTasks, FuselineProcessor
    from fuseline.serving.cleaning import Cleaned
    from fuseline.serving.predictor import Options, Predictor

    export = root / "models/export"
    predictors = {name: Predictor(export, Options(name, 1)) for name in ENDINGS}
    if not (export / "image.onnx").is_file():
        return {}
    file = io.BytesIO()
    drawn = Image.effect_mandelbrot((640, 480), (-2.0, -1.5, 1.0, 1.5), 60).convert("RGB")
    drawn.save(file, "JPEG")
    content = file.getvalue()
    model = FuselineForTasks.from_pretrained(export).eval()
    processor = FuselineProcessor.from_pretrained(export)

    def eager() -> object:
        with torch.inference_mode(), Image.open(io.BytesIO(content)) as picture:
            return model(**processor(["a picture"], images=[picture]))

    def through(predictor: Predictor) -> Call:
        row = RawRow(source_row=0, text="a picture", image=Media(content, None), raw={})

        def answer() -> object:
            cleaned = predictor.clean(row)
            assert isinstance(cleaned, Cleaned)
            return predictor.answer([cleaned])

        return answer

    return {"torch": eager} | {name: through(one) for name, one in predictors.items()}


def training_texts(root: Path) -> list[tuple[str, str]]:
    """Texts and labels of the training rows."""
    from fuseline.contracts import EXAMPLES, read_table

    columns = ["split", "text", "label"]
    table = read_table(root / "data/examples", EXAMPLES, "examples", columns)
    return [
        (text, label or "")
        for split, text, label in zip(*(table.column(c).to_pylist() for c in columns), strict=True)
        if split == "train" and text
    ]


def rivals(root: Path, known: list[tuple[str, str]]) -> dict[str, float]:
    """Rows a second of what one would use instead, on all cores."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts, labels = zip(*known, strict=True)
    linear = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    linear.fit(texts, labels)
    many = drawn_texts(known, 20_000)
    found = {"words and a linear model": _rate(lambda: linear.predict_proba(many), len(many))}
    if encoder := _encoder(root):
        few = drawn_texts(known, PIPELINE_ROWS)
        found["Transformers' pipeline"] = _rate(lambda: encoder(few), len(few))
    return found


def _encoder(root: Path) -> Callable[[list[str]], object] | None:
    """Transformers' classification pipeline over the text encoder; None of one from scratch."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

    from fuseline.config import read_yaml
    from fuseline.data.modalities.text.tokenizer import encoder_folder

    folder = encoder_folder(read_yaml(root / "params.yaml")["tokenize"]["encoder"])
    if folder is None:
        return None
    torch.set_num_threads(2)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=10)
    classify = pipeline(
        "text-classification", model, tokenizer=AutoTokenizer.from_pretrained(folder)
    )
    return lambda texts: classify(texts, batch_size=32)


def _rate(call: Call, rows: int) -> float:
    start = time.perf_counter()
    call()
    return rows / (time.perf_counter() - start)


def drawn_texts(known: list[tuple[str, str]], count: int) -> list[str]:
    """Texts of some of the words of known ones."""
    words = sorted({word for text, _ in known for word in text.split()})
    rng = random.Random(0)
    return [" ".join(rng.choices(words, k=rng.randint(2, 6))) for _ in range(count)]


def answered(
    root: Path,
    known: list[tuple[str, str]],
    rows: int,
    threads: int,
    options: tuple[str, ...],
) -> tuple[float, float]:
    """Rows a second and peak GiB of `fuseline predict` over a table of short texts."""
    with tempfile.TemporaryDirectory(prefix="fuseline-") as name:
        table = Path(name) / "rows.csv"
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text"])
            writer.writerows([text] for text in drawn_texts(known, rows))
        words = ["predict", str(table), "-o", f"{name}/out.csv", "--threads", str(threads)]
        words += ["--model", str((root / "models/export").resolve()), *options]
        script = (
            "import json, resource, sys, time; start = time.perf_counter();"
            "from fuseline.cli import app;"
            "app(standalone_mode=False);"
            "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
            "print(json.dumps([time.perf_counter() - start, peak]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, *words],
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        seconds, kibibytes = json.loads(done.stdout.splitlines()[-1])
    return rows / seconds, kibibytes / 2**20
