"""Tags of words: alignment with tokens, losses and figures of entities, by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from fuseline.data.dataset import NO_LABEL
from fuseline.errors import ContractError
from fuseline.evaluation.scoring.ablation import modality_ablation
from fuseline.learning.tasks.base import Cells
from fuseline.learning.tasks.prediction import predict
from fuseline.learning.tasks.token_classification import TokenClassification
from tests.support.tasks import cells, made, tokenizer
from tests.support.tiny_models import rows

NAMES = ["B-X", "B-Y", "I-X", "O"]
X, Y, IX, O = range(4)  # noqa: E741
NO = NO_LABEL


def task() -> TokenClassification:
    return TokenClassification("tags", {"labels": NAMES})


def tagged(
    pairs: list[tuple[str | None, str | None]],
    limit: int = 64,
    made: PreTrainedTokenizerFast | None = None,
) -> Cells:
    """Rows of text and tags, with their tokens as the tokens table has them."""
    made = made or tokenizer()
    ids = [np.array(made(text or "")["input_ids"]) for text, _ in pairs]
    ids = [row if len(row) <= limit else np.append(row[: limit - 1], row[-1]) for row in ids]
    data = replace(rows(len(pairs)), input_ids=ids)
    return Cells([tags for _, tags in pairs], [text for text, _ in pairs], data, made, "examples")


def byte_level() -> PreTrainedTokenizerFast:
    """Every byte a token, the space before a word the first of its own."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {name: place for place, name in enumerate(["<s>", "</s>", *alphabet])}
    made = Tokenizer(models.BPE(vocab, [("\u0120", "a")] if "\u0120a" in vocab else []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.post_processor = processors.RobertaProcessing(
        ("</s>", 1), ("<s>", 0), trim_offsets=False, add_prefix_space=False
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, cls_token="<s>", sep_token="</s>")


def test_a_words_tag_lies_at_its_first_piece():
    """`tan` is no word of the vocabulary, and `ant` is one."""
    found = tagged([("ant tan ant", "B-X I-X O")])
    pieces = found.tokenizer.convert_ids_to_tokens(found.data.input_ids[0])
    assert pieces == ["[CLS]", "ant", "t", "##a", "##n", "ant", "[SEP]"]
    assert task().labels(found).tolist() == [[NO, X, IX, NO, NO, O, NO]]


def test_a_word_of_several_tokens_has_one_tag():
    """White space parts words; the tokenizer parts at the stop too."""
    found = tagged([("ant.bee cat", "B-Y O")])
    labels = task().labels(found)[0]
    assert (labels != NO).sum() == 2
    assert labels[1] == Y
    assert found.tokenizer.convert_ids_to_tokens(found.data.input_ids[0])[4] == "cat"
    assert labels[4] == O


def test_an_unknown_word_has_its_tag():
    assert task().labels(tagged([("ant \u4e00 cat", "O B-X O")])).tolist() == [
        [NO, O, X, O, NO]
    ]  # fmt: skip


def test_a_word_that_the_tokenizer_drops_has_none_and_shifts_no_other():
    found = tagged([("ant \u200d cat", "O B-X B-Y")])
    assert len(found.data.input_ids[0]) == 4
    assert task().labels(found).tolist() == [[NO, O, Y, NO]]


def test_words_beyond_the_limit_have_none():
    """The separator keeps the last place."""
    labels = task().labels(tagged([("ant bee cat tab", "O B-X I-X B-Y")], limit=4))
    assert labels.tolist() == [[NO, O, X, NO]]


def test_a_word_that_the_limit_cuts_keeps_its_tag():
    labels = task().labels(tagged([("ant tan", "O B-X")], limit=4))
    assert labels.tolist() == [[NO, O, X, NO]]


def test_rows_without_tags_or_text_have_no_label():
    labels = task().labels(tagged([("ant bee", None), (None, None), ("ant", "O")]))
    assert labels.tolist() == [[NO] * 4, [NO] * 4, [NO, O, NO, NO]]
    assert task().has_label(labels).tolist() == [False, False, True]


def test_byte_level_tokens_begin_with_the_space_before_a_word():
    found = tagged([("ab c\u00e9 d", "O B-X B-Y")], made=byte_level())
    tokens = found.tokenizer.convert_ids_to_tokens(found.data.input_ids[0])
    assert tokens == ["<s>", "a", "b", "\u0120", "c", "\u00c3", "\u00a9", "\u0120", "d", "</s>"]
    # A space that is a token of its own belongs to no word.
    assert task().labels(found).tolist() == [[NO, O, NO, NO, X, NO, NO, NO, Y, NO]]


def test_tokens_of_another_text_are_an_error():
    found = tagged([("ant bee", "O O"), ("cat", "O")])
    other = replace(found, texts=["ant bee", "can"])
    with pytest.raises(ContractError, match=r"row 'row-001': its tokens are not those of its text"):
        task().labels(other)


def test_an_unknown_tag_is_an_error():
    with pytest.raises(ContractError, match=r"row 'row-000' has tag 'B-Z', which the model does"):
        task().labels(tagged([("ant bee", "O B-Z")]))


def test_tags_to_tell_apart():
    assert TokenClassification.learn(tagged([("ant bee", "O B-X")])) == {"labels": ["B-X", "O"]}
    with pytest.raises(ContractError, match=r"^examples: expected at least two tags .* found 1\."):
        TokenClassification.learn(tagged([("ant bee", "O O")]))


def test_without_texts_there_are_no_words():
    """As where base.modalities leaves text out."""
    data = rows(24, modalities=["image"])
    with pytest.raises(ContractError, match=r"tags the words of texts, .* Add text to base\.modal"):
        TokenClassification.learn(cells("token_classification", data=data))


def test_the_loss_is_the_mean_over_words():
    logits = torch.zeros(2, 8, 4)
    logits[0, 1, X] = math.log(3.0)
    labels = torch.tensor([[NO, X, NO, O], [NO] * 4])
    losses = task().losses(logits, {"labels": labels})
    assert losses.tolist() == pytest.approx([(math.log(2) + math.log(4)) / 2, 0.0])


def test_labels_may_be_wider_or_narrower_than_the_batch():
    logits = torch.zeros(1, 8, 4)
    narrow = torch.tensor([[NO, X, O]])
    wide = torch.full((1, 13), NO)
    wide[0, :3] = narrow
    first, second = (task().losses(logits, {"labels": labels}) for labels in (narrow, wide))
    assert first == second
    assert task().outputs(logits, {"labels": wide}).shape == (1, 13)
    assert task().outputs(logits, {"labels": narrow}).shape == (1, 3)


def labelled(labels: list[list[int]]):
    return replace(rows(len(labels)), labels=np.array(labels))


def test_entities_count_as_a_whole():
    """Of three entities the second is found short, the third whole; and one is made up."""
    data = labelled([[NO, X, IX, O, Y], [NO, X, O, O, O], [NO] * 5])
    outputs = np.array([[0, X, O, O, Y], [0, X, O, O, Y], [X] * 5])
    found = task().scores(outputs, data)
    assert found["entity_precision"] == pytest.approx(2 / 4)
    assert found["entity_recall"] == pytest.approx(2 / 3)
    assert found["entity_f1"] == pytest.approx(4 / 7)
    assert found["word_accuracy"] == pytest.approx(6 / 8)
    assert task().spelt(outputs, data) == (
        ["B-X I-X O B-Y", "B-X O O O", ""], ["B-X O O B-Y", "B-X O O B-Y", ""]
    )  # fmt: skip
    assert "X" in task().report(outputs, data).split()


def test_rows_are_sentences_of_their_own():
    """An entity does not go on in the next row."""
    data = labelled([[X, IX], [X, IX]])
    assert task().scores(np.array([[X, IX], [IX, IX]]), data)["entity_precision"] == 1.0


def test_words_without_any_entity_are_reported():
    data = labelled([[NO, O, O]])
    outputs = np.array([[O, O, O]])
    assert task().scores(outputs, data)["word_accuracy"] == 1.0
    assert "word_accuracy" in task().report(outputs, data)


def test_right_is_every_word_of_the_row():
    logits = torch.nn.functional.one_hot(torch.tensor([[O, X, O], [O, X, O], [O, O, O]]), 4)
    labels = torch.tensor([[NO, X, NO], [NO, X, Y], [NO, NO, NO]])
    assert task().right(logits.float(), {"labels": labels}).tolist() == [True, False, False]


def test_another_rows_shorter_text_leaves_words_without_a_tag():
    """As the ablation does, which takes texts from other rows while the labels stay."""
    tags, data, model = made("token_classification")
    own = data.take(tags.own_rows(data))
    seen = []

    def answer(changed):
        (found,) = predict(model, [tags], changed, 8)
        seen.append(bool((found.outputs == NO)[changed.labels != NO].any()))
        return found.outputs

    found = modality_ablation(answer, tags.scores, own, ["text", "image"], seed=0).figures
    assert any(seen)
    assert 0.0 <= found["shuffled"]["by_modality"]["text"]["word_accuracy"] < 1.0


@pytest.mark.parametrize("names", [NAMES, NAMES[:3]])
def test_no_tag_is_a_wrong_one_and_no_entity(names):
    """Also where the model knows no tag for what is outside."""
    tags = TokenClassification("tags", {"labels": names})
    data = labelled([[X, IX, Y]])
    outputs = np.array([[X, IX, NO]])
    found = tags.scores(outputs, data)
    assert (found["entity_precision"], found["entity_recall"]) == (1.0, 0.5)
    assert found["word_accuracy"] == pytest.approx(2 / 3)
    assert tags.spelt(outputs, data) == (["B-X I-X B-Y"], ["B-X I-X O"])
