from __future__ import annotations

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuseline.data.ingest.safety.personal import KINDS, column_context, find_personal_data, mask

FOUND = [
    ("email", "write to {jane.doe@example.org} now"),
    ("email", "Mail: {JANE+x@sub.example.co.uk}."),
    ("email", "{jürgen@müller.de}"),
    ("email", "<{a@b.io}>"),
    ("phone", "call {+44 20 7946 0958}"),
    ("phone", "{+1 (212) 555-0187} please"),
    ("phone", "tel. {030 12345678}"),
    ("phone", "{(212) 664-7665}"),
    ("phone", "phone: {2126647665}"),
    ("phone", "{212-664-7665}"),
    ("phone", "{01 42 68 53 00}"),
    ("payment_card", "{4111 1111 1111 1111}"),
    ("payment_card", "card {5500005555555559}, thanks"),
    ("payment_card", "{378282246310005}"),
    ("payment_card", "{6011111111111117}"),
    ("payment_card", "{2223003122003222}"),
    ("payment_card", "{30569309025904}"),
    ("iban", "to {DE89 3704 0044 0532 0130 00} by Monday"),
    ("iban", "{GB82WEST12345698765432}"),
    ("ip_address", "server {203.0.113.7} down"),
    ("ip_address", "{2001:db8:85a3::8a2e:370:7334}"),
    ("ip_address", "{fe80::1ff:fe23:4567:890a}"),
    ("national_id", "ssn {536-22-1234}"),
    ("national_id", "SSN: {536221234}"),
    ("national_id", "{AB 12 34 56 C}"),
    ("national_id", "{12345678Z}"),
    ("national_id", "{X1234567L}"),
    ("national_id", "{RSSMRA85T10A562S}"),
    ("national_id", "{131052-308T}"),
    ("national_id", "{S1234567D}"),
    ("national_id", "{900101-1234567}"),
    ("national_id", "PESEL {44051401359}"),
    ("national_id", "NHS number {943 476 5919}"),
    ("national_id", "Aadhaar {2341 2341 2346}"),
    ("national_id", "TFN {123 456 782}"),
    ("national_id", "personnummer {811218-9876}"),
]

CLEAN = [
    "version 1.2.3.4",
    "v10.0.19045",
    "build 6.1.7601.2",
    "chapter 2.4.1.3",
    "3.2.1.4.5",
    "Price: 1,299,000.00 USD",
    "$ 1 234 567",
    "costs 12.345.678,90",
    "10.000.000.000 €",
    "2 000 000 000 people",
    "2024-01-15 10:30:45",
    "15.01.2024",
    "1999-2003",
    "01/02/2023 03:04",
    "9999-12-31T23:59:59",
    "2019 2020 2021",
    "12:30:45",
    "ISBN 978-3-16-148410-0",
    "ISBN 0-306-40615-2",
    "order 1234567890",
    "Order no. 202-664-7665",
    "order number 20240115123456",
    "tracking 1Z999AA10123456784",
    "EAN 4006381333931",
    "4006381333931",
    "ID 123456789012",
    "1700000000000",
    "1700000000000000",
    "1234 5678 9012 3456",
    "4111 1111 1111 1112",
    "DE89 3704 0044 0532 0130 01",
    "12345678A",
    "44051401359",
    "2341 2341 2346",
    "pi is 3.14159265358979",
    "lat 52.520008, 13.404954",
    "255.255.255.0",
    "127.0.0.1",
    "999.1.1.1",
    "std::vector",
    "a::b",
    "me @ home",
    "follow @jane",
    "user@localhost",
    "score 3-2-1",
    "1 2 3 4 5 6 7 8 9",
    "2-3-5-7-11-13",
    "800x600 1024x768 1920x1080",
    "T1234567",
    "room 12-34-56",
    "555-1234",
    "A4 80 g/m2 500",
    "MD5 d41d8cd98f00b204e9800998ecf8427e",
    "550e8400-e29b-41d4-a716-446655440000",
    "❤️ 👨‍👩‍👧‍👦 1️⃣2️⃣3️⃣",
    "keycap: 10",
    "كلب 12 שלום",
]


@pytest.mark.parametrize(("kind", "marked"), FOUND)
def test_finds_the_whole_of_it_and_nothing_beside(kind, marked):
    text = marked.replace("{", "").replace("}", "")
    before, _, rest = marked.partition("{")
    finds = find_personal_data(text)
    assert [(find.kind, find.start) for find in finds] == [(kind, len(before))]
    assert mask(text, finds) == f"{before}[{kind.upper()}]{rest.partition('}')[2]}"


@pytest.mark.parametrize("text", CLEAN)
def test_leaves_what_only_looks_like_it(text):
    assert find_personal_data(text) == []


def test_names_of_emoji_are_untouched():
    import emoji

    names = [entry["en"] for entry in emoji.EMOJI_DATA.values()]
    assert len(names) > 3000
    assert [name for name in names if find_personal_data(name)] == []


def test_several_kinds_are_masked_in_place():
    text = "a@b.de, +44 20 7946 0958; 4111-1111-1111-1111 or c@d.fr"
    masked = mask(text, find_personal_data(text))
    assert masked == "[EMAIL], [PHONE]; [PAYMENT_CARD] or [EMAIL]"


def test_overlapping_finds_become_the_surer_kind_and_cover_both():
    """The local part of the address is a telephone number."""
    text = "call +442079460958@example.org"
    finds = find_personal_data(text)
    assert mask(text, finds) == "call [EMAIL]"


@pytest.mark.parametrize(
    ("column", "cell", "masked"),
    [
        ("home_phone", "2126647665", "[PHONE]"),
        ("PhoneNumber", "2126647665", "[PHONE]"),
        ("tel", "212 664 7665", "[PHONE]"),
        ("SSN", "536221234", "[NATIONAL_ID]"),
        ("contact", "a@b.de", "[EMAIL]"),
        ("hotel", "2126647665", "2126647665"),
        ("phone_model", "2126647665", "2126647665"),
        ("phone_calls", "2126647665", "2126647665"),
        ("price", "1299000.5", "1299000.5"),
        ("added", "2024-01-15 10:30:45", "2024-01-15 10:30:45"),
    ],
)
def test_the_name_of_a_column_tells_what_its_digits_are(column, cell, masked):
    assert mask(cell, find_personal_data(cell, context=column_context(column))) == masked


def test_the_context_itself_is_never_found():
    assert find_personal_data("664 7665", context="mail a@b.de, tel. 212 ") == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [marked.replace("{", "").replace("}", "") for _, marked in FOUND] + CLEAN + ["\n", "é"]
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_masked_text_holds_no_finds(parts):
    text = " | ".join(parts)
    masked = mask(text, find_personal_data(text))
    assert find_personal_data(masked) == []


@pytest.mark.parametrize(
    "text",
    ["1" * 20000, "1 " * 10000, "1.1." * 5000, "a.b@" * 5000, "(1" * 10000, "AA11 " * 4000],
    ids=lambda text: text[:5],
)
def test_no_text_of_the_permitted_length_takes_long(text):
    started = time.process_time()
    find_personal_data(text)
    assert time.process_time() - started < 5.0


def test_plain_texts_cost_next_to_nothing():
    text = "a family photo: woman, woman, girl and boy in the park at dusk, 3 dogs of 2021"
    started = time.process_time()
    for _ in range(20_000):
        find_personal_data(text)
    # 1 µs each on a quiet machine; a recogniser asked in vain would take 100.
    assert time.process_time() - started < 20_000 * 20e-6


def test_presidio_is_not_loaded_for_plain_texts():
    code = (
        "import sys; from fuseline.data.ingest.safety.personal import find_personal_data;"
        "find_personal_data('keycap: 10, a dog of 2021'); print('presidio_analyzer' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "False\n"


def test_domains_are_judged_without_the_network():
    """Presidio's own recogniser would fetch the list of suffixes."""
    from fuseline.data.ingest.safety.recognisers import _OfflineEmails

    assert _OfflineEmails._extract.suffix_list_urls == ()
    assert not _OfflineEmails._extract._cache.enabled


def test_every_kind_is_tested():
    assert {kind for kind, _ in FOUND} == set(KINDS)
