import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andlib.errors import InputError
from andlib.tagging import ACOUSTIC, event_of, tag


def words(text: str, pos: str) -> list[str]:
    return [token.lemma for token in tag(text) if token.pos == pos]


@pytest.mark.parametrize(
    ("text", "verbs"),
    [
        ("A dog barks.", ["bark"]),
        ("A dog barks and growls.", ["bark", "growl"]),
        ("The sound is that of a clock ticking.", ["be", "tick"]),
        ("A rooster crows.", ["crow"]),
        ("A person sneezing.", ["sneeze"]),
        ("What revs: three of the five clips.", ["rev"]),
        ("Something scrapes and beeps.", ["scrape", "beep"]),
        ("Ticking: something ticks.", ["tick"]),
        ("A dog is barking.", ["be", "bark"]),
        ("It is a sneeze.", ["be"]),
        ("The sound is hissing.", ["be"]),
    ],
)
def test_verbs_of_captions(text, verbs):
    assert words(text, "verb") == verbs


@pytest.mark.parametrize(
    ("text", "adjectives"),
    [
        ("The sound is loud and high-pitched. It repeats at a fast, regular rate.", "loud high-pitched fast regular"),
        ("It is high pitched, of high quality.", "high-pitched high-quality"),
        ("All of the recordings are clear and clean.", "clear clean"),
        ("The sound is muffled, distorted and fluctuating.", "muffled distorted fluctuating"),
        ("A modulated tone.", "modulated"),
        ("Loud: said to be loud.", "loud loud"),
        ("Sudden onset: sudden in all clips.", "sudden sudden"),
        ("It stays fast.", "fast"),
        ("A dog barks loudly.", ""),
    ],
)
def test_adjectives_of_captions(text, adjectives):
    assert words(text, "adjective") == adjectives.split()


def test_nouns_prepositions_and_whole_hyphenated_words():
    tokens = tag("It is the sound of a rooster, a cock-a-doodle-doo, in the morning.")
    assert [t.lemma for t in tokens if t.pos == "noun"] == ["sound", "rooster", "cock-a-doodle-doo", "morning"]
    assert [t.lemma for t in tokens if t.pos == "preposition"] == ["of", "in"]
    assert [t.lemma for t in tag("Dogs are barking.")][0] == "dog"


@pytest.mark.parametrize(
    ("text", "word", "negated"),
    [
        ("The sound is not loud.", "loud", True),
        ("It isn't loud.", "loud", True),
        ("A tone without any harsh edge.", "harsh", True),
        ("No very loud sounds.", "loud", True),
        ("It is not a thing that is loud.", "loud", False),  # the fifth word after "not"
        ("It is not quiet. Loud sounds follow.", "loud", False),
        ("It is loud.", "loud", False),
        ("A notable loud sound.", "loud", False),
    ],
)
def test_negation_reaches_four_words_of_its_sentence(text, word, negated):
    assert [t.negated for t in tag(text) if t.lemma == word] == [negated]


def test_event_of():
    assert [event_of(w, w) for w in ("crowing", "idling", "dripping", "revs", "bark", "mooing")] == [
        "crow",
        "idle",
        "drip",
        "rev",
        "bark",
        "moo",
    ]
    assert event_of("morning", "morning") == event_of("ring-tone", "ring-tone") == event_of("", "") == ""


def test_at_least_250_acoustic_adjectives_all_lower_case():
    assert len(ACOUSTIC) >= 250
    assert all(word == word.lower() and " " not in word for word in ACOUSTIC)


def test_the_paper_s_tagger_says_what_it_needs(monkeypatch):
    monkeypatch.setattr("nltk.data.path", [])
    with pytest.raises(InputError, match="no data here. Get them once: python -m nltk.downloader averaged_perceptron"):
        tag("A loud dog barks.", "nltk")


ODD = [
    "",
    " ",
    "\n",
    "...",
    "<script>alert('x')</script>",
    "\x00\x01\x1b[31m",
    "🐶 barks 🔊",
    "a" * 10_000,
    "loud " * 2_000,
]


@pytest.mark.parametrize("text", ODD)
def test_odd_text_is_tagged(text):
    assert all(token.word and token.pos for token in tag(text))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_tagged(text):
    assert tag(text) == tag(text)
    assert all(any(c.isalnum() for c in token.word) for token in tag(text))
