"""Section 3.5: adjectives of a tiny network's neurons, and what the filters do with adjectives."""

from andlib.pages import section_3_5, section_4_4


def test_fates_name_the_filter_that_took_each_adjective():
    fates = section_3_5.adjective_fates(
        ["1. A loud dog.", "The sound is not loud.", "A similar wet red sound.", "A loud dog."]
    )
    found = {kind: dict(zip(rows["adjective"], rows["times"], strict=True)) for kind, rows in fates.groupby("filter")}
    assert found == {
        "kept": {"loud": 2, "wet": 1},
        "negated": {"loud": 1},
        "not acoustic": {"red": 1},
        "stop word": {"similar": 1},
    }


def test_adjectives_are_counted_once_a_neuron(run):
    counts = section_3_5.common_adjectives(run, "ast")
    by_block = section_4_4.adjectives_by_block(run, ["ast"])
    assert counts.is_monotonic_decreasing and counts.max() <= 67
    assert len(by_block) == 64 and set(by_block["block"]) == {1, 2}
    assert by_block["adjectives"].sum() <= counts.sum()


def test_words_and_frames_agree_on_what_is_counted(run):
    frames = section_3_5.frames(run)
    counts = {"ast": section_3_5.common_adjectives(run, "ast")}
    assert frames["common"]["ast"].tolist() == counts["ast"].head(section_3_5.MOST).tolist()
    words = section_3_5.words(run, counts, frames["filtered"])
    assert words["first"] == ", ".join(counts["ast"].index[:3]) and words["shared"] == len(frames["common"])
    assert words["llm_removed"] == "none: there is no such text"  # nobody asked a language model of these neurons
    assert words["described"] == 0
