"""Our rules beside a language model: what is counted, on hand-made cases, and the labels that were given by reading."""

import numpy as np
import pandas as pd
import pytest
from conftest import tiny_run

from andlib import asking, descriptions, paths, stages
from andlib.errors import InputError
from andlib.llms.llm import Completions
from andlib.pages import section_3_2
from andlib.profiles import PROFILES
from andlib.run import Run

CAPTIONS = ("A dog barks loudly.", "A loud puppy.", "Rain falls.")


# ---- support of a point by captions


@pytest.mark.parametrize(
    "point, claims, shared, some",
    [
        ("A loud dog barks.", 3, 2, 3),  # loud and dog in two of three captions, barking in one
        ("Something barks.", 1, 0, 1),
        ("A helicopter.", 1, 0, 0),
        ("A loud helicopter.", 2, 1, 1),
        ("It is not loud.", 0, 0, 0),
        ("They are alike.", 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_a_point_is_supported_by_captions_that_make_its_claims(point, claims, shared, some):
    assert section_3_2.support(point, CAPTIONS) == {"claims": claims, "shared": shared, "some": some}


@pytest.mark.parametrize("captions, shared", [(2, 0), (3, 1), (5, 1)])
def test_shared_means_at_least_half_of_five(captions, shared):
    said = ["A siren wails."] * captions + ["Rain falls."] * (5 - captions)
    assert section_3_2.support("A siren.", said)["shared"] == shared


@pytest.mark.parametrize(
    "point, label",
    [("A loud dog.", "shared"), ("A loud helicopter.", "some"), ("A train.", "none"), ("They are alike.", "empty")],
)
def test_a_point_is_judged_by_its_least_supported_claim(point, label):
    assert section_3_2._judged(point, CAPTIONS) == label and label in section_3_2.LABELS


def test_points_of_both_are_laid_beside_the_same_captions(run, monkeypatch):
    rules = stages.neurons(run, "ast")
    chosen = rules.iloc[[5, 40]].reset_index(drop=True).assign(high=[["A dog.", "Nothing."], []])
    monkeypatch.setattr(stages, "neurons_by_language_model", lambda run, model: chosen)
    points = section_3_2.points(run)
    assert points.columns.tolist() == ["model", "unit", "summariser", "point", "claims", "shared", "some"]
    by_rules, by_llm = (points[points["summariser"] == name] for name in section_3_2.SUMMARISERS)
    assert by_llm["point"].tolist() == ["A dog.", "Nothing."] and set(by_llm["unit"]) == {chosen["unit"][0]}
    assert by_rules["point"].tolist() == [point for i in (5, 40) for point in rules["high"][i]]
    texts = descriptions.clip_descriptions(run)
    captions = [texts[i] for i in rules["highest"][5]]
    assert by_llm.iloc[0][["claims", "shared", "some"]].to_dict() == section_3_2.support("A dog.", captions)
    assert (by_rules["shared"] <= by_rules["some"]).all() and (by_rules["some"] <= by_rules["claims"]).all()


def test_supported_counts_points_a_neuron_and_shares_of_claims(monkeypatch):
    rows = [
        ("ast", "a", "llm", "x", 4, 1, 2),
        ("ast", "a", "llm", "y", 0, 0, 0),
        ("ast", "b", "llm", "z", 2, 2, 2),
        ("ast", "a", "rules", "x", 1, 1, 1),
        ("beats", "a", "llm", "w", 0, 0, 0),
    ]
    columns = ["model", "unit", "summariser", "point", "claims", "shared", "some"]
    monkeypatch.setattr(section_3_2, "points", lambda run: pd.DataFrame(rows, columns=columns))
    first, second, silent = section_3_2.supported(None).to_dict("records")
    assert (first["model"], first["summariser"], first["neurons"], first["points"]) == ("ast", "llm", 2, 1.5)
    assert first["silent"] == pytest.approx(1 / 3) and first["claims"] == 3
    assert first["shared"] == pytest.approx(3 / 6) and first["some"] == pytest.approx(4 / 6)
    assert (second["neurons"], second["shared"], second["some"]) == (1, 1, 1)
    assert silent["silent"] == 1 and np.isnan([silent["shared"], silent["some"]]).all()  # and no warning


# ---- labels given by reading


def read(*rows: tuple) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["set", "summariser", "label", "judged"])


def test_labels_are_counted_with_an_interval_over_sets():
    sets = [read((i, "rules", "shared", "shared"), (i, "llm", "none", "some"), (i, "llm", "shared", "shared")) for i in
            range(20)]  # fmt: skip
    sets += [read((20, "llm", "empty", "empty"), (20, "llm", "some", "some"), (20, "llm", np.nan, "some"))]
    rules, llm = section_3_2.labelled(pd.concat(sets)).to_dict("records")
    assert (rules["summariser"], rules["points"], rules["shared"]) == ("rules", 20, 1)
    assert (rules["low"], rules["high"], rules["agreement"]) == (1, 1, 1)
    assert llm["points"] == 42 and llm["agreement"] == pytest.approx(22 / 42)
    assert [llm[label] for label in section_3_2.LABELS] == pytest.approx([20 / 42, 1 / 42, 20 / 42, 1 / 42])
    assert 0.4 < llm["low"] < 20 / 42 < llm["high"] <= 0.5  # every set but one is half right
    assert section_3_2.labelled(pd.concat(sets)).to_dict("records") == [rules, llm]


def test_the_interval_is_over_sets_and_not_over_points():
    rows = [(i, "llm", label, label) for i in range(10) for label in ["shared" if i % 2 else "none"] * 30]
    [whole] = section_3_2.labelled(read(*rows)).to_dict("records")
    assert whole["high"] - whole["low"] > 0.4  # 300 independent points would give 0.11
    assert whole["shared"] == 0.5


def test_without_labels_there_are_no_rows():
    assert section_3_2.labelled(read((1, "rules", np.nan, "some"))).empty
    assert section_3_2.labelled(read()).empty
    for rows in ((), [(1, "rules", np.nan, "some")]):
        [row] = section_3_2.label_table(read(*rows)).to_dict("records")
        assert row["summariser"].startswith("none: no point") and row["points"] == 0


def test_a_profile_without_answers_says_what_asks_for_them(run):
    with pytest.raises(InputError, match="No answer of .* is kept: `make answers PROFILE=mini`"):
        section_3_2.supported(run)


def test_labels_join_the_points_they_were_given_to(run, monkeypatch, tmp_path):
    columns = ["set", "clips", "summariser", "point", "judged"]
    found = [
        (1, "a;b", "rules", "Rain.", "shared"),
        (1, "a;b", "llm", "Rain.", "shared"),
        (2, "c;d", "llm", "New.", "none"),
    ]
    monkeypatch.setattr(section_3_2, "real_captions", lambda run: pd.DataFrame(found, columns=columns))
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    assert section_3_2.by_hand(run)["label"].isna().tolist() == [True] * 3  # nobody has read anything yet
    (tmp_path / "mini").mkdir()
    read_before = [
        ("a;b", "rules", "Rain.", "shared"),
        ("a;b", "llm", "Rain.", "some"),
        ("a;b", "llm", "Rain.", "some"),
    ]
    read_before += [("x;y", "llm", "New.", "none")]  # other clips: another point
    labels = pd.DataFrame(read_before, columns=["clips", "summariser", "point", "label"])
    labels.to_csv(tmp_path / "mini" / "summaries_by_hand.csv", index=False)
    joined = section_3_2.by_hand(run)
    assert joined["label"].tolist()[:2] == ["shared", "some"] and joined["label"].isna().tolist() == [
        False,
        False,
        True,
    ]


def test_a_profile_without_captions_of_a_file_has_no_real_captions(run):
    found = section_3_2.real_captions(run)
    assert found.empty and found.columns.tolist() == ["set", "clips", "summariser", "point", "judged"]
    assert section_3_2.by_hand(run).empty


def test_sets_of_real_captions_hold_k_captions_of_the_file_alone(run, cache, tmp_path, monkeypatch):
    clips = [clip.name for clip in run.probing_set.clips]
    texts = {name: f"A {clip.label} is heard." for name, clip in zip(clips, run.probing_set.clips, strict=True)}
    file = tmp_path / "captions.csv"
    pd.DataFrame(texts.items(), columns=["filename", "description"]).to_csv(file, index=False)
    asked = []
    monkeypatch.setattr(asking, "ask", lambda run, chats, *_: asked.extend(chats) or [None] * len(chats))
    monkeypatch.setattr(section_3_2, "SETS", 7)
    found = section_3_2.real_captions(tiny_run(cache, captions=str(file)))
    assert len(asked) == 7 and found["set"].max() <= 7 and set(found["summariser"]) == {"rules"}  # the model is silent
    for _, row in found.iterrows():
        names = row["clips"].split(";")
        assert len(set(names)) == 3 and row["judged"] == section_3_2._judged(row["point"], [texts[n] for n in names])
        assert asked[row["set"] - 1][0]["content"].endswith(
            "\n".join(f"{i}. {texts[n]}" for i, n in enumerate(names, 1))
        )


# ---- filters of adjectives


def test_filters_are_compared_word_by_word(monkeypatch):
    by_hand = {"loud": True, "red": False, "deep": True, "purple": True}
    said = {"loud": True, "red": True, "deep": None, "purple": False, "dull": False, "green": None}
    asked = []
    monkeypatch.setattr(asking, "labelled_adjectives", lambda: by_hand)
    monkeypatch.setattr(asking, "verdicts", lambda run, words: asked.append(set(words)) or {w: said[w] for w in words})
    table = pd.DataFrame({"calibrated": [("A dull sound.",), ("A green and loud sound.",), ("A dull sound.",)]})
    monkeypatch.setattr(stages, "neurons_by_language_model", lambda run, model: table)
    ours, model, both = section_3_2.adjective_filters(Run(PROFILES["mini"], ("ast",))).to_dict("records")
    assert asked == [set(by_hand), {"dull", "green", "loud"}]
    names = [(row["one"], row["other"], row["words"], row["undecided"]) for row in (ours, model, both)]
    assert names == [
        ("our list", "by hand", 4, 0),
        ("language model", "by hand", 4, 1),
        ("language model", "our list", 3, 1),
    ]
    shares = [(row["agreement"], row["yes_one"], row["yes_other"]) for row in (ours, model, both)]
    assert shares[0] == (0.75, 0.5, 0.75)  # our list misses purple
    assert shares[1] == pytest.approx((1 / 3, 2 / 3, 2 / 3))
    assert shares[2] == pytest.approx((0.5, 0.5, 1))


def test_without_a_language_model_its_rows_say_nothing(run, tmp_path):
    silent = run.using(completions=Completions(tmp_path / "none.jsonl"))
    ours, model, both = section_3_2.adjective_filters(silent).to_dict("records")
    assert ours["undecided"] == 0 and 0 <= ours["agreement"] <= 1
    assert model["undecided"] == model["words"] and np.isnan(model["agreement"])
    assert both["words"] == 0 and np.isnan(both["yes_one"])


# ---- calibration by another encoder


def test_calibration_by_the_same_encoder_changes_nothing(run):
    table = stages.neurons(run, "ast")
    usual, again = section_3_2.calibration_by_encoder(run, run.profile.encoder).to_dict("records")
    assert usual == again and usual["changed"] == 0 and usual["model"] == "ast"
    removed = sum(cosine > 0.7 for cosines in table["cosine"] for cosine in cosines)
    assert usual["removed"] == pytest.approx(removed / table["high"].map(len).sum()) and 0 < usual["removed"] < 1


def test_calibration_by_another_encoder_is_measured_with_its_vectors(run, monkeypatch):
    encode = stages.encoders.encode
    one_way = {"blind": lambda texts: np.ones((len(texts), 1), np.float32)}
    monkeypatch.setattr(
        stages.encoders, "encode", lambda texts, name, known: one_way.get(name, lambda t: encode(t, name))(texts)
    )
    usual, blind = section_3_2.calibration_by_encoder(run, "blind").to_dict("records")
    assert blind["encoder"] == "blind" and blind["removed"] == 1  # to it every point is in S_l
    kept = stages.neurons(run, "ast")["calibrated"].map(len) > 0
    assert blind["changed"] == pytest.approx(kept.mean()) and usual["changed"] == 0


def test_one_set_gives_no_interval():
    counted = section_3_2.labelled(read(("rules", 0, "shared", "shared"), ("rules", 0, "none", "shared"))).iloc[0]
    assert counted["shared"] == 0.5 and np.isnan([counted["low"], counted["high"]]).all()
