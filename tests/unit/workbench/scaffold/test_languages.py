"""Columns that are called in other languages than English, and texts without spaces."""

from __future__ import annotations

import random

import pytest

from fuseline.workbench.scaffold.columns import guess_columns
from fuseline.workbench.scaffold.names import plain
from fuseline.workbench.scaffold.profile import Profile

ROWS = 60
RNG = random.Random(4)
MOODS = [RNG.choice(("gut", "schlecht", "egal")) for _ in range(ROWS)]
TEXTS = [" ".join(RNG.choices(("aa", "bb", "cc", "dd", "ee"), k=9)) for _ in range(ROWS)]
PEOPLE = [RNG.choice(("Weber", "Koch", "Wolf", "Bauer", "Klein")) for _ in range(ROWS)]
HAN = ["".join(RNG.choices("这个手机很好用我非常喜欢送货速度快", k=12)) for _ in range(ROWS)]


def fields(**columns: list[str]) -> dict[str, str | None]:
    profiles = [Profile(name, list(cells)) for name, cells in columns.items()]
    return {guess.column: guess.field for guess in guess_columns(profiles, None)}


@pytest.mark.parametrize(
    ("label", "text", "owner"),
    [
        ("stimmung", "nachricht", "kunde"),
        ("Kategorie", "Beschreibung", "Kundennummer"),
        ("Klasse", "Text", "Patientin"),
        ("Catégorie", "Avis", "Client"),
        ("étiquette", "commentaire", "utilisateur"),
        ("sentimiento", "comentario", "cliente"),
        ("categoría", "descripción", "usuario_id"),
        ("giudizio", "recensione", "utente"),
        ("classe", "testo", "paziente"),
        ("Classe", "Mensagem", "Usuário"),
        ("rótulo", "descrição", "paciente"),
        ("标签", "评论", "用户"),
    ],
)
def test_labels_texts_and_owners_are_known_by_name(label: str, text: str, owner: str) -> None:
    # Whoever comes last is no label for it.
    found = fields(**{label: MOODS, text: TEXTS, owner: PEOPLE})
    assert found == {label: "label", text: "text", owner: "group"}


def test_a_name_is_one_with_accents_and_without() -> None:
    assert plain("Catégorie") == plain("CATEGORIE") == "categorie"
    assert plain("json.Überschrift") == "uberschrift"
    assert plain("Größe") == "grosse"


def test_words_of_scripts_without_spaces_are_counted() -> None:
    assert fields(x=HAN, y=MOODS) == {"x": "text", "y": "label"}
    assert Profile("x", ["这个手机很好"]).mean_words == 3
    assert Profile("x", ["ein 手机 mehr"]).mean_words == 3
