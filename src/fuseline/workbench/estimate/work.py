"""How much work a stage has, by the params and the rows: what hangs on what, without any seconds.

Work is a few amounts a stage; `slopes.json` says what one of each takes. Amounts whose name ends in
`gmac` are arithmetic (`shape.py`); a pass with gradients counts as three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fuseline.params.adversarial import AdversarialParams
from fuseline.params.attack import StepParams
from fuseline.params.training import TrainingParams
from fuseline.workbench.estimate.asked import Asked
from fuseline.workbench.estimate.facts import Facts
from fuseline.workbench.estimate.shape import MEGA, Shape

Amounts = dict[str, float]

TRAINING = ("pretrain", "finetune", "adversarial_finetune")
# Whose pieces several processes work on, each on one thread.
SHARED = ("prompt", "evaluate", "stress")
EXPORT = "export"
# Two threads take 0.65 of the time of one (docs/experiments/speed.md); what more of them gain was
# not measured.
THREADS_GAIN = 0.62
# Forward, and back to inputs and to weights.
WITH_GRADIENTS = 3.0
# Of a training, where it has as many steps (`learning/training/callbacks.py`).
CHECKPOINTS = 12
# Forward passes of a step of adversarial training, by method, from the attack's steps K and the
# spaces S: the table of docs/adversarial-training.md.
PASSES: dict[str, Callable[[int, int], int]] = {
    "none": lambda _k, _s: 1,
    "fgm": lambda _k, _s: 2,
    "pgd": lambda k, _s: k + 1,
    "freelb": lambda k, _s: k + 1,
    "free": lambda _k, _s: 1,
    "trades": lambda k, _s: k + 2,
    "mart": lambda k, _s: k + 1,
    "r3f": lambda _k, _s: 2,
    "smart": lambda k, _s: k + 3,
    "villa": lambda k, s: s * (k + 1) + 1,
}
# What the audit of an attack runs of it besides (`evaluation/robustness/audit.py`, `pixels.py`).
MORE_STEPS, AUDITED_PICTURES = 2, 4
# The models that `stress` looks at; each reads a noisy text with its row and alone.
MODELS, READINGS = 2, 2
# In which `export` writes and tries a model, PyTorch's own among them.
FORMATS = 3
# Methods of `prompt` that are asked without any row too, and those that train the encoder.
ZERO_SHOT = ("cloze", "contrastive")
TRAINED = ("cloze", "head", "head_without_pretraining")
# Tokens that the template of `cloze` puts around a text, and of a label's name in its frame.
TEMPLATE_TOKENS, LABEL_TOKENS = 8.0, 4.0


class Work:
    """Amounts of work by stage.

    Args:
        asked: the params.
        facts: the rows.
        cores: that the machine has.
    """

    def __init__(self, asked: Asked, facts: Facts, cores: float) -> None:
        self.asked, self.facts, self.shape = asked, facts, Shape(asked, facts)
        self.processes = max(1.0, min(asked.base.num_threads, cores))

    def of(self, stage: str) -> Amounts:
        """Of a stage, or of a cell of its matrix, by the name that DVC has for it; none of a stage
        that is not known here."""
        name, _, cell = stage.partition("@")
        amounts = getattr(self, f"_{name}", None)
        if amounts is None:
            return {}
        # Processes that share a stage's work start at once, behind the first.
        start = 2.0 if name in SHARED and self.processes > 1 else 1.0
        return {"start": start, **amounts(*([cell] if cell else []))}

    def memory(self, stage: str) -> Amounts:
        """What all processes of a stage hold in memory."""
        name = stage.partition("@")[0]
        copies = 1 + self.processes if name in SHARED and self.processes > 1 else 1.0
        learns = name in (*TRAINING, *SHARED, EXPORT)
        data = self.shape.data_mb() if learns or name == "baseline" else self.facts.rows / 1e3
        weights = self.shape.weights_mb if learns else 0.0
        amounts = {"start": copies, "weights_mb": copies * weights, "data_mb": copies * data}
        if name in ("ingest", "extract_features"):
            of = self.of(stage)
            network = float(of.get("picture_gmac", 0.0) > 0)
            return amounts | {"loaded": of["loaded"], "network": network}
        if name == "evaluate":
            return amounts | {"batch_gmac": self._pixel_batch() * max(copies - 1, 1)}
        return amounts

    def _pixel_batch(self) -> float:
        """Arithmetic of a batch whose pictures are attacked, all kept for gradients."""
        params = self.asked.evaluate.robustness.image_pixel
        rows = min(params.batch_size, params.max_rows, self._tested("image"))
        return rows * self.shape.picture_gmac("image")

    def disk(self, stage: str) -> Amounts:
        """What a stage writes: into its outputs, and while it works."""
        name, _, cell = stage.partition("@")
        if name == "extract_features":
            return {"values_mb": self.shape.held(cell) * self.shape.values(cell) / MEGA}
        pictures = self.facts.held["image"] if name == "ingest" else 0.0
        weights = self.shape.weights_mb if name in (*TRAINING, EXPORT) else 0.0
        return {"rows": self.facts.rows, self._pictures: pictures, "weights_mb": weights}

    def _ingest(self) -> Amounts:
        held = self.facts.held
        return {
            "rows": self.facts.rows,
            self._pictures: held["image"],
            "recordings": held["audio"] + held["video"],
            "loaded": float(held["audio"] + held["video"] > 0),
        }

    @property
    def _pictures(self) -> str:
        """Those that a source draws cost other than those that it reads."""
        return "drawn" if self.asked.ingest.source == "emoji" else "pictures"

    def _tokenize(self) -> Amounts:
        return {"rows": self.facts.rows}

    def _extract_features(self, modality: str) -> Amounts:
        frames = self.asked.extract_features.video.num_frames if modality == "video" else 1
        seen = modality in ("image", "video")
        gmac = frames * self.shape.picture_gmac(modality) if seen else 0.0
        media = self.shape.held(modality)
        return {
            # Libraries and an encoder, where there is any work for them.
            "loaded": float(media > 0),
            "media": media,
            "picture_gmac": media * gmac * self._threads(),
        }

    def _leakage(self) -> Amounts:
        most = self.asked.leakage.max_rows
        train, test = (min(self.facts.splits[name], most) for name in ("train", "test"))
        return {"rows": train + test, "pairs": train * test / MEGA}

    def _baseline(self) -> Amounts:
        return {"fits_gmac": self.shape.fits_gmac()}

    def _pretrain(self) -> Amounts:
        params = self.asked.pretrain
        objectives = sum(weight > 0 for weight in params.objectives.weights.values())
        looks = params.training.num_epochs * self.facts.splits["dev"] * objectives
        amounts = self._training(params.training, _passes(params.adversarial, 1), 1.0)
        amounts["train_gmac"] += looks * self.shape.row_gmac() * self._threads()
        return amounts

    def _finetune(self) -> Amounts:
        params = self.asked.finetune
        return self._training(params.training, 1.0, self.shape.trained_share(params.freezing))

    def _adversarial_finetune(self) -> Amounts:
        params = self.asked.adversarial_finetune
        passes = _passes(params, len(params.attack.epsilon))
        share = self.shape.trained_share(self.asked.finetune.freezing)
        return self._training(params.training, passes, share)

    def _training(self, params: TrainingParams, passes: float, share: float) -> Amounts:
        """Of a training: passes through its rows, and weights that checkpoints hold.

        Args:
            passes: of a step, forward, on average.
            share: of the text encoder that gradients pass through.
        """
        rows = self.facts.splits["train"] * params.num_epochs
        steps = rows / params.batch_size
        text = (1 + (WITH_GRADIENTS - 1) * share) * self.shape.text_gmac()
        row = text + WITH_GRADIENTS * self.shape.fusion_gmac()
        return {
            "train_gmac": rows * passes * row * self._threads(),
            "passes": steps * passes,
            "saved_mb": min(CHECKPOINTS, steps) * self.shape.weights_mb,
        }

    def _prompt(self) -> Amounts:
        cells, params = list(self._cells()), self.asked.prompt
        test = min(self.facts.splits["test"], params.max_test_rows) * self.shape.row_gmac()
        return {
            "cells": len(cells) / self.processes,
            "train_gmac": sum(self._few_shots(*cell) for cell in cells) / self.processes,
            "test_gmac": len(cells) * test / self.processes,
        }

    def _cells(self) -> Iterator[tuple[str, int]]:
        """Method and shots of each cell of `prompt`."""
        params = self.asked.prompt
        for name in params.methods:
            for shots in params.shots:
                asked = shots or name in ZERO_SHOT
                if asked and (name != "head_without_pretraining" or shots == max(params.shots)):
                    yield from [(name, shots)] * (params.num_seeds if shots else 1)

    def _few_shots(self, method: str, shots: int) -> float:
        """Multiply-adds of training one cell."""
        params, rows = self.asked.prompt, shots * self.facts.labels
        if method == "soft_prompt":
            longer = params.soft_prompt.num_tokens + LABEL_TOKENS - self.facts.tokens
            prompts = self.facts.labels * self.shape.text_gmac(longer)
            return params.soft_prompt.num_steps * WITH_GRADIENTS * prompts if rows else 0.0
        if method not in TRAINED or not rows:
            return 0.0
        steps = max(params.training.num_steps, rows // params.training.batch_size)
        row = self.shape.row_gmac(TEMPLATE_TOKENS if method == "cloze" else 0.0)
        twice = method == "cloze" and params.compare_without_pretraining
        times = 2 if twice and shots == max(params.shots) else 1
        return times * steps * min(params.training.batch_size, rows) * WITH_GRADIENTS * row

    def _evaluate(self, _model: str) -> Amounts:
        params, test = self.asked.evaluate.robustness, self.facts.splits["test"]
        row, picture = self.shape.row_gmac(), self.shape.picture_gmac("image")
        restarts = params.num_restarts + (len(params.scales) - 1) * params.curve_restarts
        runs = restarts * params.attack.num_steps
        pictures = min(self._tested("image"), params.image_pixel.max_rows)
        steps = pictures * params.image_pixel.attack.num_steps
        audited = min(params.audit.max_rows, test) * self._audit(params.attack)
        seen = min(AUDITED_PICTURES, pictures) * self._audit(params.image_pixel.attack)
        return {
            "siege_gmac": test * runs * WITH_GRADIENTS * row / self.processes,
            "audit_gmac": audited * row,
            "pixel_gmac": (steps * WITH_GRADIENTS / self.processes + seen) * (picture + row),
            "fits_gmac": self.shape.fits_gmac() / self.processes,
        }

    def _audit(self, attack: StepParams) -> float:
        """Passes that the audit of an attack takes of one row."""
        params = self.asked.evaluate.robustness
        runs = sum(scale >= 1 for scale in params.scales) + MORE_STEPS
        return WITH_GRADIENTS * runs * attack.num_steps + params.audit.black_box_queries

    def _stress(self) -> Amounts:
        params, row = self.asked.stress, self.shape.row_gmac()
        rows = min(self.facts.splits["test"], params.max_rows)
        noises = len(params.text.noises) * len(params.text.strengths) + 1
        pictures = min(rows, self._tested("image"), params.image.max_rows)
        pictures *= len(params.image.corruptions) * len(params.image.severities) + 1
        sounds = min(rows, self._tested("audio"), params.audio.max_rows)
        sounds *= len(params.audio.corruptions) * len(params.audio.severities) + 1
        steps = params.transfer.attack.num_steps
        by_suite: dict[str, Amounts] = {
            "text": {"text_gmac": MODELS * READINGS * rows * noises * row},
            "image": {"picture_gmac": pictures * self.shape.picture_gmac("image")},
            "audio": {"sounds": sounds},
            "transfer": {"attack_gmac": MODELS * rows * steps * WITH_GRADIENTS * row},
        }
        asked = [by_suite.get(str(name), {}) for name in params.suites]
        return {name: value / self.processes for of in asked for name, value in of.items()}

    def _export(self) -> Amounts:
        params, attack = self.asked.export, self.asked.evaluate.robustness.attack
        splits, row = self.facts.splits, self.shape.row_gmac()
        attacked = min(params.max_attacked_rows, splits["test"]) * attack.num_steps
        looked_at = min(splits["train"], params.max_bank_rows) + splits["dev"]
        looks = looked_at + FORMATS * splits["test"]
        return {
            "weights_mb": self.shape.weights_mb,
            "attack_gmac": attacked * WITH_GRADIENTS * row * self._threads(),
            "looks_gmac": looks * row * self._threads(),
        }

    def _report(self) -> Amounts:
        return {"rows": self.facts.rows}

    def _tested(self, modality: str) -> float:
        """Test rows with a modality that takes part."""
        share = self.shape.held(modality) / max(self.facts.rows, 1.0)
        return share * self.facts.splits["test"]

    def _threads(self) -> float:
        """What several threads leave of the time of one."""
        return float(self.processes**-THREADS_GAIN)


def _passes(params: AdversarialParams, spaces: int) -> float:
    """Forward passes of a step on average."""
    attacked = PASSES[params.method](params.attack.num_steps, spaces)
    attacked += params.method in ("pgd", "mart") and params.attack.random_start
    return params.attacked_share * attacked + (1 - params.attacked_share)
