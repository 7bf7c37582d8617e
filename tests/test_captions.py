"""Captions: what is read, what is repaired and reported, what is refused."""

import csv
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andlib.errors import InputError
from andlib.inputs import captions, probing
from andlib.llms.captioners import write_captions
from andlib.llms.llm import Answer

NAMES = ["1-100-A-0.ogg", "2-200-A-1.ogg"]


def csv_file(folder, *rows, header="filename,description", encoding="utf-8"):
    path = folder / "captions.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
    return path


def json_file(folder, texts):
    path = folder / "captions.json"
    path.write_text(texts if isinstance(texts, str) else json.dumps(texts))
    return path


def refused(call, *words):
    with pytest.raises(InputError) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)


# What is read


def test_csv_in_the_order_of_the_clips(tmp_path):
    path = csv_file(tmp_path, '2-200-A-1.ogg,"A hen, ""loud"", clucks."', "1-100-A-0.ogg,A dog barks.")
    texts, report = captions.read_captions(path, NAMES)
    assert list(texts.items()) == [(NAMES[0], "A dog barks."), (NAMES[1], 'A hen, "loud", clucks.')]
    assert report == captions.CaptionReport(path, 2)


def test_byte_order_mark_and_other_columns(tmp_path):
    path = csv_file(
        tmp_path,
        "1-100-A-0.ogg,x,Dog.",
        "2-200-A-1.ogg,y,Hen.",
        header="filename,model,description",
        encoding="utf-8-sig",
    )
    assert captions.read_captions(path, NAMES)[0] == {NAMES[0]: "Dog.", NAMES[1]: "Hen."}


@pytest.mark.parametrize(
    "key",
    [
        "1-100-A-0.ogg",
        "1-100-A-0.wav",
        "1-100-A-0",
        "ESC-50/audio/1-100-A-0.wav",
        "./audio/1-100-A-0",
        "C:\\audio\\1-100-A-0.wav",
    ],
)
def test_json_keys_name_a_clip_in_many_ways(tmp_path, key):
    texts, report = captions.read_captions(json_file(tmp_path, {key: "Dog."}), NAMES[:1])
    assert texts == {NAMES[0]: "Dog."} and report.extra == ()


def test_folders_keep_clips_of_one_name_apart(tmp_path):
    names = ["dog/1.wav", "hen/1.wav", "hen/v1.2.wav"]
    path = json_file(tmp_path, {"hen/1": "Hen.", "set/dog/1.wav": "Dog.", "v1.2": "Two."})
    assert captions.read_captions(path, names)[0] == {"dog/1.wav": "Dog.", "hen/1.wav": "Hen.", "hen/v1.2.wav": "Two."}


def test_name_that_fits_two_clips_is_believed_for_neither(tmp_path):
    path = json_file(tmp_path, {"1": "Dog."})
    refused(
        lambda: captions.read_captions(path, ["dog/1.wav", "hen/1.wav"]), "2 of 2 clips", "'dog/1.wav', 'hen/1.wav'"
    )
    path = json_file(tmp_path, {"cow/1.wav": "Cow.", "dog/1.wav": "Dog."})
    assert captions.read_captions(path, ["dog/1.wav"])[1].extra == ("cow/1.wav",)


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I cannot describe this sound.",
        "As an AI, I hear nothing.",
        "I am unable to listen to audio.",
        "I can’t process audio.",
        "一只狗在叫",
        "Собака лает.",
        "犬 dog 犬犬犬犬",
    ],
)
def test_a_caption_that_refuses_or_is_in_another_script_is_kept_and_told(tmp_path, text):
    texts, report = captions.read_captions(json_file(tmp_path, {NAMES[0]: text, NAMES[1]: "Une poule caquète."}), NAMES)
    assert texts[NAMES[0]] == text and report.doubtful == (NAMES[0],)
    assert f"1 that refuse or are in no Latin script (kept as they are: {NAMES[0]})" in str(report)


@pytest.mark.parametrize("text", ['=HYPERLINK("http://a.example")', "+1", "-2", "@a", "'=1", "''+", "a = b"])
def test_a_spreadsheet_takes_no_caption_for_a_formula(tmp_path, text):
    name = "=1.wav"
    write_captions(tmp_path / "captions.csv", {name: Answer(text), "b.wav": Answer("Rain.")})
    with (tmp_path / "captions.csv").open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not any(cell[:1] in "=+-@" for cell in cells)
    assert captions.read_captions(tmp_path / "captions.csv", [name, "b.wav"])[0] == {name: text, "b.wav": "Rain."}


def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "captions.csv")
    with pytest.raises(InputError, match="cannot be read .it is no file"):
        captions.read_captions(tmp_path / "captions.csv", NAMES)
    (tmp_path / "captions.json").mkdir()
    with pytest.raises(InputError, match="cannot be read .it is no file"):
        captions.read_captions(tmp_path / "captions.json", NAMES)


def test_extra_entries_are_ignored_and_reported(tmp_path):
    path = csv_file(tmp_path, "1-100-A-0.ogg,Dog.", "9.ogg,Cow.", "2-200-A-1.ogg,Hen.")
    texts, report = captions.read_captions(path, NAMES)
    assert list(texts) == NAMES and report.extra == ("9.ogg",)
    assert str(report) == "captions.csv: 2 captions; 1 naming no clip (ignored), 0 looping (cut), 0 tidied"


def test_same_row_twice_is_one_caption(tmp_path):
    path = csv_file(tmp_path, "1-100-A-0.ogg,Dog.", "1-100-A-0.ogg,Dog.")
    assert captions.read_captions(path, NAMES[:1])[0] == {NAMES[0]: "Dog."}


# What SALMONN's users have: the released code reads `salmon_<set>.json`, {filename of the set: text}, and its own
# runner writes a list of batches with parallel lists, text as LLaMA's tokenizer decodes it. Both made by hand here.


def test_descriptions_as_the_released_code_reads_them(tmp_path):
    path = tmp_path / "salmon_esc50.json"
    path.write_text(json.dumps({"2-200-A-1.wav": "A hen clucks.", "1-100-A-0.wav": "A dog barks.\nIt is loud."}))
    texts, report = captions.read_captions(path, NAMES)
    assert texts == {NAMES[0]: "A dog barks. It is loud.", NAMES[1]: "A hen clucks."} and report.extra == ()


def salmonn_batch(texts):
    return {
        "id": list(texts),
        "ground_truth": ["dog"] * len(texts),
        "loss": 1.5,
        "acc": 0.25,
        "total": 7,
        "text": list(texts.values()),
        "prompt": ["USER: <Speech><SpeechHere></Speech> Please describe the audio in detail.\nASSISTANT:"] * len(texts),
        "task": ["audiocaption"] * len(texts),
    }


def test_results_of_salmonns_own_decoding(tmp_path):
    first = {"/data/ESC-50/audio/1-100-A-0.wav": "<s> A dog barks.</s>"}
    both = {**first, "/data/ESC-50/audio/2-200-A-1.wav": "<s> A <b>hen</b> clucks.</s><unk><unk>"}
    # the last batch of a run on several GPUs is filled up with clips that were there before
    path = tmp_path / "eval_test_epoch_best.json"
    path.write_text(json.dumps([salmonn_batch(both), salmonn_batch(first)]))
    texts, report = captions.read_captions(path, NAMES)
    assert texts == {NAMES[0]: "A dog barks.", NAMES[1]: "A <b>hen</b> clucks."}
    assert report.cleaned == tuple(NAMES) and report.read == 2


@pytest.mark.parametrize(
    "batch", [{"id": ["1.wav"]}, {"id": ["1.wav"], "text": []}, {"id": "1.wav", "text": "Dog."}, ["1.wav", "Dog."]]
)
def test_list_that_salmonn_never_writes(tmp_path, batch):
    path = json_file(tmp_path, json.dumps([salmonn_batch({"1.wav": "Dog."}), batch]))
    refused(lambda: captions.read_captions(path, ["1.wav"]), str(path), "entry 2 of the list is no batch")


# What is repaired


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("one two three four five six seven. One two three four five six seven.", None),
        ("a b c d e f g h. A b c d e f g h.", "a b c d e f g h."),
        ("the dog barks and then it barks, " * 5, "the dog barks and then it barks, the"),
        ("At first a b c d e f g h i j, a b c d e f g h i j and so on", "At first a b c d e f g h i j,"),
        ("drip " * 30, "drip " * 8),
    ],
    ids=["seven words", "eight words", "period of seven", "after a beginning", "one word"],
)
def test_looping_text_is_cut_before_it_repeats(tmp_path, text, kept):
    path = json_file(tmp_path, {NAMES[0]: text.strip(), NAMES[1]: "Hen."})
    texts, report = captions.read_captions(path, NAMES)
    assert texts[NAMES[0]] == (kept or text).strip()
    assert report.looping == ((NAMES[0],) if kept else ())


@given(st.text())
def test_clean_text_is_one_printable_line(text):
    cleaned = captions.clean(text)
    assert cleaned.isprintable() and "  " not in cleaned and cleaned == cleaned.strip()
    assert captions.clean(cleaned) == cleaned


def test_control_characters_go_and_markup_stays_text(tmp_path):
    raw = "A\x00 dog\r\n\r\nbarks.\u202e \x1b[31m<script>{x}</script>\u200b"
    texts, report = captions.read_captions(json_file(tmp_path, {NAMES[0]: raw, NAMES[1]: "Hen."}), NAMES)
    assert texts[NAMES[0]] == "A dog barks. [31m<script>{x}</script>"
    assert report.cleaned == (NAMES[0],)


# What is refused


def test_missing_and_empty_captions_name_five_clips(tmp_path):
    names = [f"{number}.wav" for number in range(9)]
    path = csv_file(tmp_path, "0.wav,Dog.", "7.wav,", "8.wav, \u200b ")
    refused(
        lambda: captions.read_captions(path, names),
        str(path),
        "8 of 9 clips",
        "'1.wav', '2.wav', '3.wav', '4.wav', '5.wav' and 3 more",
        "Add a description",
    )


def test_two_texts_for_one_clip(tmp_path):
    path = csv_file(tmp_path, "1-100-A-0.ogg,Dog.", "audio/1-100-A-0.ogg,Cat.", "2-200-A-1.ogg,Hen.")
    refused(
        lambda: captions.read_captions(path, NAMES), str(path), "two different texts for '1-100-A-0.ogg'", "Keep one"
    )
    path = json_file(tmp_path, '{"1-100-A-0.ogg": "Dog.", "1-100-A-0.ogg": "Cat."}')
    refused(lambda: captions.read_captions(path, NAMES[:1]), "two different texts for '1-100-A-0.ogg'")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            "filename,caption\n1.wav,Dog.\n",
            ["line 2", "no column description", "only filename, caption", "filename,description"],
        ),
        (
            "filename,description\n1.wav,A dog, barking.\n",
            ["line 2 is not of the header's 2 cells", "quote those with commas"],
        ),
        ('filename,description\n1.wav,"A dog\n', ["unexpected end of data", "filename,description"]),
    ],
)
def test_broken_csv(tmp_path, content, words):
    path = tmp_path / "captions.csv"
    path.write_text(content)
    refused(lambda: captions.read_captions(path, ["1.wav"]), str(path), *words)


@pytest.mark.parametrize(
    "content",
    [
        '[{"id": ["1.wav"], "text": [3]}]',
        '{"1.wav": "Dog."',
        '["Dog."]',
        '"Dog."',
        '{"1.wav": 3}',
        '{"1.wav": {"a": "b"}}',
        "[" * 100_000,
    ],
)
def test_broken_json(tmp_path, content):
    path = json_file(tmp_path, content)
    refused(lambda: captions.read_captions(path, ["1.wav"]), str(path), "cannot be read", "JSON {filename: text}")


def test_other_encoding(tmp_path):
    path = csv_file(tmp_path, "1.wav,été", encoding="latin-1")
    refused(lambda: captions.read_captions(path, ["1.wav"]), str(path), "in UTF-8")


def test_absent_file(tmp_path):
    path = tmp_path / "none.csv"
    refused(lambda: captions.read_captions(path, NAMES), str(path), "No such file", "Give a file `captions`")


def test_the_one_caption_file_is_found(tmp_path):
    assert captions.find_captions(tmp_path) is None
    (tmp_path / "captions.md").write_text("no captions")
    path = csv_file(tmp_path)
    assert captions.find_captions(tmp_path) == path
    json_file(tmp_path, {})
    refused(lambda: captions.find_captions(tmp_path), "(captions.csv, captions.json)", "parameter `captions`")


# Joining


PARTS = {
    "measured": {"a": "It is loud.", "b": "It is\nquiet."},
    "file": {"a": "A dog barks.", "b": "A hen clucks."},
}


def test_compose_is_one_row_a_clip_and_origin():
    frame = captions.compose(PARTS, ["b", "a"], ["file", "measured"])
    assert frame.values.tolist() == [
        ["b", "file", "A hen clucks."],
        ["b", "measured", "It is quiet."],
        ["a", "file", "A dog barks."],
        ["a", "measured", "It is loud."],
    ]
    assert list(frame.columns) == ["clip", "origin", "text"]


def test_descriptions_join_the_origins_in_their_order():
    frame = captions.compose(PARTS, ["b", "a"], ["measured", "file"])
    assert captions.descriptions(frame, ["a", "b"]) == ["It is loud. A dog barks.", "It is quiet. A hen clucks."]


def test_origins_are_checked():
    compose = captions.compose
    refused(lambda: compose(PARTS, ["a"], ["files"]), "'files' is unknown", "Did you mean 'file'")
    refused(lambda: compose({"heard": {}}, ["a"], captions.ORIGINS), "'heard' is unknown", "measured")
    refused(lambda: compose(PARTS, ["a", "c"], ["file"]), "origin 'file'", "1 of 2 clips", "'c'", "Add a description")


# The real captions


def test_real_captions_cover_esc10(esc10):
    names = [clip.name for clip in probing.open_folder(esc10).clips]
    texts, report = captions.read_captions(captions.find_captions(esc10), names)
    assert list(texts) == names
    assert len(set(texts.values())) == 143
    assert (report.read, report.extra, report.looping, report.cleaned) == (400, (), (), ())
    as_wav = [name.replace(".ogg", ".wav") for name in names]  # ESC-50's own esc10 holds WAV
    assert list(captions.read_captions(captions.find_captions(esc10), as_wav)[0].values()) == list(texts.values())
