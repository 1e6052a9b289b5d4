"""From the recipe's own messages to a conversation, cut down."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fuseline.serving.chat.assembling import build_dialogue, options
from fuseline.serving.chat.config import read_service
from fuseline.serving.chat.understanding import labels_of, understand
from fuseline.serving.predictor import Predictor
from tests.support.declared_stages import DeclaredStage
from tests.support.first_run import begin, command, run, stages_in_order
from tests.support.repository import REPOSITORY

MESSAGES = REPOSITORY / "recipes/service/project/service/example_messages.csv"
EXPORT = Path("models/export")


def before(output: str) -> list[DeclaredStage]:
    """The stages that an output takes, in order."""
    wanted, found = {output}, []
    for stage in reversed(stages_in_order()):
        if wanted & stage.outs.keys():
            wanted |= stage.deps
            found.append(stage)
    return found[::-1]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with the recipe, and a model of its messages."""
    root = tmp_path_factory.mktemp("recipe") / "clone"
    begin(root)
    path = root / "data" / "raw" / "messages" / "messages.csv"
    path.parent.mkdir(parents=True)
    shutil.copy(MESSAGES, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        laid = command("init", str(path), "--recipe", "service", "--yes")
        assert laid.exit_code == 0, laid.output
        for stage in before(str(EXPORT)):
            ran = run(stage)
            assert ran.exit_code == 0, f"{stage.cell}: {ran.output}{ran.exception!r}"
    return root


def test_the_service_that_is_laid_answers_with_that_model(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    predictor = Predictor(EXPORT, options(int8=False, threads=1))
    assert len(labels_of(predictor.contract)) == 8
    dialogue = build_dialogue(read_service(Path("service/service.yaml")), predictor)
    question = "How do I reset my password?"
    reply, _ = dialogue.turn(dialogue.begin(), question, understand(predictor, question))
    assert reply.kind == "answer"
    assert [found.entry.source for found in reply.sources][:1] == ["Help: signing in"]


def test_its_dialogues_are_played(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes rightly of them says nothing of so small a model, but the shares are there."""
    monkeypatch.chdir(project)
    played = command("chat", "--evaluate", "service/dialogues.jsonl")
    assert played.exit_code in (0, 1), played.output
    found = json.loads(played.stdout.splitlines()[-1])
    assert found["handed over rightly"]["share"] == 1.0
    assert found["dialogues rightly"]["of"] == 5


def test_an_intent_is_added_to_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    sentences = ["wrap it", "as a gift please", "can you wrap gifts", "gift paper", "a bow on it"]
    Path("wrapping.txt").write_text("\n".join(sentences))
    added = command("intents", "add", "gift_wrapping", "wrapping.txt")
    assert added.exit_code == 0, added.output
    assert command("intents", "show").output == "gift_wrapping: 5 sentences\n"
