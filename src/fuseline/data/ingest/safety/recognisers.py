"""Presidio's recognisers, asked for spans; stricter than presidio where a bare number could be
anything. Importing this module imports presidio, which takes seconds.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from presidio_analyzer import Pattern
from presidio_analyzer.predefined_recognizers import (
    AuTfnRecognizer,
    CreditCardRecognizer,
    EmailRecognizer,
    EsNieRecognizer,
    EsNifRecognizer,
    FiPersonalIdentityCodeRecognizer,
    IbanRecognizer,
    InAadhaarRecognizer,
    IpRecognizer,
    ItFiscalCodeRecognizer,
    KrRrnRecognizer,
    NhsRecognizer,
    PhoneRecognizer,
    PlPeselRecognizer,
    SePersonnummerRecognizer,
    SgFinRecognizer,
    UkNinoRecognizer,
    UsItinRecognizer,
    UsSsnRecognizer,
)
from tldextract import TLDExtract

Span = tuple[int, int]

CONTEXT_CHARACTERS = 40
# Issuers' prefixes and lengths; Luhn's checksum alone lets every tenth number through. The
# 13-digit cards of old are left out: European article numbers look like them.
CARD_SHAPE = (
    r"(?<![\d.,-])(?:4\d{3}([ -]?)\d{4}\1\d{4}\1\d{4}"
    r"|(?:5[1-5]\d{2}|2[2-7]\d{2})([ -]?)\d{4}\2\d{4}\2\d{4}"
    r"|3[47]\d{2}([ -]?)\d{6}\3\d{5}"
    r"|3(?:0[0-5]|[689]\d)\d([ -]?)\d{6}\4\d{4}"
    r"|(?:35\d{2}|6\d{3})([ -]?)\d{4}\5\d{4}\5\d{4}(?:\5\d{1,3})?)(?![\d-]|[.,]\d)"
)
# Words that say that a bare number is a telephone's.
PHONE_CONTEXT = (
    "phone", "telephone", "tel", "mobile", "cell", "call", "fax", "whatsapp", "sms", "text me",
    "dial", "ring", "handy", "telefon", "teléfono", "téléphone",
)  # fmt: skip
NOT_A_PHONE = re.compile(
    r"\b(?:isbn|issn|doi|ean|upc|order|invoice|ref(?:erence)?|serial|sku|item|part|version"
    r"|tracking|ticket|case|id|no)\b\W*(?:number|no|id|num|code)?\W*$",
    re.IGNORECASE,
)
DIGITS = re.compile(r"[+(]?\d(?:[\s().\-/–]{0,3}\d){6,}")
DATE_OR_AMOUNT = re.compile(
    r"\b(?:\d{4}-\d\d-\d\d|\d\d?[./]\d\d?[./]\d{4}|[1-9]\d{0,2}(?:[ .,]\d{3}){2,})(?![\d-])"
)
NOT_AN_ADDRESS = re.compile(
    r"(?:\b(?:v|ver|version|release|build|section|chapter|firmware|python|chrome|oid)|§)\W{0,3}$",
    re.IGNORECASE,
)


class _OfflineEmails(EmailRecognizer):
    """Domains are judged by the list that comes with tldextract; presidio's own would fetch it."""

    _extract = TLDExtract(suffix_list_urls=(), cache_dir=None)

    def validate_result(self, pattern_text: str) -> bool:
        domain = self._extract(pattern_text.rpartition("@")[2])
        return bool(domain.domain and domain.suffix)


def _spans(recogniser: Any, text: str, least_score: float = 0.0) -> Iterator[Span]:
    results = recogniser.analyze(text, recogniser.supported_entities) or []
    for result in results:
        if result.score > least_score:
            yield result.start, result.end


def _finder(recogniser: Any) -> Callable[[str], Iterator[Span]]:
    return lambda text: _spans(recogniser, text)


def _has_context(text: str, start: int, words: Sequence[str]) -> bool:
    """Whether one of the words stands shortly before, tokens of masks not counted."""
    before = text[max(0, start - CONTEXT_CHARACTERS) : start].casefold()
    return any(re.search(rf"(?<![\w\[]){re.escape(word.casefold())}", before) for word in words)


_IPS = IpRecognizer()


def _ip_addresses(text: str) -> Iterator[Span]:
    """Addresses that lead to a machine: no net masks, no loopback, no version numbers."""
    for start, end in _spans(_IPS, text, least_score=0.1):
        found = text[start:end]
        address = ipaddress.ip_interface(found).ip
        if address.is_loopback or address.is_unspecified or address.is_reserved:
            continue
        if address.version == 4 and NOT_AN_ADDRESS.search(text[max(0, start - 12) : start]):
            continue
        # Scope operators of programs look like the shortest addresses of version 6.
        if address.version == 6 and (len(found) < 6 or not re.search(r"\d", found)):
            continue
        # A number with more parts than an address has.
        if re.match(r"\.\d", text[end : end + 2]) or re.search(r"\d\.$", text[:start][-2:]):
            continue
        yield start, end


_PHONES = PhoneRecognizer(leniency=2)


def _phones(text: str) -> Iterator[Span]:
    """Numbers with a country code, or grouped as a country groups them, or called a phone's."""
    if not _may_hold_phones(text):
        return
    for start, end in _spans(_PHONES, text):
        if _is_phone(text, start, end):
            yield start, end


def _may_hold_phones(text: str) -> bool:
    """Whether any row of digits is worth asking presidio, which tries eight countries on each."""
    undated = DATE_OR_AMOUNT.sub("|", text)
    return any(
        match[0].startswith(("+", "(", "0"))
        or len(re.findall(r"\d+", match[0])) > 2
        or _has_context(undated, match.start(), PHONE_CONTEXT)
        for match in DIGITS.finditer(undated)
    )


def _is_phone(text: str, start: int, end: int) -> bool:
    found = text[start:end]
    if found.startswith(("+", "00")):
        return True
    if NOT_A_PHONE.search(text[max(0, start - CONTEXT_CHARACTERS) : start]):
        return False
    if _has_context(text, start, PHONE_CONTEXT):
        return True
    if re.search(r"[\w.,:$€£#-]$", text[:start]) or re.match(r"[\w,:%€$£-]|\.\d", text[end:]):
        return False
    groups = re.findall(r"\d+", found)
    # Ten digits in a row may be anything; so may two numbers side by side.
    return len(groups) > (1 if found.startswith(("(", "0")) else 2)


# By form or by more than one check digit: enough by themselves.
_PLAIN_IDS: Sequence[Any] = (
    UsSsnRecognizer(
        patterns=[Pattern("separated", r"(?<![\w-])\d{3}([- ])\d{2}\1\d{4}(?![\w-])", 0.5)]
    ),
    UsItinRecognizer(patterns=UsItinRecognizer.PATTERNS[2:]),
    UkNinoRecognizer(),
    EsNifRecognizer(patterns=[Pattern("NIF", r"(?<![\w-])\d{8}-?[A-Z](?!\w)", 0.5)]),
    EsNieRecognizer(patterns=[Pattern("NIE", r"(?<![\w-])[XYZ]\d{7}-?[A-Z](?!\w)", 0.5)]),
    ItFiscalCodeRecognizer(),
    FiPersonalIdentityCodeRecognizer(patterns=FiPersonalIdentityCodeRecognizer.PATTERNS[:1]),
    SgFinRecognizer(patterns=[Pattern("FIN", r"(?<!\w)[STFGM]\d{7}[A-Z](?!\w)", 0.5)]),
    KrRrnRecognizer(
        patterns=[
            Pattern(
                "hyphen",
                r"(?<!\d)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-[1-4]\d{6}(?!\d)",
                0.5,
            )
        ]
    ),
)
# Digits alone with one check digit, which a number in ten passes: only beside their own names.
_NAMED_IDS: Sequence[tuple[Any, Sequence[str]]] = (
    (UsSsnRecognizer(patterns=[Pattern("bare", r"\b\d{9}\b", 0.5)]), ("ssn", "social security")),
    (NhsRecognizer(), ("nhs", "national health")),
    (PlPeselRecognizer(), ("pesel",)),
    (InAadhaarRecognizer(), ("aadhaar", "aadhar", "uidai")),
    (AuTfnRecognizer(), ("tfn", "tax file")),
    (SePersonnummerRecognizer(), ("personnummer", "personal identity", "samordningsnummer")),
)


def _national_ids(text: str) -> Iterator[Span]:
    for recogniser in _PLAIN_IDS:
        yield from _spans(recogniser, text)
    for recogniser, words in _NAMED_IDS:
        for start, end in _spans(recogniser, text):
            if _has_context(text, start, words):
                yield start, end


FINDERS: dict[str, Callable[[str], Iterator[Span]]] = {
    "email": _finder(_OfflineEmails()),
    "iban": _finder(IbanRecognizer()),
    "payment_card": _finder(CreditCardRecognizer(patterns=[Pattern("issuers", CARD_SHAPE, 0.3)])),
    "ip_address": _ip_addresses,
    "national_id": _national_ids,
    "phone": _phones,
}
