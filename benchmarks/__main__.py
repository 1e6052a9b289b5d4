"""Run benchmarks by name, such as `python -m benchmarks quality`; the table says what each is."""

import importlib
import sys

# Module, and what its `main` measures. The first two are what `make bench` runs.
BENCHMARKS = {
    "pipeline": "wall time and memory of the whole pipeline, and of a run with nothing to do",
    "quality": "scores over split salts, beside the twin",
    "fusion": "the kinds of fusion beside each other",
    "ablation": "what each pre-training objective buys",
    "adversarial": "methods of adversarial training, what they buy and cost",
    "foolbox_parity": "our PGD beside Foolbox's on the OpenMoji models",
    "second_opinion": "an attack from the formulas alone, on the rows that stand under ours",
    "images": "feature extraction beside a one-by-one Transformers loop",
    "growth": "what one per cent more rows costs",
    "slopes": "what stages take by amount of work, for `fuseline estimate`",
    "steps": "what a training step costs, clean and under attack, by precision and threads",
    "scaling": "what a training step costs by length of texts and number of modalities",
    "trainer": "our steps and features beside Transformers' Trainer, loops and scikit-learn",
    "checkpoints": "what checkpoints cost a training of the default size",
    "kills": "100 kills at random moments of the training stages, and what they cost",
    "predicting": "answers of an exported model: latency, rows a second, memory",
    "serving": "the server under load, with batching and without, beside LitServe and mosec",
    "reloads": "20 new exports taken up while clients ask, and what the clients were answered",
    "hostile": "100,000 requests of the kinds that no friend sends, and what the server says",
    "monitor": "false alarms of `fuseline monitor` beside those asked for, delays, speed, kills",
    "page": "the server's page in a browser: to its form, and from a click to the answer",
    "million": "ingest and tokenize of 100,000 and 1,000,000 rows",
    "fuzz": "20,000 mutated files and rows through the checks",
    "datasets": "small data sets in a hundred shapes, from init to the report",
    "tables": "20,000 mutated tables, of which every line has to come out",
    "tampering": "changed objects of a remote, refused or delivered",
    "banking77": "full fine-tuning beside low-rank adapters, on a published test file",
    "banking77_robust": "the same rows under attack, before and after adversarial fine-tuning",
    "retrieval": "answers of StackFAQ found by words, by vectors and by both, and refused",
    "recommending": "a list of 100,000 items on one thread: plain, filtered, diverse",
    "new_intents": "intents of BANKING77 added from five sentences, without training",
    "class_weights": "ways to learn rare labels, from one pre-trained model",
    "cuts": "small data sets of two and three modalities, beside the linear twin",
    "languages": "encoders for languages that the built-in one does not know, beside n-grams",
    "trimodal": "three modalities beside each pair and each alone",
    "lists": "lists of recommendations beside popularity, EASE, ALS and BPR, over seeds",
    "people": "the made-up events of the recipe `recommend`, written anew",
}


def main() -> None:
    """Run the named benchmarks."""
    names = sys.argv[1:]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown or not names:
        table = "\n".join(f"  {name:<18}{what}" for name, what in BENCHMARKS.items())
        said = f"unknown benchmark {', '.join(unknown)}; there are" if unknown else "benchmarks:"
        sys.exit(f"{said}\n{table}")
    for name in names:
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
