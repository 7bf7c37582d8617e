"""Planted neurons: what is planted, what counts as found, and that a planted truth is found where nothing hides it."""

import numpy as np
import pandas as pd
import pytest
from conftest import tiny_run

from andlib import stages
from andlib.mini.synthesis import CONFUSABLE
from andlib.pages import planted_neurons as planted
from andlib.pages import truth
from andlib.records import Clip, ProbingSet

CLASSES = ("dog", "rain", "siren")
SAID = {"dog": "A dog barks.", "rain": "Rain falls.", "siren": "A siren wails."}


@pytest.fixture(scope="module")
def hand_made(cache):
    """Ninety clips of three classes, half of each loud and the others quiet, and captions that say both: run, truths,
    texts. What DB and TAB compare is what each caption says, amid noise for every other concept."""
    run = planted.with_concepts(tiny_run(cache, k=5))
    labels, loud = np.repeat(CLASSES, 30), np.tile([True, False], 45)
    texts = [
        f"{SAID[label]} It is a {'loud' if high else 'quiet'} sound." for label, high in zip(labels, loud, strict=True)
    ]
    true = pd.DataFrame(
        {name: (labels == name).astype(float) for name in CLASSES} | {"loud": 1.0 * loud, "quiet": 1.0 * ~loud}
    )
    right = {name: truth.ATTRIBUTES.get(name, {"concept": name})["concept"] for name in true}
    p = 0.5 * np.random.default_rng(0).random((90, len(run.concepts))).astype(np.float32)
    for name in true:
        p[:, run.concepts.index(right[name])] += true[name]
    with pytest.MonkeyPatch.context() as patch:
        for similarity in ("concept_similarity", "sound_similarity"):
            patch.setattr(stages, similarity, lambda run, *texts: p)
        yield run, true, texts


@pytest.fixture(scope="module")
def table(hand_made):
    return planted.described(*hand_made, noises=(0.0, np.inf), seeds=4)


def shares(table, noise):
    """Share of single truths found, by method and function, at one noise."""
    rows = planted.judged(table)
    rows = rows[(rows["noise"] == noise) & ~rows["kind"].isin(["conjunction", "polysemantic pair"])]
    return rows.groupby(["method", "function", "concepts"])["found"].mean()


def test_every_single_truth_is_found_without_noise(table):
    found = shares(table, 0.0)
    for function in ("cos", "cos_cubed"):
        for concepts in ("own", "joint"):
            assert found["DB", function, concepts] == found["TAB", function, concepts] == 1, (function, concepts)
    assert found["summary", "", ""] == 1
    rows = planted.judged(table)
    rows = rows[(rows["noise"] == 0) & (rows["kind"] == "class")]
    assert rows.loc[rows["method"].isin(["calibrated", "open concepts"]), "found"].all()


def test_conjunctions_are_found_in_the_joint_set(table):
    rows = planted.judged(table)
    rows = rows[(rows["noise"] == 0) & (rows["method"] == "DB") & (rows["function"] == "cos_cubed")]
    both = rows[(rows["kind"] == "conjunction") & (rows["concepts"] == "joint")]
    assert both["found"].mean() == 1 and both["truth"].str.contains(" \\+ (?:loud|quiet)$").all()


@pytest.mark.slow
def test_noise_alone_is_found_at_chance(hand_made):
    rows = planted.judged(planted.described(*hand_made, noises=(np.inf,), seeds=30))
    rows = rows[(rows["method"] == "DB") & (rows["function"] == "cos_cubed") & (rows["concepts"] == "own")]
    found = rows.groupby("kind")["found"].mean()
    assert found["class"] < 0.07 and found["level"] < 0.18  # of 90 units 1 in 50, of 60 1 in 14, and 3 deviations


def test_a_dead_unit_is_given_no_explanation(table):
    dead = table[table["dead"]]
    assert dead["kind"].unique().tolist() == ["dead"] and len(dead) == 8  # two noises, four seeds
    assert not any(len(value) for name in dead.columns[5:] for value in dead[name])
    assert "dead" not in set(planted.judged(table)["kind"])


def test_the_same_seed_plants_the_same_neurons(hand_made, table):
    pd.testing.assert_frame_equal(planted.described(*hand_made, noises=(0.0, np.inf), seeds=4), table)
    signals = np.eye(6)[:, :3]
    assert np.array_equal(truth.activations(signals, 1.0, 3), truth.activations(signals, 1.0, 3))
    assert not np.array_equal(truth.activations(signals, 1.0, 3), truth.activations(signals, 1.0, 4))


def test_icl_is_left_out_without_answers_and_read_with_them(hand_made, monkeypatch):
    run, true, texts = hand_made
    assert not any(name.startswith("ICL") for name in planted.described(run, true, texts, (0.0,), 1))
    answer = type("Answer", (), {"text": "Answer: siren, dog"})
    monkeypatch.setattr(planted.asking, "ask", lambda run, chats, sampling, what: [answer] * len(chats))
    rows = planted.judged(planted.described(run, true, texts, (0.0,), 1))
    asked = rows[(rows["method"] == "ICL") & (rows["kind"] == "class")].set_index("truth")
    assert asked["found"].to_dict() == {"dog": False, "rain": False, "siren": True}
    assert asked["three"].to_dict() == {"dog": True, "rain": False, "siren": True}


# ---- what is planted


def test_noise_is_measured_in_deviations_of_the_truth():
    signals = np.repeat([[0.0, 0.0]], 4000, axis=0)
    signals[:400, 0] = 7.0
    assert truth.activations(signals, 2.0, 0)[:, 0].std() == pytest.approx(np.sqrt(5), rel=0.05)
    assert not truth.activations(signals, 2.0, 0)[:, 1].any()  # dead, whatever the noise
    clean = truth.activations(signals, 0.0, 0)[:, 0]
    assert clean[:400].min() > clean[400:].max() and len(set(clean)) > 3000  # chance orders equal clips
    alone = truth.activations(signals, np.inf, 0)[:, 0]
    assert abs(np.corrcoef(alone, signals[:, 0])[0, 1]) < 0.05


def test_conjunctions_take_the_lesser_truth_and_pairs_the_greater():
    true = pd.DataFrame({"cat": [1.0, 1, 0, 0], "crying baby": [0.0, 0, 1, 0], "dog": [0.0, 0, 0, 1]})
    true = true.assign(loud=[0.9, 0.2, 1.0, 0.5], quiet=[0.1, 0.8, 0.0, 0.5])
    units = [unit for seed in range(9) for unit in truth.detectors(true, seed)]
    signals = {names: signal.tolist() for _, names, signal in units}
    assert signals[("loud",)] == [1, 0, 1, 0]
    assert signals[("cat", "loud")] == [0.9, 0.2, 0, 0] and signals[("cat", "dog")] == [1, 1, 0, 1]
    assert {names for kind, names, _ in units if kind == "polysemantic pair"} == {
        ("cat", "dog"),
        ("crying baby", "dog"),
    }
    assert ("cat", "crying baby") in CONFUSABLE  # so that no pair is of two alike


def test_truths_of_synthesised_clips_are_their_recipes(run):
    true, sound = truth.truths(run), truth.known(run)
    assert true["dog"].tolist() == [float(clip.label == "dog") for clip in run.probing_set.clips]
    assert true["loud"].corr(sound["level_db"], method="spearman") == pytest.approx(1) and true["loud"].max() == 1
    assert true["quiet"].tolist() == pytest.approx((1 - true["loud"]).tolist())
    assert (true["high-pitched"] == (sound["pitch_hz"] >= 450)).all()
    assert set(true) <= {*CLASSES, *truth.ATTRIBUTES} and (true >= truth.HOLDS).sum().min() >= run.k


def test_recordings_are_measured(cache):
    def read(clip, rate):
        t = np.arange(rate // 2) / rate
        return (0.1 * np.sin(2 * np.pi * 500 * t) * (t > 0.25)).astype(np.float32)

    tone = ProbingSet("tone", (Clip("a.wav", "tone", 0, "a"),), ("tone",), read, "a tone")
    [row] = truth.known(tiny_run(cache).using(probing_set=tone)).to_dict("records")
    assert row["pitch_hz"] == pytest.approx(500, rel=0.02) and row["late_seconds"] == pytest.approx(0.375, abs=0.01)
    assert row["level_db"] == pytest.approx(-23, abs=0.5) and "background" not in row


# ---- what counts as found


@pytest.mark.parametrize(
    "truths, best, found, three, share",
    [
        (("dog",), ["dog", "cat", "siren"], True, True, 1),
        (("dog",), ["cat", "dog", "siren"], False, True, 1),
        (("dog", "rain"), ["dog", "cat", "siren"], False, False, 0.5),
        (("dog", "rain"), ["cat", "dog", "rain"], True, True, 1),
        (("dog", "loud"), ["loud sound", "cat", "dog"], True, True, 1),
    ],
)
def test_two_truths_are_found_only_together(truths, best, found, three, share):
    unit = {"noise": 0.0, "seed": 0, "kind": "any", "truths": truths, "dead": False, "DB/cos/joint": best}
    said = {"high": ["A dog in strong rain."], "calibrated": ["A dog."], "adjectives": ["booming"], "nouns": ["puppy"]}
    rows = planted.judged(pd.DataFrame([unit | said])).set_index("method")
    assert rows.loc["DB", ["found", "three", "share"]].tolist() == [found, three, share]
    assert rows.loc["summary", "found"] and rows.loc["calibrated", "found"] == (len(truths) == 1)
    assert rows.loc["open concepts", "found"] == ("rain" not in truths)


@pytest.mark.parametrize(
    "text, truth, said",
    [
        ("It is a strong sound.", "loud", True),
        ("It is not loud.", "loud", False),
        ("Deep pitch: deep in four of the five clips.", "low-pitched", True),
        ("A high-pitched sound.", "low-pitched", False),
        ("A puppy yaps.", "dog", True),
        ("A siren wails.", "dog", False),
        ("The crow calls.", "rooster", False),
    ],
)
def test_a_text_says_a_truth_by_its_synonyms(text, truth, said):
    assert planted.states(text, truth) is said


def test_every_attribute_is_found_by_its_own_concept_and_words():
    words = [word for attribute in truth.ATTRIBUTES.values() for word in attribute["words"].split()]
    assert len(words) == len(set(words))  # no word says two truths
    for name, attribute in truth.ATTRIBUTES.items():
        assert planted.states(f"It is {attribute['words'].split()[0]}.", name), name


@pytest.fixture
def in_captions(hand_made, monkeypatch):
    run, true, texts = hand_made
    monkeypatch.setattr(planted, "truths", lambda run: true)
    monkeypatch.setattr(planted, "clip_descriptions", lambda run: texts)
    return planted.captioned(run)


def test_captions_are_asked_how_often_they_say_what_is_true(in_captions):
    shares = in_captions.set_index("truth")
    assert (shares["said"] == 1).all() and (shares["elsewhere"] == 0).all() and shares.loc["dog", "clips"] == 30
    assert planted.stated(in_captions) == {*CLASSES, "loud", "quiet"}


def test_each_method_is_shown_by_its_best_function_and_its_share_is_put_into_words(hand_made, table, in_captions):
    every = planted.judged(table)
    rows = planted.by_best_function(every, in_captions)
    assert rows.groupby("method")["function"].nunique().max() == 1 and rows["kind"].iloc[0] == "class"
    shares = planted.with_and_without_noise(rows).set_index("kind")
    assert shares.loc["class", "neurons"] == 12 and shares.loc["class", "DB (own)"].startswith("100 (")
    functions = planted.by_function(every, in_captions).set_index(["method", "function"])
    assert functions.loc[("DB", "cos_cubed"), "single, own"] == 1 and len(functions) == 10
    words = planted.words(
        hand_made[0], table, rows.assign(kind=rows["kind"].replace("level", "in no caption")), in_captions
    )
    assert words["best_share"] == 1 and words["lost"] == "none" and words["dead_named"] == 0 and words["dead"] == 8
    assert words["classes"].startswith("TAB (own) 100%") and "ICL" not in words["functions"]
