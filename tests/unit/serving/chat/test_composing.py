"""What is quoted of the entries that answer."""

from fuseline.serving.chat.composing import composed, quoted
from fuseline.serving.chat.knowledge import Entry
from fuseline.serving.chat.ranking import Words
from fuseline.serving.chat.retrieval import Found

FOX = Entry(1, "What of foxes?", "They are red.", None, "Book of foxes")
BEAR = Entry(2, "What of bears?", "They are brown.", None, "Book of bears")
WORDS = Words([f"{one.question}\n{one.answer}" for one in (FOX, BEAR)] + ["What else?"])


def test_one_entry_is_quoted_whole() -> None:
    text, used = composed([Found(FOX, 2.0), Found(BEAR, 1.5)], "foxes?", WORDS, 100)
    assert (text, [one.entry for one in used]) == ("They are red.", [FOX])


def test_another_is_added_for_what_the_first_lacks() -> None:
    text, used = composed([Found(FOX, 2.0), Found(BEAR, 1.5)], "foxes and bears?", WORDS, 100)
    assert text == "They are red.\n\nThey are brown."
    assert [one.entry for one in used] == [FOX, BEAR]


def test_another_is_left_out_without_room_or_evidence() -> None:
    both = "foxes and bears?"
    assert len(composed([Found(FOX, 2.0), Found(BEAR, 1.5)], both, WORDS, 20)[1]) == 1
    assert len(composed([Found(FOX, 4.0), Found(BEAR, 1.5)], both, WORDS, 100)[1]) == 1


def test_of_a_long_answer_the_asked_sentences_are_quoted_in_their_order() -> None:
    answer = "First this. Then a fox. Then that thing. At last a bear."
    assert quoted(answer, {"fox", "bear"}, 40) == "… Then a fox. … At last a bear."
    assert quoted(answer, {"first"}, 15) == "First this. …"
    assert quoted("word " * 20, set(), 12) == "word word …"
    assert quoted(answer, set(), 100) == answer
