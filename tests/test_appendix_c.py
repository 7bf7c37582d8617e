"""Level and frequency of clips, and the contrast of units with and without an adjective."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import tiny_run
from scipy import stats

from andlib import stages
from andlib.pages import appendix_c

RATE = 16_000
TIME = np.arange(RATE) / RATE


def test_a_tone_has_its_frequency_and_the_mean_of_its_absolute_values():
    tone = (0.5 * np.sin(2 * np.pi * 1000 * TIME)).astype(np.float32)
    assert appendix_c.median_frequency(tone, RATE) == 1000
    assert appendix_c.mean_amplitude(tone) == pytest.approx(0.5 * 2 / np.pi, rel=0.02)  # a few samples a period
    padded = np.concatenate([tone, np.zeros_like(tone)])
    assert appendix_c.median_frequency(padded, RATE) == pytest.approx(1000, abs=1)
    assert appendix_c.median_frequency(np.zeros(RATE, np.float32), RATE) == 0


def test_median_frequency_halves_the_power_and_hears_no_offset():
    tones = np.sin(2 * np.pi * 200 * TIME) + 2 * np.sin(2 * np.pi * 3000 * TIME)
    assert appendix_c.median_frequency(tones + 10, RATE) == 3000
    noise = np.random.default_rng(0).standard_normal(RATE)
    assert appendix_c.median_frequency(noise, RATE) == pytest.approx(RATE / 4, rel=0.05)


def spoken(run, monkeypatch, has):
    """The run with a word in the C_open of those neurons alone."""
    table = stages.neurons(run, "ast")
    words = [["loud"] if held else [] for held in has(table)]
    monkeypatch.setattr(stages, "neurons", lambda *_: table.assign(adjectives=words))
    return table


def test_units_of_loud_clips_stand_out(run, monkeypatch):
    level = appendix_c.clip_acoustics(run)["amplitude"].to_numpy()
    means = level[np.stack(stages.neurons(run, "ast")["highest"].to_list())].mean(1)
    spoken(run, monkeypatch, lambda table: means > np.median(means))
    found = appendix_c.with_and_without(run, "ast", "loud")
    assert found["share"] == 1 and found["difference"] > 0 and found["p"] < 1e-6
    assert 0 < found["low"] < found["difference"] < found["high"]
    assert found["source_low"] <= found["source_high"] and found["share_low"] <= found["share_high"] <= 1


def test_share_is_the_rank_statistic_of_the_test(run, monkeypatch):
    table = spoken(run, monkeypatch, lambda table: np.arange(len(table)) % 3 == 0)
    found = appendix_c.with_and_without(run, "ast", "loud")
    rows = appendix_c.unit_acoustics(run, "ast", "loud")
    one, other = rows.loc[rows["has"], "value"], rows.loc[~rows["has"], "value"]
    statistic = stats.mannwhitneyu(one, other).statistic
    assert found["share"] == pytest.approx(statistic / (len(one) * len(other)))
    assert found["with"] + found["without"] == len(table)


def test_a_word_that_no_unit_has_gives_no_number(run, monkeypatch):
    spoken(run, monkeypatch, lambda table: [False] * len(table))
    found = appendix_c.with_and_without(run, "ast", "loud")
    assert found["with"] == 0 and pd.isna([found["difference"], found["share"], found["p"]]).all()


def test_descriptions_lose_what_was_measured(cache):
    run = tiny_run(cache)
    run = replace(run, profile=replace(run.profile, caption_parts=("source", "measured")))
    vars(run)["probing_set"] = tiny_run(cache).probing_set
    other = appendix_c.without_measured(run)
    assert other.caption_parts == ("source",) and other.probing_set is run.probing_set
