"""Level and frequency of clips, and the contrast of units with and without an adjective."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from andlib import stages
from andlib.pages import appendix_c
from andlib.pages.rules import judge
from andlib.statistics import CONTRADICTED, INCONCLUSIVE, SUPPORTED, UNTESTABLE

RATE = 16_000
TIME = np.arange(RATE) / RATE


def test_a_tone_has_its_frequency_wherever_it_is():
    tone = (0.5 * np.sin(2 * np.pi * 1000 * TIME)).astype(np.float32)
    assert appendix_c.median_frequency(tone, RATE) == 1000
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
    words = [["loud"] if loud else [] for loud in has(table)]
    monkeypatch.setattr(stages, "neurons", lambda *_: table.assign(adjectives=words))
    return table


def test_units_of_loud_clips_stand_out(run, monkeypatch):
    level = appendix_c.clip_acoustics(run)["amplitude"].to_numpy()
    assert level == pytest.approx(np.abs(run.probing_set.waveforms(RATE, run.profile.seconds)).mean(1))
    means = level[np.stack(stages.neurons(run, "ast")["highest"].to_list())].mean(1)
    spoken(run, monkeypatch, lambda table: means > np.median(means))
    row = appendix_c.with_and_without(run, "ast", "loud")
    assert row["share"] == 1 and row["difference"] > 0 and row["p"] < 1e-6
    assert 0 < row["low"] < row["difference"] < row["high"]
    assert row["source_low"] <= row["source_high"] and row["share_low"] <= row["share_high"] <= 1


def test_share_is_the_rank_statistic_of_the_test(run, monkeypatch):
    table = spoken(run, monkeypatch, lambda table: np.arange(len(table)) % 3 == 0)
    row = appendix_c.with_and_without(run, "ast", "loud")
    rows = appendix_c.unit_acoustics(run, "ast", "loud")
    one, other = rows.loc[rows["has"], "value"], rows.loc[~rows["has"], "value"]
    statistic = stats.mannwhitneyu(one, other).statistic
    assert row["share"] == pytest.approx(statistic / (len(one) * len(other)))
    assert row["with"] + row["without"] == len(table)


def test_a_word_that_no_unit_has_gives_no_number(run, monkeypatch):
    spoken(run, monkeypatch, lambda table: [False] * len(table))
    row = appendix_c.with_and_without(run, "ast", "loud")
    assert row["with"] == 0 and pd.isna([row["difference"], row["share"], row["p"]]).all()


def test_a_word_that_one_unit_has_gives_no_interval_over_units_and_so_no_verdict(run, monkeypatch):
    spoken(run, monkeypatch, lambda table: np.arange(len(table)) == 0)
    row = appendix_c.with_and_without(run, "ast", "loud") | {"model": "ast", "word": "loud"}
    assert row["with"] == 1 and np.isfinite(row["difference"]) and np.isnan([row["low"], row["high"]]).all()
    assert list(appendix_c.judged(pd.DataFrame([row]))["verdict"]) == [UNTESTABLE]


def test_one_source_a_class_gives_no_interval_over_sources(run, monkeypatch):
    spoken(run, monkeypatch, lambda table: np.arange(len(table)) % 3 == 0)
    undrawn = np.full((5, len(run.probing_set.clips)), np.nan)
    monkeypatch.setattr(appendix_c, "bootstrap_weights", lambda *_: undrawn)
    row = appendix_c.with_and_without(run, "ast", "loud")
    assert np.isfinite([row["difference"], row["low"], row["high"], row["share"]]).all()
    assert np.isnan([row[f"{name}_{end}"] for name in ("source", "share") for end in ("low", "high")]).all()


def test_descriptions_lose_what_was_measured(run):
    run = run.using(profile=replace(run.profile, caption_parts=("source", "measured")), probing_set=run.probing_set)
    other = appendix_c.without_measured(run)
    assert other.caption_parts == ("source",) and other.probing_set is run.probing_set


def row(word, **values):
    ends = {"low": 1.0, "high": 2.0, "source_low": 1.0, "source_high": 2.0, "p": 0.01}
    shares = {"share": 0.8, "share_low": 0.7, "share_high": 0.9}
    return {"model": "ast", "word": word, "with": 3, "without": 5, **ends, **shares, **values}


def judged(*loud_and_high, bare=()):
    bare = bare or (row("loud"), row("high-pitched", **{"with": 0}))
    origins = [{"descriptions": "source + measured"}, {"descriptions": "source"}]
    tables = [pd.DataFrame(rows).assign(**o) for rows, o in zip((loud_and_high, bare), origins, strict=True)]
    return appendix_c.judged(*(table.assign(difference=1.0) for table in tables))


def test_a_word_stands_out_if_both_of_its_intervals_do_and_p_is_adjusted_for_all_rows():
    table = judged(row("loud"), row("high-pitched", source_low=-1.0))
    assert list(table["verdict"]) == [SUPPORTED, INCONCLUSIVE, SUPPORTED, SUPPORTED]
    assert list(table["p"]) == pytest.approx([0.04] * 4)


@pytest.mark.parametrize("high, less", [(0.6, SUPPORTED), (0.8, INCONCLUSIVE), (1.0, CONTRADICTED)])
def test_the_page_says_what_the_ledger_says_by_descriptions_that_measure_nothing(run, high, less):
    shares = {"share_low": high - 0.05, "share_high": high + 0.05}
    table = judged(row("loud", low=-1.0), row("high-pitched"), bare=(row("loud"), row("high-pitched", **shares)))
    words = appendix_c.words(run, table)
    assert words["f8a_loud"] == SUPPORTED and words["f8b_high_pitched"] == less  # whatever the circular rows say
    for claim in ("f8a_loud", "f8b_high_pitched"):
        assert words[claim], words[f"{claim}_numbers"] == judge(claim, {"appendix_c_acoustics": {"acoustics": table}})
    nobody = appendix_c.words(run, judged(row("loud"), row("high-pitched")))
    assert nobody["f8b_high_pitched"] == UNTESTABLE and "circular" in nobody["f8b_high_pitched_numbers"]


def test_the_page_keeps_every_row_with_and_without_what_is_measured(run):
    [table] = appendix_c.frames(run).values()
    assert list(table["word"]) == ["loud", "high-pitched"] * 2
    origins = [" + ".join(r.caption_parts) for r in (run, appendix_c.without_measured(run))]
    assert list(table["descriptions"]) == [origins[0]] * 2 + [origins[1]] * 2
