"""What a language model says of neurons, with a stand-in that follows a script and counts its questions."""

import json
import shutil
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from conftest import CLASSES, tiny_run, tiny_set

import andlib.mini.synthesis
import andlib.run
from andlib import asking, descriptions, paths, stages
from andlib.errors import InputError
from andlib.llms import prompts
from andlib.llms.clients import SMOLLM2, open_llm
from andlib.llms.llm import Answer, Completions, Sampling, checked, unpacked
from andlib.pages import section_3_2, section_4_1
from andlib.profiles import LEARNT
from andlib.store import digest
from making import answers, command

THEMES = (
    "A purple and loud hiss.",
    "Rain falls on a roof.",
    "A high siren.",
    "Someone knocks at a door.",
    "Bells ring.",
)
CHOICE = "It barks.\nAnswer: dog, siren, cat"


def themed(words: str) -> str:
    """A summary of two points: one that every set of clips gets, so that calibration drops it, and one of THEMES."""
    return f"Sure, here they are:\n1. They are alike.\n2. {THEMES[sum(map(ord, words)) % len(THEMES)]}"


class Scripted:
    """A language model whose answers to the three kinds of questions are given; asked: their kinds and words."""

    def __init__(self, summary=themed, verdict="Yes.", choice=CHOICE, model="scripted", revision="r"):
        self.replies = {"summary": summary, "verdict": verdict, "choice": choice}
        self.model, self.revision, self.asked = model, revision, []

    def answers(self, chats, sampling):
        for i, chat in enumerate(chats):
            words = chat[-1]["content"]
            kind = "summary" if words.startswith(prompts.SUMMARY) else "choice"
            kind = "verdict" if words.startswith(prompts.ADJECTIVE) else kind
            self.asked.append((kind, words))
            reply = self.replies[kind]
            said = reply(words) if callable(reply) else reply
            yield i, said if isinstance(said, Answer) else checked(said)

    def words(self, kind: str) -> list[str]:
        return [words for k, words in self.asked if k == kind]


@pytest.fixture
def scripted(run, cache, tmp_path):
    """Opens a run of the tiny network that asks a scripted model; its answers are this test's alone."""
    stages.neurons(run, "ast")

    def open_with(model, **changes):
        records = {"language_model": model} if model else {}
        return tiny_run(cache, **changes).using(completions=Completions(tmp_path / "completions.jsonl"), **records)

    return open_with


def units(*sets) -> pd.DataFrame:
    """Neurons with these highest clips, and clips 27 to 29 as lowest."""
    return pd.DataFrame({"unit": range(len(sets)), "highest": list(sets), "lowest": [[27, 28, 29]] * len(sets)})


# ---- summaries


def test_equal_sets_of_clips_share_one_question(scripted):
    model = Scripted(lambda words: f"Hello!\n1. It is number {sum(map(ord, words))}.")
    run = scripted(model)
    texts = descriptions.clip_descriptions(run)
    table = asking.summaries(run, units([0, 1, 2], [2, 0, 1], [0, 1, 3]), texts)
    assert len(model.asked) == 3  # two sets of highest clips, one of lowest
    assert table["high"][0] == table["high"][1] != table["high"][2] and table["answered"].all()
    assert all(len(points) == 1 for points in table["high"])
    first = next(words for words in model.words("summary") if f"3. {texts[2]}" in words)
    assert first == "\n".join([prompts.SUMMARY, *(f"{i}. {texts[i - 1]}" for i in (1, 2, 3))])


def test_kinds_say_what_a_point_speaks_of(scripted):
    run = scripted(
        Scripted("1. Loud.\n2. Something barks.\n3. A helicopter.\n4. A loud dog barks.\n5. They are alike.")
    )
    table = asking.summaries(run, units([0, 1, 2]), descriptions.clip_descriptions(run))
    assert table["kinds"][0] == ["quality", "event", "source", "quality", ""]


def test_an_answer_cut_by_length_is_counted_once(scripted):
    run = scripted(Scripted(Answer("1. Rain", "length")))
    table, texts = units([0, 1, 2], [1, 2, 0], [3, 4, 5]), descriptions.clip_descriptions(run)
    assert asking.counted(run, table, texts) == {"neurons": 3, "questions": 3, "answered": 1.0, "cut by length": 3}
    assert asking.summaries(run, table, texts)["high"].tolist() == [("Rain",)] * 3


def test_neurons_without_an_answer_are_left_out_and_counted(scripted):
    def fails_for_some(words):
        return Answer("", error="tired") if sum(map(ord, words)) % 3 == 0 else f"1. Set {len(words)}."

    model = Scripted(fails_for_some)
    table = stages.neurons_by_language_model(scripted(model), "ast")
    every = stages.neurons(scripted(None), "ast")
    failed = {words for words in model.words("summary") if sum(map(ord, words)) % 3 == 0}
    texts = descriptions.clip_descriptions(scripted(None))

    def question(clips):
        return prompts.summary([texts[i] for i in sorted(clips)])[0]["content"]

    whole = [not {question(high), question(low)} & failed for high, low in every[["highest", "lowest"]].to_numpy()]
    assert failed and 0 < sum(whole) < len(every)
    assert table["unit"].tolist() == every["unit"][whole].tolist()
    counts = asking.counted(scripted(None), every, texts)
    assert counts["neurons"] == len(every) == 67 and counts["questions"] == len(model.words("summary"))
    assert stages.neurons_by_language_model(scripted(None), "ast").empty  # another model's answers are not ours


def test_a_sample_holds_the_classifier_and_the_same_block_units_each_time(monkeypatch):
    layers = ["block0.output"] * 300 + ["classifier"] * 3
    table = pd.DataFrame({"layer": layers, "index": [*range(300), *range(3)]})
    sample = asking.sampled(table)
    assert len(sample) == 123 and (sample["layer"] == "classifier").sum() == 3
    assert sample.index.is_monotonic_increasing and sample.equals(asking.sampled(table))
    monkeypatch.setattr(asking, "SAMPLED", 400)
    assert asking.sampled(table).equals(table)


# ---- adjectives


@pytest.mark.parametrize("loud, kept", [("No.", ["purple"]), ("Hm.", ["purple"]), ("Yes.", ["purple", "loud"])])
def test_the_models_verdict_decides_on_adjectives(scripted, loud, kept):
    model = Scripted(verdict=lambda words: loud if words.endswith("loud") else "Yes, it can.")
    table = stages.neurons_by_language_model(scripted(model), "ast")
    hissing = table["calibrated"].map(lambda points: THEMES[0] in points)
    assert hissing.any() and all(found == kept for found in table.loc[hissing, "adjectives"])
    assert sorted(words.rpartition(" ")[2] for words in model.words("verdict")) == ["high", "loud", "purple"]  # once


def test_verdicts_are_true_false_or_none(scripted):
    said = {"loud": "Yes.", "red": "No.", "odd": "Well.", "deep": Answer("", error="tired")}
    run = scripted(Scripted(verdict=lambda words: said[words.rpartition(" ")[2]]))
    assert asking.verdicts(run, ["red", "loud", "odd", "deep", "red"]) == {
        "deep": None,
        "loud": True,
        "odd": None,
        "red": False,
    }
    assert len(run.language_model.asked) == 4


def test_adjectives_of_the_released_word_lists_are_asked_about_too(scripted):
    def negated(words):  # the released code counts a word that is negated early in a point
        return "No loud dog is here." if THEMES[2] in themed(words) else themed(words)

    table = stages.neurons_by_language_model(scripted(Scripted(negated), mode="word_lists_by_substring"), "ast")
    loud = table["calibrated"].map(lambda points: list(points) == ["No loud dog is here."])
    assert loud.any() and all(found == ["loud"] for found in table.loc[loud, "adjectives"])


def test_labelled_adjectives_are_distinct_words_each_with_a_label():
    frame = pd.read_csv(paths.PACKAGE / "adjectives.csv")
    assert set(frame["acoustic"]) == {"yes", "no"} and frame["adjective"].is_unique
    labels = asking.labelled_adjectives()
    assert len(labels) == len(frame) >= 50 and all(word == word.strip().lower() for word in labels)
    assert (labels["bright"], labels["common"]) == (True, False)


# ---- ICL


@pytest.fixture
def three_summaries(monkeypatch):
    """The classifier's units with calibrated summaries of their own."""
    points = [[f"Point {i}."] for i in range(3)]
    table = pd.DataFrame({"layer": "classifier", "index": range(3), "high": points, "calibrated": points})
    monkeypatch.setattr(stages, "neurons_by_language_model", lambda run, model: table)


def icl_rows(run) -> pd.DataFrame:
    """Table 2's rows of ICL for the tiny network."""
    rows = section_4_1.last_layer(run, {"ast": {}})
    return rows[rows["method"] == "ICL"].reset_index(drop=True)


def test_choices_are_ranked_lists_and_top_5_holds_top_1(scripted, three_summaries):
    replies = {"0.": "Answer: dog, rain", "1.": "Answer: dog, rain, cat", "2.": "Answer: none"}
    run = scripted(Scripted(choice=lambda words: replies[words[-2:]]))
    expected = [("dog", "rain"), ("dog", "rain", "cat"), ()]
    assert section_4_1.icl(run, "ast", 1) == section_4_1.icl(run, "ast", 2) == expected
    truth = [run.concepts.index(name) for name in CLASSES]
    names = stages.embeddings(run, run.concepts, run.profile.encoder)
    cosine = names @ names.T
    rows = icl_rows(run)
    assert rows["function"].tolist() == ["1-shot", "2-shot"]
    assert rows["top1"].to_numpy() == pytest.approx([1 / 3] * 2)  # dog, rain, siren
    assert rows["top5"].to_numpy() == pytest.approx([2 / 3] * 2)
    assert rows["cos"].to_numpy() == pytest.approx([(1 + cosine[truth[0], truth[1]]) / 3] * 2)
    assert (rows["units"] == 3).all() and (rows["none"] == 1).all()


def test_a_unit_without_an_answer_is_none_and_does_not_count(scripted, three_summaries):
    replies = {"0.": Answer("", error="tired"), "1.": "Answer: none", "2.": CHOICE}
    run = scripted(Scripted(choice=lambda words: replies[words[-2:]]))
    assert section_4_1.icl(run, "ast", 1) == [None, (), ("dog", "siren", "cat")]
    first = icl_rows(run).iloc[0]
    assert first["units"] == 2 and first["none"] == 1
    assert (first["top1"], first["top5"]) == (0, 0.5)  # the third unit is the siren's, and is called a dog first


def test_where_nothing_is_answered_there_is_no_number(scripted):
    run = scripted(None)
    assert section_4_1.icl(run, "ast", 1) == [None] * 3
    rows = icl_rows(run)
    assert rows["units"].tolist() == [0, 0] and rows["top1"].isna().all()


def test_icl_uncalibrated_reads_the_whole_summary_and_snaps_to_the_nearest(scripted):
    model = Scripted(choice="It is the miaow of a kitten.")
    assert section_4_1.icl(scripted(model), "ast", 1) == [()] * 3
    assert model.words("choice") and not any("They are alike." in words for words in model.words("choice"))
    model.asked.clear()
    assert section_4_1.icl(scripted(model, mode="icl_uncalibrated"), "ast", 1) == [("cat",)] * 3
    assert model.words("choice") and all("They are alike." in words for words in model.words("choice"))
    named = Scripted(model="another")
    assert section_4_1.icl(scripted(named, mode="icl_uncalibrated"), "ast", 1) == [("dog", "siren", "cat")] * 3


def scored_by_hand(run, tmp_path, texts) -> list:
    """What ICL by likelihood names for three summaries, where these texts are the kept scores; the first is that of
    no summary."""
    sampling = asdict(prompts.SCORING)
    chats = [prompts.scored(run.concepts, points, 1) for points in ((), *([f"Point {i}."] for i in range(3)))]
    row = {"model": run.answerer, "revision": "r", "sampling": sampling, "finish": "stop", "error": ""}
    rows = [row | {"prompt": digest(chat), "text": text} for chat, text in zip(chats, texts, strict=False)]
    (tmp_path / "scores.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run = run.using(completions=Completions(tmp_path / "scores.jsonl"))
    return section_4_1.icl(run, "ast", 1, asking.likeliest)


def test_likelihood_ranks_by_what_a_summary_adds_to_a_name(scripted, three_summaries, tmp_path):
    run = scripted(None)
    usual = np.linspace(-20, -1, len(run.concepts))
    more = np.zeros((3, len(usual)))
    for summary, name in enumerate(CLASSES):
        more[summary, run.concepts.index(name)] = 5
    texts = [json.dumps((usual + added).tolist()) for added in (0 * usual, *more)]
    named = scored_by_hand(run, tmp_path, texts)
    assert [names[0] for names in named] == list(CLASSES)
    assert all(sorted(names) == sorted(run.concepts) for names in named)
    assert scored_by_hand(run, tmp_path, texts[:3]) == [*named[:2], None]
    broken = [texts[0], texts[1], "[1, 2]", "dog"]
    assert scored_by_hand(run, tmp_path, broken) == [named[0], None, None]
    assert scored_by_hand(run, tmp_path, ["[]", *texts[1:]]) == [None] * 3  # nothing to compare with


def test_only_a_model_of_this_process_scores(scripted, three_summaries):
    model = Scripted()
    assert section_4_1.icl(scripted(model), "ast", 1, asking.likeliest) == [None] * 3 and not model.asked


# ---- the language model as the run's summariser


def test_the_model_describes_every_neuron_where_it_is_the_summariser(scripted):
    model = Scripted(revision="summariser")
    run = scripted(model, summariser="llm")
    table = stages.neurons(run, "ast")
    rules = stages.neurons(scripted(None), "ast")
    assert len(table) == 67 and table["unit"].tolist() == rules["unit"].tolist() and "answered" not in table
    assert all(high[0] == "They are alike." and high[1] in THEMES for high in table["high"])
    assert not any("They are alike." in kept for kept in table["calibrated"])  # S_l says it too
    assert {word for words in table["adjectives"] for word in words} == {"purple", "loud", "high"}
    assert rules["db"].map(list).tolist() == table["db"].map(list).tolist()
    sets = {tuple(sorted(clips)) for column in ("highest", "lowest") for clips in rules[column]}
    assert len(model.words("summary")) == len(sets)


def test_without_all_answers_the_summariser_refuses(scripted):
    with pytest.raises(InputError, match="has not answered for every neuron.*-p llm smollm2"):
        stages.neurons(scripted(None, summariser="llm"), "ast")
    some = Scripted(lambda words: Answer("", error="x") if sum(map(ord, words)) % 5 == 0 else "Rain.", revision="some")
    with pytest.raises(InputError, match="run the page again"):
        stages.neurons(scripted(some, summariser="llm"), "ast")


# ---- asked once, committed, read from a fresh clone


@pytest.fixture
def clone(run, cache, tmp_path, monkeypatch):
    """A folder of results of its own, and a way to open runs on copies of the stages, as on other machines."""
    stages.neurons(run, "ast")
    monkeypatch.setattr(paths, "results", lambda: tmp_path / "results")
    monkeypatch.setattr(andlib.mini.synthesis, "synthesc", tiny_set)

    def open_in(name: str, **changes):
        folder = tmp_path / name
        if not folder.exists():
            shutil.copytree(cache, folder)
        return tiny_run(folder, **changes)

    return open_in


def commit_answers(open_run, monkeypatch, model, **changes):
    """`make results`' way: the command line, on the tiny network, with a scripted model."""
    monkeypatch.setattr(andlib.run, "open_llm", lambda name, device: {"scripted": model}[name])
    monkeypatch.setattr(command, "open_run", lambda asked: open_run("asked", llm=asked["llm"], **changes))
    monkeypatch.setattr("sys.argv", ["answers", "--profile", "mini", "--llm", "scripted"])
    answers.main()


# ---- asked elsewhere, by batch files


def batched(clone, monkeypatch, *options, model="elsewhere"):
    """The command line as it writes a batch's questions or takes its answers in."""
    monkeypatch.setattr(command, "open_run", lambda asked: clone("asked"))
    monkeypatch.setattr("sys.argv", ["answers", "--profile", "mini", "--batch", model, *map(str, options)])
    answers.main()


def answered(questions, file, model, name="elsewhere"):
    """What `vllm run-batch` writes for a file of questions: scripted answers, in another order."""
    lines = []
    for line in reversed(questions.read_text().splitlines()):
        asked = json.loads(line)
        assert asked["method"] == "POST" and asked["url"] == "/v1/chat/completions"
        sampling = Sampling(*(asked["body"][name] for name in ("max_tokens", "temperature", "seed")))
        [(_, said)] = model.answers([asked["body"]["messages"]], sampling)
        choice = {"index": 0, "message": {"role": "assistant", "content": said.text}, "finish_reason": said.finish}
        body = {"id": "x", "object": "chat.completion", "model": name, "choices": [choice]}
        body |= {"system_fingerprint": "vllm-0.1"}
        response = {"status_code": 200, "request_id": "y", "body": body}
        lines.append(json.dumps({"id": "z", "custom_id": asked["custom_id"], "response": response, "error": None}))
    file.write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_what_is_asked_elsewhere_comes_back_by_batch_files(clone, tmp_path, monkeypatch, capsys):
    model, questions, file = Scripted(model="elsewhere"), tmp_path / "questions.jsonl", tmp_path / "answers.jsonl"
    commit_answers(clone, monkeypatch, Scripted(model=SMOLLM2))
    by_small = unpacked(paths.completions("mini")).splitlines()
    for kinds in ({"summary", "verdict"}, {"choice", "verdict"}, set()):  # what comes next depends on answers
        model.asked.clear()
        batched(clone, monkeypatch, "--questions", questions)
        answered(questions, file, model)
        assert {kind for kind, _ in model.asked} == kinds
        assert len({words for _, words in model.asked if words.startswith(prompts.SUMMARY)}) == len(
            model.words("summary")
        )
        batched(clone, monkeypatch, "--answered", file)
    assert "0 questions are left" in capsys.readouterr().out
    written = unpacked(paths.completions("mini")).splitlines()
    assert set(by_small) < set(written)  # other models' answers stay
    assert {json.loads(line)["revision"] for line in set(written) - set(by_small)} == {"vllm-0.1"}
    monkeypatch.setattr(andlib.run, "open_llm", open_llm)
    fresh = clone("fresh", llm="kept:elsewhere")
    assert fresh.answerer == "elsewhere" and everything(fresh) == everything(clone("asked", llm="kept:elsewhere"))
    assert len(stages.neurons_by_language_model(fresh, "ast")) == 67
    with pytest.raises(InputError, match="other models; model 'elsehwere' is unknown. Did you mean 'elsewhere'?"):
        _ = clone("fresh", llm="kept:elsehwere").answerer


@pytest.mark.slow
def test_of_every_unit_what_the_summariser_needs_is_asked(clone, tmp_path, monkeypatch):
    model, questions, file = Scripted(model="elsewhere"), tmp_path / "questions.jsonl", tmp_path / "answers.jsonl"
    monkeypatch.setattr(asking, "SAMPLED", 2)
    for _ in range(3):
        batched(clone, monkeypatch, "--units", "every", "--questions", questions)
        answered(questions, file, model)
        batched(clone, monkeypatch, "--units", "every", "--answered", file)
    monkeypatch.setattr(andlib.run, "open_llm", open_llm)
    assert len(stages.neurons(clone("fresh", llm="kept:elsewhere", summariser="llm"), "ast", LEARNT)) == 67


@pytest.mark.slow
@pytest.mark.parametrize(
    "change,fault",
    [
        (lambda lines: [lines[0], lines[1][: len(lines[1]) // 2]], "line 2, is no whole answer of a batch"),
        (lambda lines: [*lines, lines[1]], "answers [0-9a-f]+ again"),
        (lambda lines: [*lines, lines[0].replace('"custom_id": "', '"custom_id": "f')], "1 questions that .* not ask"),
        (lambda lines: ["[]"], "line 1, is no whole answer of a batch"),
        (lambda lines: ["\ud800" * 3], "cannot be read"),
    ],
)
def test_a_batch_file_that_does_not_fit_is_refused(clone, tmp_path, monkeypatch, change, fault):
    questions, file = tmp_path / "questions.jsonl", tmp_path / "answers.jsonl"
    batched(clone, monkeypatch, "--questions", questions)
    answered(questions, file, Scripted(model="elsewhere"))
    lines = change(file.read_text().splitlines())
    file.write_bytes("\n".join(lines).encode(errors="surrogatepass"))
    with pytest.raises(InputError, match=fault):
        batched(clone, monkeypatch, "--answered", file)
    assert not paths.completions("mini").exists()


@pytest.mark.slow
def test_answers_of_another_model_or_that_failed_are_asked_again(clone, tmp_path, monkeypatch, capsys):
    questions, file = tmp_path / "questions.jsonl", tmp_path / "answers.jsonl"
    batched(clone, monkeypatch, "--questions", questions)
    count = len(questions.read_text().splitlines())
    answered(questions, file, Scripted(model="elsewhere"), name="another")
    batched(clone, monkeypatch, "--answered", file)
    answered(questions, file, Scripted(model="elsewhere"))
    file.write_text(file.read_text().replace('"status_code": 200', '"status_code": 500'))
    batched(clone, monkeypatch, "--answered", file)
    assert f"{count} questions are left" in capsys.readouterr().out
    batched(clone, monkeypatch, "--questions", questions)
    assert f"{count} questions are in" in capsys.readouterr().out


def everything(run) -> list:
    """All that pages read of a language model."""
    table = stages.neurons_by_language_model(run, "ast")
    lists = [section_4_1.icl(r, "ast", shots) for r, shots in ((run, 1), (run, 2), (released(run), 1))]
    frames = [section_3_2.supported(run), section_3_2.adjective_filters(run)]
    return [table.drop(columns=["highest", "lowest", "cosine"]).to_json(), lists, *(f.to_json() for f in frames)]


def released(run):
    return run.using(mode="icl_uncalibrated")


@pytest.mark.slow
def test_committed_answers_suffice_for_a_fresh_clone(clone, tmp_path, monkeypatch, capsys):
    model = Scripted(model=SMOLLM2)
    commit_answers(clone, monkeypatch, model)
    written = unpacked(paths.completions("mini"))
    assert len(written.split("\n")) == len(model.asked) + 1
    assert capsys.readouterr().out.endswith(f"{len(model.asked)} answers are in {paths.completions('mini')}\n")
    count = len(model.asked)
    with_model = everything(clone("asked", llm="scripted"))
    assert len(model.asked) == count  # no page asks more than was asked
    fresh = clone("fresh")
    assert fresh.language_model is None and everything(fresh) == with_model
    assert len(stages.neurons_by_language_model(fresh, "ast")) == 67
    assert None not in section_4_1.icl(fresh, "ast", 2)
    commit_answers(clone, monkeypatch, model)
    assert unpacked(paths.completions("mini")) == written and len(model.asked) == count  # asked once
    other = Scripted(verdict="No.", model=SMOLLM2)
    shutil.rmtree(tmp_path / "asked")  # what is committed is no answer to `make results`
    commit_answers(clone, monkeypatch, other)
    rows = [json.loads(line) for line in unpacked(paths.completions("mini")).split("\n") if line]
    assert len(rows) == len(other.asked) and "Yes." not in {row["text"] for row in rows}
