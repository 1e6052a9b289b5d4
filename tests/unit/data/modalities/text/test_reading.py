"""How a tokenizer reads letters."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from fuseline.data.modalities.text.reading import MAX_TEXTS, Reading, read_texts
from fuseline.data.modalities.text.tokenizer import encoder_folder, load_tokenizer

UNKNOWN = 0
PIECES = ["[UNK]", "green", "##er", "q", "##u", "火"]


@pytest.fixture
def tokenizer():
    pieces = {piece: place for place, piece in enumerate(PIECES)}
    found = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return found


@pytest.mark.parametrize(
    ("text", "unread", "short"),
    [
        ("green", 0.0, 0.0),
        ("greener", 0.0, 2 / 7),
        ("qu", 1.0, 1.0),
        ("green qu", 2 / 7, 2 / 7),
        ("green яблоко", 6 / 11, 6 / 11),
        ("火 green", 0.0, 0.0),
        ("12 . , -", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_shares_are_of_letters(tokenizer, text, unread, short):
    found = read_texts(tokenizer, UNKNOWN, [text])
    assert (found.unread_share, found.short_share) == pytest.approx((unread, short))


def test_no_texts_are_read_well(tokenizer):
    assert read_texts(tokenizer, UNKNOWN, []) == Reading(0.0, 0.0)


def test_a_look_at_the_first_texts_is_enough(tokenizer):
    texts = iter(["green"] * MAX_TEXTS + ["qu"])
    assert read_texts(tokenizer, UNKNOWN, texts).unread_share == 0.0
    assert list(texts) == ["qu"]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("My card was charged twice, why?", True),
        ("Ma carte a été débitée deux fois, pourquoi ?", True),
        ("Meine Karte wurde zweimal belastet, warum?", True),
        ("Почему с моей карты списали дважды?", False),
        ("لماذا تم خصم المبلغ من بطاقتي مرتين؟", False),
        ("为什么我的卡被扣了两次钱？", False),
        ("なぜカードから二回引き落とされましたか。", False),
        ("제 카드에서 왜 두 번 출금되었나요?", False),
        ("ทำไมบัตรของฉันถูกหักเงินสองครั้ง", False),
        ("मेरे कार्ड से दो बार पैसे क्यों कटे?", False),
    ],
)
def test_minilm_reads_languages_of_latin_letters(text, known):
    folder = encoder_folder("minilm")
    assert folder is not None
    tokenizer = load_tokenizer(folder)
    unknown = tokenizer.token_to_id("[UNK]")
    assert (read_texts(tokenizer, unknown, [text]).unread_share < 0.5) is known
