"""The pieces of an evaluation: each hangs on no other, and is kept once it is finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from fuseline.data.dataset import MultimodalData, load_data
from fuseline.evaluation.robustness.attacked import Attacked
from fuseline.evaluation.robustness.measure import Siege
from fuseline.evaluation.robustness.pixels import PixelSiege
from fuseline.evaluation.robustness.target import goal_of
from fuseline.evaluation.scoring.ablation import named
from fuseline.evaluation.scoring.clean import clean_figures
from fuseline.evaluation.trust.slices import read_slice_columns
from fuseline.evaluation.twins.frozen import frozen_blocks
from fuseline.evaluation.twins.tasks import twins_of
from fuseline.learning.model import FuselineConfig, FuselineForTasks, FuselineProcessor
from fuseline.learning.tasks.base import Decoded
from fuseline.learning.tasks.labelled import Examples, build_tasks, no_labelled_rows, with_labels
from fuseline.learning.tasks.prediction import predict
from fuseline.params.base import BaseParams
from fuseline.params.evaluate import EvaluateParams
from fuseline.pipeline.parts import Parts
from fuseline.pipeline.precision import make_deterministic

# The name of an attack, or of a method of `Evaluation` that gives the piece; and its number.
Piece = tuple[str, int]
SIEGE, PIXELS = "siege", "pixels"
AUDIT = -1


@dataclass(frozen=True)
class EvaluationInputs:
    """What an evaluation reads.

    Attributes:
        model: folder of a fine-tuned model.
        examples, tokens: the tables of those names.
        tokenizer: names the frozen text encoder of the twin.
        features: folder with one features table per modality.
        interactions: table of events with the rows, for a task that learns from these.
    """

    model: Path
    examples: Path
    tokens: Path
    tokenizer: Path
    features: Path
    interactions: Path | None = None


class Evaluation:
    """One model and the rows it is evaluated on, as each process of the stage has them.

    Args:
        inputs: what is read.
        params: section `evaluate`.
        base: section `base`.
        work: folder in which finished pieces are kept.

    Attributes:
        first: the task that is evaluated in full.
        found: what every task makes of the test rows that have a label of it.
        own: labelled rows of the first task.
        test: those of them in the test split.
        clean: what the first task makes of these.
        slices: columns to slice these by.
        attacked: what becomes of these.

    Raises:
        ContractError: no labelled test row, or tables that are not of one run.
        ConfigError: a column to slice the rows by is not there.
    """

    def __init__(
        self, inputs: EvaluationInputs, params: EvaluateParams, base: BaseParams, work: Path
    ) -> None:
        make_deterministic(base.seed, 1)
        self.inputs, self.params, self.base = inputs, params, base
        self.parts = Parts(work)
        self.model = FuselineForTasks.from_pretrained(inputs.model).eval()
        self.tasks = build_tasks(self.model.config.tasks)
        self.first = self.tasks[0]
        data, self.examples = labelled_rows(
            self.model.config, inputs.model, inputs, base.modalities
        )
        self.own = data.take(self.first.own_rows(data))
        self.test = self.own.select("test")
        if not len(self.test):
            raise no_labelled_rows(self.examples, "test", self.first.name)
        ids = self.test.example_ids
        self.slices = read_slice_columns(inputs.examples, ids, params.trust.slices)
        self.found = predict(self.model, self.tasks, data.select("test"), params.batch_size)
        self.clean = self.found[0]
        classified = self.first.kind == "classification"
        self.attacked = Attacked(self.clean.right, self.clean.outputs if classified else None)

    def pieces(self) -> list[Piece]:
        """All but the audits, those that take long first."""
        texts = [("written", index) for index in range(len(self.tasks))]
        attacks = [
            (name, index)
            for name, attack in self.attacks.items()
            for index in range(attack.num_pieces)
        ]
        return [*texts, ("twins", 0), *attacks, ("scores", 0)]

    def audits(self) -> list[Piece]:
        """The audits of the attacks, which look at what came of those."""
        return [(name, AUDIT) for name in self.attacks]

    def __call__(self, piece: Piece) -> None:
        """Work on a piece, unless it is finished."""
        name, index = piece
        if name not in self.attacks:
            getattr(self, name)(index)
        elif index == AUDIT:
            self.attacks[name].audit()
        else:
            self.attacks[name].piece(index)

    def scores(self, _: int = 0) -> dict[str, Any]:
        """Scores of the first task, and what each modality contributes."""
        return self.parts.values(  # type: ignore[no-any-return]
            "scores",
            lambda: clean_figures(
                self.model, self.first, self.test, self.clean.outputs, self.params, self.base
            ),
        )

    def twins(self, _: int = 0) -> dict[str, Any]:
        """Figures of linear models of the same rows; none of a task that asks the modalities about
        one another."""
        return self.parts.values("twins", self._twins)  # type: ignore[no-any-return]

    def written(self, index: int) -> Decoded | None:
        """The texts that the model writes for the rows of one task, None for one that has none."""

        def decoded() -> dict[str, Any] | None:
            task, found = self.tasks[index], self.found[index]
            target = self.model.config.tasks[index]["target"]
            cells = self.examples.cells(target, found.data)
            texts = task.decode(self.model, index, cells, self.params, self.base.seed)
            return asdict(texts) if texts else None

        kept = self.parts.values(f"texts-{index}", decoded)
        return Decoded(**kept) if kept else None

    def robustness(self) -> dict[str, Any]:
        """Figures under attack; nothing without any."""
        if SIEGE not in self.attacks:
            return {}
        found = self.attacks[SIEGE].figures()
        training = self.model.config.training_attack
        found["robustness"]["training_epsilon"] = training.get("epsilon", {})
        if PIXELS in self.attacks:
            found["robustness"]["image_pixel"] = self.attacks[PIXELS].figures()
        return found

    @cached_property
    def attacks(self) -> dict[str, Siege | PixelSiege]:
        """That on features, and that on the pictures themselves where there are some and it is
        wanted. None of a task whose losses are not a row's own: rows that fall leave their batch.
        """
        params = self.params.robustness
        if not self.first.rows_stand_alone:
            return {}
        goal = goal_of(self.first)
        seed, precision = self.base.seed, self.base.precision
        found: dict[str, Siege | PixelSiege] = {
            SIEGE: Siege(
                self.model,
                goal,
                self.test,
                self.clean.right,
                params,
                attacked=self.attacked,
                batch_size=self.params.batch_size,
                seed=seed,
                precision=precision,
                parts=self.parts,
            )
        }
        pictures = self.model.config.image_encoder and self.test.present("image").any()
        if params.image_pixel.max_rows and pictures:
            found[PIXELS] = PixelSiege(
                self.model,
                goal,
                self.test,
                self.inputs.examples,
                params.image_pixel,
                seed=seed,
                precision=precision,
                parts=self.parts,
                audited=params,
            )
        return found

    def _twins(self) -> dict[str, Any]:
        if not self.first.target_kinds:
            return {}
        inputs, base = self.inputs, self.base
        blocks = frozen_blocks(inputs.tokenizer, inputs.features, self.own, base)
        return twins_of(self.first, self.own, blocks, named([*map(str, base.modalities)]))


class Tables(Protocol):
    """Folders of the tables that a model's rows are read from; see `EvaluationInputs`."""

    @property
    def examples(self) -> Path: ...
    @property
    def tokens(self) -> Path: ...
    @property
    def features(self) -> Path: ...


def labelled_rows(
    config: FuselineConfig, model: Path, tables: Tables, modalities: Sequence[str]
) -> tuple[MultimodalData, Examples]:
    """Rows that have a label of any of a model's tasks, and the cells of all.

    Args:
        config: of the model.
        model: its folder, for its tokenizer.
        tables: where the rows are.
        modalities: those to use.

    Raises:
        ContractError: tables that are not of one run.
    """
    tokenizer = FuselineProcessor.from_pretrained(model).tokenizer
    data = load_data(
        tables.tokens,
        tables.features,
        modalities,
        pad_token_id=config.special_tokens["pad"],
    )
    examples = Examples(tables.examples, data, tokenizer)
    return with_labels(data, examples, config.tasks), examples
