"""Making the book: executing, normalising, staging and checking pages."""

import base64
import io
import json
import re
import types

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

import committed
import executing
import publish
from andlib import kept as keeping
from andlib import paths
from andlib.errors import InputError

ROWS = pd.DataFrame({"model": ["ast"], "share": [0.1 + 0.2]})
GLUED = "application/papermill.record/"
SOURCE = """# %% [markdown]
# # A page
# %% tags=["parameters", "hide-input"]
model: str = "ast"  # target network
profile: str = "mini"  # what is probed
data_dir: str = ""  # folder with the recordings
# %%
import andlib as al
al.neurons
print(model, profile, data_dir)
"""
PUBLIC = "from andlib.stage import neurons\nfrom andlib.other import other\n"
STAGE = '''"""A module."""
from pathlib import Path

def neurons():  # what it does
    """What it gives."""
    from andlib.rooms import deep
    return deep.deep(), Path("words.toml"), "model.safetensors", "kept", "by_hand.csv"
'''


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project in a folder with a space: one page, a module that it reaches, one that this reaches, a pin."""
    root = tmp_path / "a b"
    files = {
        "notebooks/one.py": SOURCE,
        "andlib/__init__.py": PUBLIC,
        "andlib/stage.py": STAGE,
        "andlib/other.py": "def other():\n    return 'odd.toml'\n",
        "andlib/rooms/__init__.py": "",
        "andlib/rooms/deep.py": "def deep():\n    return 1\n",
        "andlib/words.toml": "x = 1\n",
        "andlib/odd.toml": "x = 1\n",
        "andlib/mini/weights/mini/ast/model.safetensors": "1",
        "andlib/mini/weights/esc50/ast/model.safetensors": "1",
        "constraints.txt": "numpy==2\n",
        "results/mini/kept.json": "{}",
        "results/mini/unread.json": "{}",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "book").mkdir()
    (root / "book/_toc.yml").write_text("root: index\nparts: [{chapters: [{file: how}, {file: pages/mini/one}]}]\n")
    monkeypatch.setattr(paths, "root", lambda: root)
    publish.sync()
    return root


@pytest.fixture
def published(project):
    """The project with its page published, beside results that no page makes."""
    (project / "results/mini/by_hand.csv").write_text("points\n3\n")
    said = new_output("stream", text="ast mini")
    page = committed.normalise(notebook(said, kept("top1", 0.93), kept("best", "cos")))
    page.metadata["andlib"] = {"profile": "mini", "made_from": committed.made_from("one", "mini")}
    done = committed.write(page, project / "_build/pages/mini/one.ipynb")
    publish.publish([done], "mini", {"one": {"rows": ROWS}})
    return project


def notebook(*outputs, source="1"):
    return new_notebook(cells=[new_markdown_cell("words"), new_code_cell(source, outputs=list(outputs))])


def kept(name, value):
    """What `glue` leaves on a page."""
    about = {"scrapbook": {"name": name, "mime_prefix": GLUED}}
    return new_output("display_data", {f"{GLUED}text/plain": repr(value)}, metadata=about)


def outputs(*given):
    return committed.normalise(notebook(*given)).cells[1].outputs


def html(text, **others):
    return new_output("execute_result", {"text/html": text, "text/plain": "plain", **others})


# normalise


def test_normalise_drops_the_marks_of_one_run_and_leaves_its_argument_alone():
    given = notebook()
    given.metadata = {"papermill": {"start_time": "now"}, "widgets": {}, "language_info": {"version": "3.11.7"}}
    given.cells[1].metadata = {
        "papermill": {"duration": 1},
        "execution": {},
        "tags": ["hide-input"],
        "mystnb": {"x": 1},
    }
    page = committed.normalise(given)
    assert page.metadata == {"kernelspec": committed.KERNEL, "language_info": {"name": "python"}}
    assert page.cells[1].metadata == {"tags": ["hide-input"], "mystnb": {"x": 1}}
    assert "papermill" in given.metadata
    nbformat.validate(page)


def test_parameters_that_papermill_added_are_folded():
    cell = new_code_cell("k = 3", metadata={"tags": ["injected-parameters"]})
    page = committed.normalise(new_notebook(cells=[cell]))
    assert page.cells[0].metadata["tags"] == ["injected-parameters", "hide-input"]
    assert cell.metadata["tags"] == ["injected-parameters"]


def test_cell_ids_follow_from_position_and_source():
    first, again, other = (committed.normalise(notebook(source=s)).cells[1].id for s in ("1", "1", "2"))
    assert first == again != other


def test_printed_pieces_are_joined_across_dropped_stderr():
    pieces = [new_output("stream", name=n, text=t) for n, t in [("stdout", "a"), ("stderr", "bar"), ("stdout", "b")]]
    assert [(o.name, o.text) for o in outputs(*pieces)] == [("stdout", "ab")]


def test_progress_widgets_are_dropped():
    assert outputs(new_output("display_data", {committed.WIDGET: {"model_id": "x"}, "text/plain": "bar"})) == []


def test_plain_text_goes_beside_html_or_an_image_and_stays_alone():
    picture = new_output("display_data", {"image/png": drawing(), "text/plain": "<Figure>"})
    alone = new_output("execute_result", {"text/plain": "<f at 0x7f00aa>"})
    kept = outputs(html("<b>"), picture, alone)
    assert [set(output.data) for output in kept] == [{"text/html"}, {"image/png"}, {"text/plain"}]
    assert kept[2].data["text/plain"] == "<f>"


def drawing():
    """Two colours and a thousand that are much alike, in base64, as matplotlib writes a figure: 32 bits a pixel."""
    pixels = np.full((90, 600, 4), 255, np.uint8)
    pixels[:40, :, :3] = (0, 119, 187)
    pixels[60:, :, :3] = np.random.default_rng(0).integers(100, 110, (30, 600, 3))
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    return base64.b64encode(written.getvalue()).decode()


def test_drawings_are_written_small_and_keep_their_colours():
    given = drawing()
    shown = outputs(
        new_output("display_data", {"image/png": given}), html(f'<img src="data:image/png;base64,{given}">')
    )
    few = shown[0].data["image/png"]
    assert shown[1].data["text/html"] == f'<img src="data:image/png;base64,{few}">'
    assert len(few) < 0.6 * len(given)
    then, now = (np.asarray(Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB")) for code in (given, few))
    assert (then[:60] == now[:60]).all()
    assert np.abs(then.astype(int) - now).max() < 5
    assert outputs(new_output("display_data", {"image/png": few}))[0].data["image/png"] == few


def test_glued_values_stay():
    assert outputs(kept("top1", 0.93))[0] == kept("top1", 0.93)


def test_styler_ids_are_numbered_through_the_page():
    one, two = (
        f'<style>#{i}_row0_col0 {{}}</style><table id="{i}"><td id="{i}_row0_col0">' for i in ("T_0a1b2", "T_fffff")
    )
    first, second = (output.data["text/html"] for output in outputs(html(one), html(two)))
    assert re.findall(r"T_\w+", first) == ["T_table0_row0_col0", "T_table0", "T_table0_row0_col0"]
    assert first.replace("table0", "table1") == second


def test_two_runs_that_differ_in_noise_give_equal_text():
    def run(number):
        bar = new_output("stream", name="stderr", text=f"{number} s")
        table = html(f'<table id="T_{number:05x}">', **{"image/svg+xml": f"<svg><dc:date>{number}</dc:date></svg>"})
        cell = new_code_cell("1", outputs=[bar, table], metadata={"papermill": {"duration": number}})
        return committed.as_text(committed.normalise(new_notebook(cells=[cell], metadata={"papermill": {"x": number}})))

    assert run(1) == run(2)


# execute


def test_execute_runs_with_parameters_and_gives_equal_bytes(project):
    source, out = project / "notebooks/one.ipynb", project / "out.ipynb"
    first = executing.execute(source, out, {"model": "all"}).read_bytes()
    assert b"all mini" in first
    assert executing.execute(source, out, {"model": "all"}).read_bytes() == first


def test_execute_of_a_failing_page_says_why_and_leaves_what_lay_there(project):
    (project / "notebooks/one.py").write_text(SOURCE + '# %%\nraise ValueError("no clip in fold 7")\n')
    publish.sync()
    out = project / "out.ipynb"
    out.write_text("older")
    with pytest.raises(InputError, match=r"Page one stopped in code cell 3\. ValueError: no clip in fold 7"):
        executing.execute(project / "notebooks/one.ipynb", out, {})
    assert out.read_text() == "older"
    assert [path.name for path in project.glob("*out*")] == ["out.ipynb"]


def test_a_page_whose_figure_cannot_be_drawn_is_refused(project):
    # so IPython speaks where it cannot format the error itself; nothing else tells of it then
    drawn = "print('Error in callback <function _draw_all_if_interactive> (for post_execute)')"
    (project / "notebooks/one.py").write_text(f"{SOURCE}# %%\n{drawn}\n")
    publish.sync()
    with pytest.raises(InputError, match=r"Page one could not draw the figure of this cell:\nprint"):
        executing.execute(project / "notebooks/one.ipynb", project / "out.ipynb", {})
    assert not (project / "out.ipynb").exists()


def test_a_misspelt_parameter_is_refused_with_the_likely_one(project):
    with pytest.raises(InputError, match=r"no parameter 'modle'\. Did you mean 'model'\?"):
        executing.execute(project / "notebooks/one.ipynb", project / "out.ipynb", {"modle": "ast"})
    assert not (project / "out.ipynb").exists()


def test_the_folder_of_the_recordings_is_not_shown(project):
    recordings = project / "recordings"
    out = executing.execute(
        project / "notebooks/one.ipynb", project / "out.ipynb", {"profile": "esc10", "data_dir": str(recordings)}
    )
    assert str(project) not in out.read_text()
    assert "ast esc10 path/to/esc10" in out.read_text()


def test_labels_of_figures_and_references_to_them_name_the_profile():
    source = "See {numref}`change`, {ref}`the change <change>` and {numref}`changes`; `change` is code."
    drawing = new_code_cell("1", metadata={"mystnb": {"figure": {"name": "change", "caption": "A change"}}})
    page = committed.labelled(new_notebook(cells=[new_markdown_cell(source), drawing]), "esc10")
    assert page.cells[1].metadata["mystnb"]["figure"] == {"name": "esc10-change", "caption": "A change"}
    assert page.cells[0].source == (
        "See {numref}`esc10-change`, {ref}`the change <esc10-change>` and {numref}`changes`; `change` is code."
    )


def test_a_link_leads_to_the_page_of_its_profile_where_the_book_has_it(project):
    source = "[One](one.ipynb#top), [two](two.ipynb), [the words](../../words.md)."
    given = [new_notebook(cells=[new_markdown_cell(source), new_code_cell("'](two.ipynb)'")]) for _ in "ab"]
    toc = project / "book/_toc.yml"
    toc.write_text(toc.read_text().replace("}]}]", "}, {file: pages/esc50/one}, {file: pages/mini/two}]}]"))
    there, other = (committed.labelled(*case).cells for case in zip(given, ("mini", "esc50"), strict=True))
    assert there[0].source == source
    assert other[0].source == source.replace("two.ipynb", "../mini/two.ipynb")
    assert other[1].source == "'](two.ipynb)'"


def test_what_an_executed_page_glues_is_published_with_it(project):
    glue = '# %%\nfrom myst_nb import glue\nglue("top1", 0.93)\nglue("best", "cos", display=False)\n'
    (project / "notebooks/one.py").write_text(SOURCE + glue)
    publish.sync()
    note = {"profile": "mini", "made_from": committed.made_from("one", "mini")}
    done = executing.execute(project / "notebooks/one.ipynb", project / "_build/pages/mini/one.ipynb", {}, note)
    publish.publish([done], "mini", {})
    assert json.loads((project / "results/mini/one.json").read_text()) == {"top1": 0.93, "best": "cos"}
    assert committed.check() == []


def test_an_unknown_page_is_refused_with_the_likely_one(project):
    with pytest.raises(InputError, match="Did you mean 'one'"):
        executing.execute_pages(["onee"], "mini")


def test_networks_are_recorded_before_pages_that_would_wait_for_one_another(project, monkeypatch):
    asked = []

    def side_by_side(work, names, workers, what):
        asked.append((list(names), what))
        return dict.fromkeys(names)

    monkeypatch.setattr(executing, "side_by_side", side_by_side)
    monkeypatch.setattr(executing, "source", lambda page, suffix: project / "notebooks/one.py")
    monkeypatch.setattr(executing, "names", lambda: ["one", "two", "three"])
    of_pages = (["one", "two", "three"], "pages (mini)")
    executing.execute_pages(of_pages[0], "mini")
    assert asked == [(["ast", "beats_finetuned", "beats_frozen"], "networks (mini)"), of_pages]
    executing.execute_pages(of_pages[0][:2], "mini")  # as many as run at a time
    executing.execute_pages(["one", "two", "three"], "esc50")  # without recordings: pages will say so
    assert [what for _, what in asked[2:]] == ["pages (mini)", "pages (esc50)"]
    executing.fresh("mini", "one").parent.mkdir(parents=True)
    executing.execute_pages(of_pages[0], "mini")
    assert asked[4:] == [of_pages]


def test_networks_that_take_long_are_recorded_in_parts_before_all_are_described(monkeypatch):
    asked, encoded, recorded = [], [], []
    profile = types.SimpleNamespace(name="esc50", slow=("whisper_untrained", "whisper_frozen"))
    run = types.SimpleNamespace(models=("ast", "whisper_frozen"), profile=profile, probing_set=["a clip"])
    monkeypatch.setattr(executing, "open_run", lambda given: run)
    monkeypatch.setattr(executing, "side_by_side", lambda work, names, workers, what: asked.append((work, names, what)))
    executing.record_networks({"profile": "esc50", "data_dir": "recordings"}, 2)
    (record, parts, _), (_, models, _) = asked
    assert parts == ["sounds", "whisper_frozen 1/2", "whisper_frozen 2/2"]  # not what Table 1 alone reads
    assert models == ["ast", "whisper_frozen"] and [what for *_, what in asked] == ["parts (esc50)", "networks (esc50)"]
    monkeypatch.setattr(executing.scale, "record", lambda *given: recorded.append(given))
    monkeypatch.setattr(executing.stages, "sound_vectors", encoded.append)
    for part in parts:
        record(part)
    assert recorded == [(run, "whisper_frozen", "1/2"), (run, "whisper_frozen", "2/2")] and encoded == [run]


def test_a_page_is_given_the_parameters_that_it_has(project, monkeypatch):
    given = {}
    monkeypatch.setattr(executing, "execute", lambda page, out, parameters, note: given.update({page.stem: parameters}))
    without = "\n".join(line for line in SOURCE.splitlines() if not line.startswith("profile"))
    (project / "notebooks/two.py").write_text(without.replace("model, profile", "model"))
    publish.sync()
    for page in ("one", "two"):
        executing._execute_page(page, "esc10", "recordings")
    assert given == {"one": {"profile": "esc10", "data_dir": "recordings"}, "two": {"data_dir": "recordings"}}


def test_a_page_of_a_profile_is_told_what_differs_from_its_defaults(project, monkeypatch):
    given = {}
    monkeypatch.setattr(
        executing, "execute", lambda page, out, parameters, note: given.update({note["profile"]: parameters})
    )
    monkeypatch.setitem(executing.TOLD, ("esc10", "one"), {"model": "all"})
    for profile in ("esc10", "mini"):
        executing._execute_page("one", profile, "")
    assert given == {"esc10": {"profile": "esc10", "model": "all"}, "mini": {"profile": "mini"}}


def test_what_pages_are_told_they_have_as_a_parameter():
    for profile, page in executing.TOLD:
        assert (profile, page) in committed.in_book()
        text = (paths.root() / f"notebooks/{page}.py").read_text(encoding="utf-8")
        assert all(f"\n{name}: " in text for name in executing.TOLD[profile, page])


def test_a_freshly_executed_page_is_staged_in_place_of_the_committed_one(published):
    (published / "book/publish.py").write_text("")
    staged = publish.stage("mini")
    fresh = published / "_build/pages/mini/one.ipynb"
    assert (staged / "pages/mini/one.ipynb").read_bytes() == fresh.read_bytes()
    assert not list(staged.rglob("*.py"))


def test_a_page_that_shows_a_folder_of_this_machine_is_not_published(project):
    shown = project / "_build/one.ipynb"
    committed.write(json.dumps({"cells": [], "shown": f"{project}/cache"}), shown)
    with pytest.raises(InputError, match="must not print it"):
        publish.publish([shown], "mini", {})
    assert not (project / "book/pages").exists()


def test_a_book_with_an_unexecuted_page_is_not_staged(project):
    with pytest.raises(InputError, match="Page one of profile mini was never executed"):
        publish.stage("mini")


# what decides a page


@pytest.mark.parametrize(
    "changed, text",
    [
        ("notebooks/one.py", SOURCE.replace("print(model", "print(2, model")),
        ("notebooks/one.py", SOURCE.replace('"ast"', '"all"')),
        ("notebooks/one.py", SOURCE.replace(', "hide-input"', "")),
        ("andlib/stage.py", STAGE.replace("deep(),", "deep(), 2,")),
        ("andlib/rooms/deep.py", "def deep():\n    return 2\n"),
        ("andlib/rooms/__init__.py", "x = 2\n"),
        ("andlib/words.toml", "x = 2\n"),
        ("andlib/mini/weights/mini/ast/model.safetensors", "2"),
        ("constraints.txt", "numpy==3\n"),
        ("results/mini/kept.json", "[]"),
        ("results/mini/by_hand.csv", "points\n"),
    ],
)
def test_what_decides_a_page_is_known_by_its_path(project, changed, text):
    before = committed.made_from("one", "mini")
    (project / changed).write_text(text)
    assert {path for path, _ in before.items() ^ committed.made_from("one", "mini").items()} == {changed}


@pytest.mark.parametrize(
    "changed, text",
    [
        ("andlib/stage.py", STAGE.replace("A module", "One").replace("# what it does", "").replace("gives", "is")),
        ("andlib/stage.py", STAGE.replace("def", "\n\ndef").replace('"kept"', "'kept'")),
        ("andlib/other.py", "def other():\n    return 2\n"),
        ("andlib/__init__.py", PUBLIC + "from andlib.new import new\n"),
        ("andlib/new.py", "new = 2\n"),
        ("andlib/odd.toml", "x = 2\n"),
        ("andlib/mini/weights/esc50/ast/model.safetensors", "2"),
        ("book/publish.py", ""),
        ("README.md", ""),
        ("results/mini/unread.json", "[]"),
        ("results/mini/one.json", "{}"),
        ("results/mini/one/kept.csv", "x\n"),
        ("results/esc10.csv", "x\n"),
    ],
)
def test_what_does_not_decide_a_page_leaves_it_fresh(project, changed, text):
    before = committed.made_from("one", "mini")
    committed.write(text, project / changed)
    assert committed.made_from("one", "mini") == before
    assert committed.made_from("one", "esc10") != before


def test_what_a_public_name_stands_for_decides_the_pages_that_use_it(project):
    (project / "andlib/__init__.py").write_text("from andlib.rooms.deep import neurons\n")
    reached = [path for path in committed.made_from("one", "mini") if path.startswith("andlib/")]
    assert reached == ["andlib/rooms/deep.py", "andlib/rooms/__init__.py"]


def test_every_page_reaches_what_runs_and_what_it_imports():
    """On the real pages, beside the small project: the run, the page's own module, and that in no time."""
    for page in committed.names():
        reached = committed.made_from(page, "mini")
        own = f"andlib/pages/{executing.module_of(page)}.py"
        assert "andlib/run.py" in reached, page
        assert own in reached or not (paths.root() / own).exists(), page
        assert not {path for path in reached if path.startswith(("making/", "book/", "tests/"))}, page


def test_the_pages_that_are_made_last_are_made_from_every_profiles_results_that_they_name(project):
    named = '# %%\nnamed = "one", "rows", "answers"\n'
    (project / "notebooks/claims.py").write_text(SOURCE + named)
    pages = ("mini/one.json", "mini/claims.json", "esc10/one.json", "mini/two.json")
    frames = ("mini/one/rows.csv", "esc10/one/rows.csv", "mini/one/others.csv", "mini/claims/rows.csv")
    for name in (*pages, *frames, "esc10/answers.json"):
        committed.write("{}", project / "results" / name)
    read = {path for path in committed.made_from("claims", "mini") if path.startswith("results")}
    wanted = ("mini/one.json", "esc10/one.json", "esc10/answers.json", "mini/kept.json", *frames[:2])
    assert read == {f"results/{name}" for name in wanted}


# frames


def test_a_frame_that_a_page_no_longer_keeps_goes_with_its_next_publication(published):
    assert (published / "results/mini/one/rows.csv").read_text() == "model,share\nast,0.30000000000000004\n"
    publish.publish([published / "_build/pages/mini/one.ipynb"], "mini", {"one": {"others": ROWS}})
    assert keeping.frame_names("mini", "one") == ["others"] and committed.check() == []
    publish.publish([published / "_build/pages/mini/one.ipynb"], "mini", {})
    assert keeping.frame_names("mini", "one") == [] and committed.check() == []


def test_a_pages_frames_are_those_of_the_run_that_its_defaults_ask_for(project, monkeypatch):
    module = types.ModuleType("andlib.pages.section_4_1")
    module.frames = lambda run: {"asked": pd.DataFrame({"model": run.models, "profile": run.profile.name, "k": run.k})}
    monkeypatch.setattr(executing.importlib.util, "find_spec", lambda name: name == module.__name__)
    monkeypatch.setattr(executing.importlib, "import_module", {module.__name__: module}.get)
    parameters = SOURCE.replace('data_dir: str = ""', 'k: int = 7\nturns: float = 0.5\ndata_dir: str = ""')
    (project / "notebooks/4_1_last_layer.py").write_text(parameters)
    publish.sync()
    asked = executing.frames_of("4_1_last_layer", "esc10", "recordings")["asked"]
    assert asked.to_dict("records") == [{"model": "ast", "profile": "esc10", "k": 7}]
    assert executing.frames_of("one", "mini") == {}


def test_every_page_has_the_module_of_its_section():
    made = {"section_3_2": "3_summaries", "section_3": "3_pipeline", "appendix_c": "appendix_c_acoustics"}
    assert {module: executing.module_of(page) for module, page in made.items()} == {name: name for name in made}
    assert (
        executing.module_of("4_1_last_layer") == "section_4_1" and executing.module_of("2_probing_set") == "section_2"
    )
    assert executing.module_of("claims") == "claims"


# check


def test_a_published_page_and_its_numbers_pass(published):
    assert json.loads((published / "results/mini/one.json").read_text()) == {"top1": 0.93, "best": "cos"}
    assert committed.check() == []


@pytest.mark.parametrize(
    "file, before, after, says",
    [
        ("book/pages/mini/one.ipynb", "ast mini", "ast 0.94", "^book/pages/mini/one.ipynb was changed by hand"),
        ("book/pages/mini/one.ipynb", '"0.93"', '"0.94"', "^book/pages/mini/one.ipynb was changed by hand"),
        (
            "results/mini/one.json",
            "0.93",
            "0.94",
            "^results/mini/one.json does not hold what book/pages/mini/one.ipynb",
        ),
        ("results/mini/one/rows.csv", "0.3", "0.4", "^results/mini/one/rows.csv is not the frame that was published"),
        ("results/mini/by_hand.csv", "3", "4", "one.ipynb is out of date, for results/mini/by_hand.csv changed"),
        ("results/mini/kept.json", "{", "{  ", "one.ipynb is out of date, for results/mini/kept.json changed"),
        ("andlib/rooms/deep.py", "1", "2", "one.ipynb is out of date, for andlib/rooms/deep.py changed"),
    ],
)
def test_a_number_changed_by_hand_is_found_and_its_file_named(published, file, before, after, says):
    text = (published / file).read_text()
    assert before in text
    (published / file).write_text(text.replace(before, after))
    assert re.search(says, committed.check()[0])


def test_missing_numbers_are_named_and_of_many_changes_the_results_first(published):
    (published / "results/mini/one.json").unlink()
    assert committed.check()[0].startswith("results/mini/one.json does not hold what")
    (published / "results/mini/one/rows.csv").unlink()
    assert committed.check()[1].startswith("results/mini/one/rows.csv is not the frame that was published")
    for name in ("andlib/stage.py", "andlib/rooms/deep.py", "andlib/words.toml"):
        (published / name).write_text((published / name).read_text().replace("1", "2").replace("Path(", "str("))
    (published / "results/mini/kept.json").unlink()
    assert "results/mini/kept.json, andlib/words.toml, andlib/stage.py and 1 more changed" in committed.check()[2]


def test_a_signature_covers_all_but_itself(published):
    text = (published / "book/pages/mini/one.ipynb").read_text()
    assert committed.signed(text) == text
    assert committed.signed(text.replace("ast mini", "ast esc10")) != text.replace("ast mini", "ast esc10")


def test_check_names_a_missing_and_a_stray_page(published):
    page = published / "book/pages/mini/one.ipynb"
    page.rename(page.with_name("two.ipynb"))
    assert committed.check() == [
        "book/pages/mini/one.ipynb is missing: run make results PROFILE=mini.",
        "book/pages/mini/two.ipynb is not in book/_toc.yml.",
    ]


def test_check_does_not_pass_on_a_book_without_pages(project):
    (project / "book/_toc.yml").write_text("root: index\nparts: [{chapters: [{file: how}]}]\n")
    assert committed.check() == ["book/_toc.yml lists no executed page."]


def test_the_committed_pages_are_fresh():
    assert committed.check() == []


# command line


def test_a_failing_page_gives_its_sentence_and_a_status(project, capfd):
    (project / "book/_toc.yml").write_text("root: index\nparts: [{chapters: [{file: pages/mini/one}]}]\n")
    assert publish.main(["stage"]) == 1
    assert "never executed" in capfd.readouterr().err
    assert publish.main(["check"]) == 1
