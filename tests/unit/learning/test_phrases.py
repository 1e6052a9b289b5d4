from fuseline.learning.phrases import own_tokens, refusal_of, words

PHRASES = {"unknown": [["i", "do", "not", "know"]], "unsafe": [["i"], ["i", "do", "not", "know"]]}


def test_tokens_up_to_the_end_without_silent_ones():
    assert own_tokens([0, 7, 1, 8, 3, 9], end=3, silent=(0, 4)) == [7, 1, 8]
    assert own_tokens([7, 4], end=3, silent=(0, 4)) == [7]


def test_words_have_no_case_accents_or_marks():
    assert words("L'Été , DÉJÀ 2 !") == ["l", "ete", "deja", "2"]
    assert words("e\u0301te\u0301") == words("été") == ["ete"]


def test_the_longest_phrase_that_begins_a_text_tells_its_class():
    assert refusal_of("I do not know why.", PHRASES) == "unknown"
    assert refusal_of("I can", PHRASES) == "unsafe"
    assert refusal_of("well, I do not know", PHRASES) is None
