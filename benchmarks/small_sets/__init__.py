"""Small data sets in as many shapes as people's data has, each a function that writes its files.

Texts are of BANKING77, the Financial PhraseBank, WNUT 2017 and StackFAQ, sounds of the Free Spoken
Digit Dataset, ratings of MovieTweetings; pictures are OpenMoji's. Files are the same each time.
"""

from __future__ import annotations

from benchmarks.small_sets import columns, dirt, formats, labels, languages, media, pictures, texts
from benchmarks.small_sets.material import SmallSet

__all__ = ["SETS", "SmallSet"]

SETS: dict[str, SmallSet] = {
    **formats.SETS,
    **languages.SETS,
    **columns.SETS,
    **labels.SETS,
    **texts.SETS,
    **dirt.SETS,
    **pictures.SETS,
    **media.SETS,
}
