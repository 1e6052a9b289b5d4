"""A screen for harmful texts by words alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

WORDS_FILE = "profanity_wordlist.txt"
# What people write for letters to get past word lists.
_DISGUISES = str.maketrans("@4013$5!7+", "aaoiessitt")
_TOKEN = re.compile(r"[\w@$!+*]+")
_VOWEL = re.compile(r"[aeiou]")

# Words of better-profanity's list that are said every day without harm: animals, food, drink and
# drugs, the body and its care, crimes that news report, names of people and ways to love. Left
# in, they would mark a kitchen's "pot", a church "organ" and the very people that insults aim at.
ORDINARY = frozenset(
    """
    anus areole arian aryan bastard bdsm bimbo bimbos bondage boob boobs breasts clitoris cock
    cocks cowgirl cowgirls crap cum damn dick dink dinks dong doofus dopey drunk dummy
    ejaculate ejaculated ejaculates ejaculating ejaculation enlargement erect erection erotic
    extacy extasy facial fack fanny fart fat feck fingering fisted fisting flange floozy
    fondle foobar fook footjob foreskin fubar gae gai ganja gay gays gey gigolo glans god
    gonad gonads gtfo guido hebe hell hemp hentai heroin herp herpes herpy hitler hiv hoar
    hoare hoer homey homo hooch hookah hooker hoor hooter hooters hore hump humped humping
    hussy hymen inbred incest jerk jerked junkie junky kill kinky kkk klan knob kock kooch kum
    labia lech len leper lesbians lmao lmfao loin loins lube lust lusting lusty mams masochist
    massa masturbate masturbating masturbation maxi menses menstruate menstruation meth molest
    muff murder muther nad nads naked napalm nappy nazi nazism niggle nimrod ninny nipple
    nipples nob nude nudes omg opiate opium oral orally organ orgasm orgasmic orgasms ovary
    ovum ovums paddy pantie panties panty pastie pasty pawn pcp pecker pedophile pedophilia
    pedophiliac pee penetrate penetration penial penile penis perversion peyote phalli phallic
    pimp playboy pms pollock poop porn porno pornography pornos pot potty prick pricks prig
    pron prostitute prude pube pubic pubis punky puss queer queers quicky quim racy rape raped
    raping rapist raunch rectal rectum rectus reefer reich revue rimming rum rump sadism
    sadist sandbar scag scantily schizo screw screwed screwing scrotum scrud scum seaman
    seamen seduce semen sex sexual shag shibari shota sissy slave slope smut snatch sniper
    snuff sodom souse soused spac sperm spunk steamy stfu stiffy stoned strip stroke stupid
    suck sucked tampon tawdry teabagging teat teste testee testes testicle testis threesome
    thrust thug tinkle tit titi tits toke toots tramp transsexual trashy turd tush ugly undies
    unwed urinal urine uterus uzi vag vagina valium viagra virgin vixen vodka vomit voyeur
    vulgar vulva wad wang wazoo wedgie weed weenie weiner weirdo wench whitey whiz willies
    willy womb woody wtf xx xxx yaoi yury
    """.split()  # noqa: SIM905
)
ORDINARY_PHRASES = frozenset(
    {"cow girl", "cow girls", "dog style", "god dam", "jack off", "strip club", "three some"}
)


class WordListScreen:
    """Judges a text harmful where one of some 700 swear words and slurs stands in it.

    The list is that of the package better-profanity, less `ORDINARY`. Words count whole, in any
    case, with vowels starred (`sh*t`) or letters disguised (`sh1t`). Its limits: English only; no
    context, so that a quotation, a report or a reclaimed word counts like an insult; an insult,
    a threat or an incitement without such a word is missed; so is a word that is spelt anew or
    pulled apart. It is a first look, not a guard.
    """

    def __init__(self) -> None:
        listed = {" ".join(_TOKEN.findall(word.lower())) for word in _listed_words()} - {""}
        plain = {word for word in listed if " " not in word} - ORDINARY
        self._words = plain | {variant for word in plain for variant in _starred(word)}
        self._phrases = {word for word in listed if " " in word} - ORDINARY_PHRASES
        self._firsts = {phrase.split()[0] for phrase in self._phrases}

    def is_harmful(self, text: str) -> bool:
        """Whether a word or phrase of the list stands in the text."""
        tokens = _TOKEN.findall(text.lower())
        if not self._words.isdisjoint(tokens):
            return True
        if not self._firsts.isdisjoint(tokens):
            words = f" {' '.join(tokens)} "
            if any(f" {phrase} " in words for phrase in self._phrases):
                return True
        return not text.isalpha() and any(
            plain in self._words for token in tokens if (plain := _undisguised(token)) is not None
        )


def _listed_words() -> list[str]:
    # Found without importing the package, which builds millions of variants as it loads.
    spec = find_spec("better_profanity")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / WORDS_FILE).read_text(encoding="utf-8").split("\n")[:-1]


def _starred(word: str) -> Iterator[str]:
    """The word with one vowel or all vowels starred; short words would become anything."""
    if len(word) < 4:
        return
    yield _VOWEL.sub("*", word)
    for match in _VOWEL.finditer(word):
        yield f"{word[: match.start()]}*{word[match.end() :]}"


def _undisguised(token: str) -> str | None:
    """The token in letters alone; None where it is no disguise: all letters, or too few."""
    if token.isalpha() or sum(map(str.isalpha, token)) < 2:
        return None
    plain = token.strip("!+").translate(_DISGUISES)
    return plain if plain.isalpha() and len(plain) > 3 else None
