"""The flow from clips to described neurons, on a small set with a tiny network."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import CLASSES, tiny_run, tiny_set

from andlib import concepts, descriptions, encoders, responses, stages
from andlib.activations import choose
from andlib.errors import InputError
from andlib.language import mentions
from andlib.networks.wrapping import wrap
from andlib.records import Unit
from andlib.store import Store


def test_every_neuron_is_described_from_its_own_clips(run):
    neurons = stages.neurons(run, "ast")
    assert len(neurons) == 67 and neurons["unit"].is_unique
    u = responses.unit_activations(run, "ast")
    for _, neuron in neurons.iloc[::9].iterrows():
        values = u[neuron["layer"]][:, neuron["index"]]
        assert sorted(values[neuron["highest"]]) == sorted(np.sort(values)[-3:])
        assert sorted(values[neuron["lowest"]]) == sorted(np.sort(values)[:3])
        assert set(neuron["calibrated"]) <= set(neuron["high"])
        assert len(neuron["like"]) == len(neuron["cosine"]) == len(neuron["high"])
        removed = [c > 0.7 for c in neuron["cosine"]]
        assert [point not in set(neuron["calibrated"]) for point in neuron["high"]] == removed
        assert len(neuron["db"]) == 3 and set(neuron["db"]) <= set(concepts.ESC50)


def test_folds_keep_other_clips_out(run):
    neurons = stages.neurons(run, "ast", folds=(2, 3))
    used = {int(i) for column in ("highest", "lowest") for row in neurons[column] for i in row}
    assert {tiny_set().clips[i].fold for i in used} <= {2, 3}


def test_texts_and_sounds_are_encoded_on_the_run_s_device(run, tmp_path, monkeypatch):
    asked = []

    def encode(texts, encoder, known, device):
        asked.append(("texts", device))
        return np.zeros((len(texts), 2), np.float32)

    def audio_text(name, device, own=encoders.audio_text):
        asked.append(("sounds", device))
        texts, audio = (lambda given: np.zeros((len(given), 2))), (lambda given: np.zeros((len(run.probing_set), 2)))
        return replace(own(name), audio=audio, texts=texts)

    monkeypatch.setattr(encoders, "encode", encode)
    monkeypatch.setattr(encoders, "audio_text", audio_text)
    there = run.using(store=Store(tmp_path, device="cuda:1"))
    stages.embeddings(there, ["rain"], there.encoder)
    stages.sound_similarity(there)
    assert set(asked) == {("texts", "cuda:1"), ("sounds", "cuda:1")}


def test_a_second_run_gives_the_same_bytes(run, cache, tmp_path):
    stages.neurons(run, "ast")
    again = tiny_run(tmp_path)
    stages.neurons(again, "ast")
    for path in tmp_path.glob("*/*"):
        assert path.read_bytes() == (cache / path.relative_to(tmp_path)).read_bytes(), path.name


def test_what_is_stored_is_read_and_not_made(run, monkeypatch):
    expected = stages.neurons(run, "ast")
    monkeypatch.setattr(stages, "highest_and_lowest", None)
    monkeypatch.setattr(responses, "record", None)
    assert stages.neurons(run, "ast").equals(expected)


def test_beyond_the_memory_budget_the_same_clips_describe_a_neuron(run, tmp_path, monkeypatch):
    expected = stages.neurons(run, "ast")
    monkeypatch.setattr(responses, "BUDGET", 100)
    streamed = tiny_run(tmp_path)
    neurons = stages.neurons(streamed, "ast")
    for column in ("highest", "lowest", "high", "calibrated"):
        assert [list(row) for row in neurons[column]] == [list(row) for row in expected[column]]
    assert not neurons["db"].map(len).any()
    with pytest.raises(InputError, match="the budget is"):
        responses.unit_activations(streamed, "ast")


def test_a_unit_that_hardly_fires_is_described_by_the_clips_it_fires_on_alone(run):
    from andlib.mini.consensus import Consensus

    sparse = np.zeros((30, 2), np.float32)
    sparse[[17, 4], 0] = 2, 1
    target = run.target("ast").only(["block1.output"])
    two = replace(target, layers=(replace(target.layers[0], units=2),))
    extremes = {"block1.output": (choose(sparse, 3), choose(-sparse, 3), sparse)}
    table = stages.unit_table(3, two, extremes, np.arange(30))
    assert [list(clips) for clips in table["highest"]] == [[17, 4], []] and table["used"].tolist() == [2, 0]
    assert table["hardly_fires"].tolist() == [True, False] and table["dead"].tolist() == [False, True]
    assert not table["lowest"].map(len).any()  # none is below its commonest value
    texts = descriptions.clip_descriptions(run)
    written = stages.summarised(run, table, texts)
    assert written["high"][0] == Consensus([texts[17], texts[4]]).summaries([range(2)])[0]
    assert not stages.concluded(run, pd.concat([table, written], axis=1))["nouns"][1]


def test_no_point_falls_to_another_value_of_its_scale_nor_by_its_mould(run):
    from andlib.mini.consensus import Claim, tell

    gradual, sharp, loud, clear = (Claim("quality", word) for word in ("gradual", "sharp", "loud", "clear"))
    high = tuple(f"{i}. {tell(claim, 3, 5)}" for i, claim in enumerate((gradual, loud, clear), 1))
    low = tuple(f"{i}. {tell(claim, 4, 5)}" for i, claim in enumerate((sharp, clear), 1))
    table = pd.DataFrame({"high": [high], "low": [low]})
    whole = stages.embeddings(run, (*high, *low), run.profile.encoder)
    assert whole[0] @ whole[3] > 0.7  # which the paper's rule would remove: both are of one mould
    ours = stages.calibrate(run, table, "rules").iloc[0]
    assert ours["calibrated"] == high[:2] and ours["like"][2] == low[1] and ours["cosine"][2] == pytest.approx(1)
    by_llm = stages.calibrate(run, table, "llm").iloc[0]
    assert high[0] in by_llm["calibrated"]
    released = stages.calibrate(run.using(mode="calibration_loop"), table, "rules").iloc[0]
    assert high[0] not in released["calibrated"] and released["cosine"][0] == pytest.approx(
        whole[0] @ whole[3], abs=1e-6
    )


def test_too_large_a_k_is_refused(cache):
    with pytest.raises(InputError, match="30 clips cannot give K = 31"):
        stages.neurons(tiny_run(cache, k=31), "ast")


def test_controls_take_the_class_out_of_descriptions(run):
    plain, shuffled, struck = (descriptions.clip_descriptions(run, c) for c in ("", *descriptions.CONTROLS))
    source, measured = (descriptions.clip_descriptions(run, c) for c in descriptions.alone(run))
    assert [f"{a} {b}" for a, b in zip(source, measured, strict=True)] == plain
    assert sorted(shuffled) == sorted(plain) and shuffled != plain
    assert not any(mentions(text, name) for text in struck for name in CLASSES)
    assert any(mentions(text, name) for text in plain for name in CLASSES)


@pytest.mark.parametrize("mode", ["db_double_softmax", "db_top_k_only", "rank_single_argsort"])
def test_switches_of_db_change_scores(run, cache, mode):
    faulty = tiny_run(cache, mode=mode)
    u = responses.unit_activations(run, "ast")["block1.output"]
    function = "rank_reorder" if mode == "rank_single_argsort" else "wpmi"
    ours, theirs = (
        stages.closed_scores(
            r,
            "DB",
            function,
            np.repeat(u, 8, 0),
            np.repeat(stages.concept_similarity(r, descriptions.clip_descriptions(r)), 8, 0),
            hidden=True,
        )
        for r in (run, faulty)
    )
    assert np.abs(ours - theirs).max() > 1e-3


class MultiLabel(torch.nn.Module):
    """51 class scores of clips that it knows by heart: what `scores` [clips, 51] says of the nearest of `waves`."""

    def __init__(self, waves, scores):
        super().__init__()
        self.register_buffer("waves", torch.from_numpy(waves))
        self.classes = torch.nn.Linear(len(waves), 51, bias=False)
        self.classes.weight.data = torch.from_numpy(scores.T.copy())

    def forward(self, x):
        nearest = torch.cdist(x, self.waves).argmin(1)
        return self.classes(torch.nn.functional.one_hot(nearest, len(self.waves)).float())


def multi_label(p_of_silence):
    """Logits of 51 classes that two of 30 clips each have, and P, which names each by its own concept.

    The last four clips are near silence: every logit is far below the usual, and no concept is as far from them as the
    last, by `p_of_silence`."""
    rng = np.random.default_rng(0)
    scores = rng.normal(-6, 0.5, (30, 51)).astype(np.float32)
    p = rng.normal(0.2, 0.01, (30, 50)).astype(np.float32)
    for unit, clips in enumerate(list(combinations(range(26), 2))[::6][:51]):
        scores[clips, unit], p[clips, unit % 50] = 3, 0.5
    scores[-4:], p[-4:, -1] = -22, p_of_silence
    return scores, p


def test_of_multi_label_scores_silence_names_all_alike_and_sigmoid_or_another_function_does_not(tmp_path, monkeypatch):
    scores, p = multi_label(p_of_silence=-0.3)
    for similarity in ("concept_similarity", "sound_similarity"):
        monkeypatch.setattr(stages, similarity, lambda *_: p)
    run, own = tiny_run(tmp_path), [concepts.ESC50[unit % 50] for unit in range(51)]
    network, names = MultiLabel(tiny_set().waveforms(8000, 0.5), scores).eval(), [f"class {i}" for i in range(51)]
    heard = {"sample_rate": 8000, "seconds": 0.5, "layers": [], "axes": ("clips", "channels"), "name": "tagger"}
    logits = wrap(network, classifier="classes", classes=names, **heard)

    def share_of_own(target, **how):
        first = stages.neurons(run, target, **how)["db"].str[0]
        return (first == own).mean(), (first == concepts.ESC50[-1]).mean()

    for _ in range(2):  # what is stored warns as well
        with pytest.warns(UserWarning, match=r"of the 51 living units of layer classifier 'hand saw'") as warned:
            assert share_of_own(logits)[1] > 0.9
        assert len(warned) == 1
    assert share_of_own(logits.read(nonlinearity="sigmoid"))[0] > 0.9
    assert share_of_own(logits, function="soft_wpmi")[0] > 0.9
    with pytest.raises(InputError, match="Similarity function 'soft_wpm' is unknown. Did you mean 'soft_wpmi'"):
        stages.neurons(run, logits, function="soft_wpm")


def test_calibration_loop_changes_what_is_kept(run, cache):
    kept = [
        stages.neurons(r, "ast")["calibrated"].map(len).sum() for r in (run, tiny_run(cache, mode="calibration_loop"))
    ]
    assert kept[0] != kept[1]


def test_a_neuron_described_by_itself_is_the_row_of_its_layer(tmp_path):
    unit, alone = Unit("ast", "block0.intermediate", 3), tiny_run(tmp_path)
    described = stages.neuron(alone, alone.probed("ast"), unit)
    whole = stages.neurons(alone, "ast").set_index("unit").loc[unit.id]
    read = stages.neuron(alone, alone.probed("ast"), unit)
    for name in whole.index:
        assert list(np.atleast_1d(described[name])) == list(np.atleast_1d(whole[name])), name
        assert list(np.atleast_1d(read[name])) == list(np.atleast_1d(whole[name])), name
