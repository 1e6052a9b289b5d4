"""What columns are called that hold no content, and what people call each field."""

from __future__ import annotations

import re

_NAMES = {
    "id": "id uid uuid guid key example_id row_id sample_id record_id idx __key__",
    "label": "label labels class cls category target y sentiment intent genre topic tag kind"
    " emotion diagnosis species outcome verdict polarity stance survived churn churned fraud spam"
    " ground_truth gold gold_label annotation",
    "lang": "lang language locale lang_code language_code",
    "license": "license licence rights terms",
    "provenance": "provenance source origin source_url url credit attribution",
    "text": "text txt sentence caption title description content body message review comment"
    " question utterance transcript transcription sentence1 prompt",
}
FIELD_OF = {name: field for field, names in _NAMES.items() for name in names.split()}

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
)
_OWNERS = (
    "account article artist batch book business case channel cluster company conversation device"
    " dialog dialogue doc document episode event experiment file film hospital item listing machine"
    " member movie page paper plate post product property recording restaurant scene sensor"
    " sequence series site slide song source_file store story study thread tile track trip vehicle"
    " video visit well"
)
_NAMED = r"_?(id|key|code|uid|uuid|guid|ref|name|no|nr|num|number)"
_SURE_OWNER = re.compile(rf"(.*_)?group(_?id)?|(.*_)?({_SURE_OWNERS.replace(' ', '|')})({_NAMED})?")
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
    r"|output|sales|revenue|quality|salary|amount)s?"
)
# Several names in each cell.
MANY = frozenset(["tags", "labels", "genres", "topics", "categories", "keywords", "classes"])


def plain(name: str) -> str:
    """`json.User ID` as `user_id`: the last part, in lower case, words parted by `_`."""
    last = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.rpartition(".")[2].strip())
    return re.sub(r"[\s\-_]+", "_", last.lower())


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
