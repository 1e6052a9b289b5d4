"""What columns are called that hold no content, and what people call each field.

Names are compared as `plain` spells them: in lower case, without accents, words parted by `_`.
"""

from __future__ import annotations

import re
import unicodedata


def plain(name: str) -> str:
    """`json.User ID` as `user_id`, `Catégorie` as `categorie`: the last part of the name."""
    last = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.rpartition(".")[2].strip())
    # `ß` casefolds to `ss`.
    letters = unicodedata.normalize("NFKD", last.casefold())
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return re.sub(r"[\s\-_]+", "_", bare)


# In English; then German, French, Spanish, Italian, Portuguese; then others, as far as a word is
# certain to mean it.
_NAMES = {
    "id": "id uid uuid guid key example_id row_id sample_id record_id idx __key__ identifiant"
    " identificador identificatore",
    "label": "label labels class cls category target y sentiment intent genre topic tag kind"
    " emotion diagnosis species outcome verdict polarity stance survived churn churned fraud spam"
    " ground_truth gold gold_label annotation"
    " klasse kategorie stimmung gefuehl gefühl thema absicht anliegen diagnose urteil"
    " ergebnis zielgröße zielgroesse etikett befund"
    " étiquette classe catégorie émotion thème sujet intention diagnostic polarité"
    " etiqueta clase categoría sentimiento emoción tema intención género diagnóstico polaridad"
    " etichetta categoria sentimento emozione argomento intenzione genere diagnosi giudizio"
    " polarità rótulo classificação emoção intenção assunto"
    " etiket categorie klasa kategoria etykieta kategori luokka метка класс категория"
    " 标签 標籤 类别 類別 分类 分類 情感 ラベル カテゴリ クラス 感情 레이블 라벨 카테고리 분류",
    "lang": "lang language locale lang_code language_code sprache langue idioma lingua língua",
    "license": "license licence rights terms lizenz licencia licenza licença",
    "provenance": "provenance source origin source_url url credit attribution quelle fuente fonte",
    "text": "text txt sentence caption title description content body message review comment"
    " question utterance transcript transcription sentence1 sentence2 premise hypothesis prompt"
    " nachricht kommentar beschreibung titel überschrift satz frage rezension"
    " texte titre commentaire avis phrase contenu"
    " texto título descripción mensaje comentario reseña pregunta oración contenido"
    " testo titolo descrizione messaggio commento recensione domanda frase contenuto"
    " descrição mensagem comentário pergunta conteúdo"
    " tekst текст 文本 评论 評論 内容 标题 句子 テキスト 文章 本文 텍스트 문장 내용",
}
FIELD_OF = {plain(name): field for field, names in _NAMES.items() for name in names.split()}

# A text of this name is written, given the others of its row.
_ANSWERS = (
    "answer response completion output reply summary highlights translation target_text"
    " antwort zusammenfassung übersetzung réponse résumé traduction respuesta resumen"
    " traducción risposta riassunto traduzione resposta resumo tradução 答案 回答 摘要 译文"
)
_IS_ANSWER = frozenset(map(plain, _ANSWERS.split()))

# Names of splits, and of what validation by turns leaves out.
SPLIT_COLUMNS = frozenset({"split", "splits", "subset", "partition", "set", "part", "data_split"})
_FOLDS = re.compile(r"((k|cv)_?)?folds?(_?(id|no|nr|num|number|idx))?")

# The index that a data frame writes along, and what libraries call it.
_INDEX = re.compile(
    r"|unnamed(: ?\d+)?(_level_\d+)?(\.\d+)?|index|_*index_level_\d+_*|level_\d+|row(_?names?)?"
    r"|\.+1"
)

# Whoever and whatever has several rows that must share a split: for certain, and where values are
# many.
_SURE_OWNERS = (
    "author client customer donor driver encounter family household participant patient person"
    " player reviewer session speaker student subject trial user visitor writer"
    " autor autorin kunde kundin kunden nutzer nutzerin benutzer patientin sprecher sprecherin"
    " teilnehmer proband fahrer sitzung"
    " auteur cliente utilisateur locuteur participante"
    " autora usuario usuaria paciente hablante sesion"
    " autore utente paziente parlante sessione"
    " falante sessao"
    " 用户 用戶 客户 客戶 患者 作者 说话人 顾客"
)
_OWNERS = (
    "account article artist batch book business case channel cluster company conversation device"
    " dialog dialogue doc document episode event experiment file film hospital item listing machine"
    " member movie page paper plate post product property recording restaurant scene sensor"
    " sequence series site slide song source_file store story study thread tile track trip vehicle"
    " video visit well"
)
_NAMED = r"_?(id|key|code|uid|uuid|guid|ref|name|no|nr|num|number|nummer|kennung|numero)"
_SURE_OWNER = re.compile(
    rf"(.*_)?(group|gruppe|groupe|grupo|gruppo)(_?id)?"
    rf"|(.*_)?({_SURE_OWNERS.replace(' ', '|')})({_NAMED})?"
)
_OWNER = re.compile(rf"(.*_)?({_OWNERS.replace(' ', '|')})({_NAMED})?")
_IDENTIFIER = re.compile(r"(.*_)?(id|uid|uuid|guid|key|hash|md5|sha\d*|pk|ref)|[a-z]+id")
_NUMBERED = re.compile(
    r"(.*_)?(no|nr|num|number|seq|sequence|serial|serial_no|counter|count|idx|index|rownum|row"
    r"|row_no|row_number|row_id|line|position|order)|n|#|№"
)
_TIME = re.compile(
    r"(.*_)?(time_?stamp|ts|epoch|epochs|unix(_?time)?|date_?time|time|millis|(created|updated"
    r"|modified|inserted|posted|logged|recorded|uploaded|sent)(_(at|on|time|utc))?)"
)

# Who, what and how much: rows of interactions rather than of content.
_WHO = re.compile(
    r"(user|customer|member|reviewer|rater|viewer|listener|reader|client|visitor|account|player"
    r"|person|buyer)s?(_?(id|key|no|name|uid|idx))?|uid|u_?id|user_?index"
)
_WHAT = re.compile(
    r"(item|product|movie|film|show|title|song|track|book|artist|album|game|restaurant|business"
    r"|article|course|video|anime|recipe|hotel|place|app|joke|beer|wine)s?"
    r"(_?(id|key|no|name|title|idx))?|isbn\d*|asin|sku|iid|i_?id|mid"
)
_HOW_MUCH = re.compile(
    r"((user|overall|movie|item|book)_)?(rating|rate|score|star|vote|grade|click|clicked|play"
    r"|play_?count|listen|view|watched|purchase|purchased|bought|like|liked|interaction|feedback"
    r"|event|event_type|weight|preference|implicit)s?"
)

# What is measured and asked for: a number of this name is to be learnt.
_ASKED = re.compile(
    r"(.*_)?(target|y|label|rating|score|stars|grade|price|cost|value|outcome|response|result"
    r"|output|sales|revenue|quality|salary|amount"
    r"|preis|bewertung|note|kosten|gehalt|umsatz|prix|montant|precio|valor|puntuacion|prezzo"
    r"|punteggio|preco|nota)s?"
)
# Several names in each cell.
MANY = frozenset(["tags", "labels", "genres", "topics", "categories", "keywords", "classes"])


def is_index(name: str) -> bool:
    """Whether it is a data frame's index, or has no name at all."""
    return _INDEX.fullmatch(name.strip().lower()) is not None


def is_fold(name: str) -> bool:
    """Whether it numbers the parts of a cross-validation."""
    return _FOLDS.fullmatch(plain(name)) is not None


def is_sure_owner(name: str) -> bool:
    """Whether it is called a group, or after somebody who has several rows, as `patient`."""
    return _SURE_OWNER.fullmatch(plain(name)) is not None


def is_owner(name: str) -> bool:
    """Whether it is called after a thing that may have several rows, as `session_id`."""
    return is_sure_owner(name) or _OWNER.fullmatch(plain(name)) is not None


def is_identifier(name: str) -> bool:
    """Whether it is called an id or a hash."""
    return _IDENTIFIER.fullmatch(plain(name)) is not None


def is_numbered(name: str) -> bool:
    """Whether it is called a number of something, as `ticket_no`."""
    return _NUMBERED.fullmatch(plain(name)) is not None


def is_time(name: str) -> bool:
    """Whether it is called a point in time."""
    return _TIME.fullmatch(plain(name)) is not None


def is_who(name: str) -> bool:
    """Whether it is called after somebody who rates, buys or clicks."""
    return _WHO.fullmatch(plain(name)) is not None


def is_what(name: str) -> bool:
    """Whether it is called after something that is rated, bought or clicked."""
    return _WHAT.fullmatch(plain(name)) is not None


def is_how_much(name: str) -> bool:
    """Whether it is called after what somebody thinks of something, or does with it."""
    return _HOW_MUCH.fullmatch(plain(name)) is not None


def is_asked(name: str) -> bool:
    """Whether it is called after what models are asked for."""
    return _ASKED.fullmatch(plain(name)) is not None


def is_answer(name: str) -> bool:
    """Whether it is called after a text that is written, given others."""
    return plain(name) in _IS_ANSWER
