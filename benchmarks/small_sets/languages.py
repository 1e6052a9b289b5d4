"""Tables whose columns and texts are not English, as their owners write them."""

from __future__ import annotations

from pathlib import Path

from benchmarks.small_sets.material import ROWS, Row, SmallSet, json_lines, number, table

_GERMAN = {
    "zufrieden": ("Die Lieferung kam pünktlich und alles war schön verpackt", "Sehr guter Service"),
    "verärgert": ("Das Gerät ist nach zwei Tagen kaputtgegangen", "Der Händler antwortet nicht"),
    "neutral": ("Die Größe fällt normal aus", "Die Farbe ist etwas anders als im Bild"),
}
_FRENCH = {
    "livraison": ("Le colis est arrivé en retard", "Je n'ai toujours rien reçu à la maison"),
    "qualité": ("Le tissu est déjà abîmé", "La couture a lâché après un lavage"),
    "prix": ("C'est beaucoup trop cher pour ce que c'est", "Une bonne affaire à ce prix-là"),
}
_CHINESE = {
    "正面": ("这个手机很好用我非常喜欢", "送货速度很快包装也很好"),
    "负面": ("用了两天就坏了太失望了", "客服态度很差再也不买了"),
}
_SPANISH = {
    "positivo": ("El hotel estaba muy limpio y el personal fue amable", "Volveremos sin duda"),
    "negativo": ("La habitación olía mal y hacía mucho ruido", "El desayuno era pésimo"),
}
_ITALIAN = {
    "ottimo": ("La pizza era buonissima e il servizio veloce", "Un posto davvero accogliente"),
    "pessimo": ("Abbiamo aspettato un'ora per due piatti freddi", "Il conto era sbagliato"),
    "normale": ("Cibo nella media, niente di più", "Un locale come tanti altri"),
}
_PORTUGUESE = {
    "reclamação": ("O aplicativo não abre desde ontem", "Fui cobrado duas vezes este mês"),
    "elogio": ("O atendimento foi rápido e muito educado", "Gostei bastante da nova versão"),
}


def _pick(texts: dict[str, tuple[str, ...]], row: int) -> tuple[str, str]:
    """A label and a text of it that no other row has."""
    label = list(texts)[number("label", row).randrange(len(texts))]
    # Names that no language has, so that no row is a copy of another.
    rng = number("words", row)
    names = ("".join(rng.choices("aeioubdfgklmnrst", k=7)).title() for _ in range(6))
    return label, f"{number('text', row).choice(texts[label])} ({', '.join(names)})"


def german(folder: Path) -> Path:
    rows: list[Row] = []
    for row in range(ROWS):
        mood, text = _pick(_GERMAN, row)
        cells = {"kunde": f"K{number('kunde', row).randrange(40):03d}", "stimmung": mood}
        amount = f"{number('betrag', row).randrange(500)},{row % 90 + 10}"
        rows.append(cells | {"nachricht": text, "betrag": amount})
    return table(folder / "rückmeldungen.csv", rows, separator=";", encoding="cp1252", end="\r\n")


def german_names(folder: Path) -> Path:
    """A customer by name in the last column, where labels often are."""
    people = ("Müller", "Schmidt", "Weber", "Wagner", "Becker", "Hoffmann", "Koch", "Richter")
    rows: list[Row] = []
    for row in range(ROWS):
        mood, text = _pick(_GERMAN, row)
        kunde = number("name", row).choice(people)
        rows.append({"Stimmung": mood, "Nachricht": text, "Kunde": kunde})
    return table(folder / "kunden.csv", rows)


def french(folder: Path) -> Path:
    rows: list[Row] = []
    for row in range(ROWS):
        topic, text = _pick(_FRENCH, row)
        day = f"{row % 28 + 1:02d}/{row % 12 + 1:02d}/2024"
        rows.append({"Catégorie": topic, "Avis": text, "Client": f"C{row % 30}", "Date": day})
    return table(folder / "avis.csv", rows, separator=";", encoding="utf-8-sig")


def chinese(folder: Path) -> Path:
    rows: list[Row] = []
    for row in range(ROWS):
        label, text = _pick(_CHINESE, row)
        rows.append({"评论": text, "标签": label, "用户": f"u{row % 30:02d}"})
    return json_lines(folder / "评论.jsonl", rows)


def spanish(folder: Path) -> Path:
    rows: list[Row] = []
    for row in range(ROWS):
        mood, text = _pick(_SPANISH, row)
        city = number("ciudad", row).choice(("Madrid", "Sevilla", "Bilbao", "Granada"))
        rows.append({"sentimiento": mood, "comentario": text, "ciudad": city})
    return table(folder / "hoteles.csv", rows, encoding="iso-8859-1")


def italian(folder: Path) -> Path:
    rows: list[Row] = []
    for row in range(ROWS):
        verdict, text = _pick(_ITALIAN, row)
        visit = number("visita", row).choice(("pranzo", "cena"))
        rows.append({"giudizio": verdict, "recensione": text, "visita": visit})
    return table(folder / "recensioni.csv", rows, end="\r\n")


def portuguese(folder: Path) -> Path:
    rows: list[Row] = []
    for row in range(ROWS):
        kind, text = _pick(_PORTUGUESE, row)
        rows.append({"Classe": kind, "Texto": text, "Usuário": f"usuario{row % 25}", "UF": "SP"})
    return table(folder / "mensagens.csv", rows, separator=";")


SETS = {
    "german": SmallSet("German, cp1252, decimal commas", german, by_dvc=True),
    "german_names": SmallSet("German, customers by name in the last column", german_names),
    "french": SmallSet("French, days first, a mark", french),
    "chinese": SmallSet("Chinese names and texts", chinese),
    "spanish": SmallSet("Spanish, Latin-1", spanish),
    "italian": SmallSet("Italian, a column of two words behind", italian),
    "portuguese": SmallSet("Portuguese, a constant column", portuguese),
}
