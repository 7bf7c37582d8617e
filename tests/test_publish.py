"""Making the book: executing, normalising, staging and checking pages."""

import json
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

import committed
import publish
from andlib import paths
from andlib.errors import InputError

SOURCE = """# %% [markdown]
# # A page
# %% tags=["parameters", "hide-input"]
model: str = "ast"  # target network
profile: str = "mini"  # what is probed
data_dir: str = ""  # folder with the recordings
# %%
print(model, profile, data_dir)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project in a folder with a space: one page, one module, one pin."""
    root = tmp_path / "a b"
    for folder in ("notebooks", "andlib", "book", "results/mini"):
        (root / folder).mkdir(parents=True)
    (root / "notebooks/one.py").write_text(SOURCE)
    (root / "andlib/stage.py").write_text("x = 1\n")
    (root / "constraints.txt").write_text("numpy==2\n")
    (root / "_toc.yml").write_text("root: index\nparts: [{chapters: [{file: how}, {file: pages/mini/one}]}]\n")
    monkeypatch.setattr(paths, "root", lambda: root)
    publish.sync()
    return root


def notebook(*outputs, source="1"):
    return new_notebook(cells=[new_markdown_cell("words"), new_code_cell(source, outputs=list(outputs))])


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


def test_cell_ids_follow_from_position_and_source():
    first, again, other = (committed.normalise(notebook(source=s)).cells[1].id for s in ("1", "1", "2"))
    assert first == again != other


def test_printed_pieces_are_joined_across_dropped_stderr():
    pieces = [new_output("stream", name=n, text=t) for n, t in [("stdout", "a"), ("stderr", "bar"), ("stdout", "b")]]
    assert [(o.name, o.text) for o in outputs(*pieces)] == [("stdout", "ab")]


def test_progress_widgets_are_dropped():
    assert outputs(new_output("display_data", {committed.WIDGET: {"model_id": "x"}, "text/plain": "bar"})) == []


def test_plain_text_goes_beside_html_or_an_image_and_stays_alone():
    picture = new_output("display_data", {"image/png": "aGk=", "text/plain": "<Figure>"})
    alone = new_output("execute_result", {"text/plain": "<f at 0x7f00aa>"})
    kept = outputs(html("<b>"), picture, alone)
    assert [set(output.data) for output in kept] == [{"text/html"}, {"image/png"}, {"text/plain"}]
    assert kept[2].data["text/plain"] == "<f>"


def test_glued_values_stay():
    glue = new_output(
        "display_data", {"application/papermill.record/text/plain": "0.93"}, metadata={"scrapbook": {"name": "top1"}}
    )
    assert outputs(glue)[0] == glue


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
    first = publish.execute(source, out, {"model": "all"}).read_bytes()
    assert b"all mini" in first
    assert publish.execute(source, out, {"model": "all"}).read_bytes() == first


def test_execute_of_a_failing_page_says_why_and_leaves_what_lay_there(project):
    (project / "notebooks/one.py").write_text(SOURCE + '# %%\nraise ValueError("no clip in fold 7")\n')
    publish.sync()
    out = project / "out.ipynb"
    out.write_text("older")
    with pytest.raises(InputError, match=r"Page one stopped in code cell 3\. ValueError: no clip in fold 7"):
        publish.execute(project / "notebooks/one.ipynb", out, {})
    assert out.read_text() == "older"
    assert [path.name for path in project.glob("*out*")] == ["out.ipynb"]


def test_a_misspelt_parameter_is_refused_with_the_likely_one(project):
    with pytest.raises(InputError, match=r"no parameter 'modle'\. Did you mean 'model'\?"):
        publish.execute(project / "notebooks/one.ipynb", project / "out.ipynb", {"modle": "ast"})
    assert not (project / "out.ipynb").exists()


def test_the_folder_of_the_recordings_is_not_shown(project):
    recordings = project / "recordings"
    out = publish.execute(
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


def test_an_unknown_page_is_refused_with_the_likely_one(project):
    with pytest.raises(InputError, match="Did you mean 'one'"):
        publish.execute_pages(["onee"], "mini")


def test_results_are_published_and_staged(project):
    (project / "notebooks/one.py").write_text(
        SOURCE + '# %%\nfrom myst_nb import glue\nglue("top1", 0.93)\nglue("best", "cos", display=False)\n'
    )
    publish.sync()
    note = {"profile": "mini", "freshness": committed.freshness("one", "mini")}
    done = publish.execute(project / "notebooks/one.ipynb", project / "_build/pages/mini/one.ipynb", {}, note)
    publish.publish([done], "mini")
    assert json.loads((project / "results/mini/one.json").read_text()) == {"top1": 0.93, "best": "cos"}
    assert committed.check() == []
    (project / "book/publish.py").write_text("")
    staged = publish.stage("mini")
    assert (staged / "pages/mini/one.ipynb").read_bytes() == done.read_bytes()
    assert not list(staged.rglob("*.py"))


def test_a_page_that_shows_a_folder_of_this_machine_is_not_published(project):
    shown = project / "_build/one.ipynb"
    committed.write(json.dumps({"cells": [], "shown": f"{project}/cache"}), shown)
    with pytest.raises(InputError, match="must not print it"):
        publish.publish([shown], "mini")
    assert not (project / "book/pages").exists()


def test_a_book_with_an_unexecuted_page_is_not_staged(project):
    with pytest.raises(InputError, match="Page one of profile mini was never executed"):
        publish.stage("mini")


# freshness


@pytest.mark.parametrize(
    "changed, text",
    [
        ("notebooks/one.py", SOURCE.replace("print(model", "print(2, model")),
        ("notebooks/one.py", SOURCE.replace('"ast"', '"all"')),
        ("notebooks/one.py", SOURCE.replace(', "hide-input"', "")),
        ("andlib/stage.py", "x = 2\n"),
        ("andlib/new.toml", "x = 2\n"),
        ("constraints.txt", "numpy==3\n"),
        ("results/mini/answers.json", "{}"),
    ],
)
def test_what_decides_a_page_changes_its_freshness(project, changed, text):
    before = committed.freshness("one", "mini")
    (project / changed).write_text(text)
    assert committed.freshness("one", "mini") != before


@pytest.mark.parametrize("unrelated", ["book/publish.py", "results/mini/one.json", "README.md", "results/esc10.csv"])
def test_what_does_not_decide_a_page_leaves_it_fresh(project, unrelated):
    before = committed.freshness("one", "mini")
    (project / unrelated).write_text("changed")
    assert committed.freshness("one", "mini") == before
    assert committed.freshness("one", "esc10") != before


def test_check_names_a_missing_a_stale_and_a_stray_page(project):
    assert re.search(r"mini/one\.ipynb is missing", committed.check()[0])
    stale = json.dumps({"cells": [], "metadata": {"andlib": {"freshness": committed.freshness("one", "mini")}}})
    committed.write(stale, project / "book/pages/mini/one.ipynb")
    assert committed.check() == []
    (project / "andlib/stage.py").write_text("x = 2\n")
    committed.write(stale, project / "book/pages/mini/two.ipynb")
    assert [re.search(r"out of date|not in _toc", problem)[0] for problem in committed.check()] == [
        "out of date",
        "not in _toc",
    ]


def test_check_does_not_pass_on_a_book_without_pages(project):
    (project / "_toc.yml").write_text("root: index\nparts: [{chapters: [{file: how}]}]\n")
    assert committed.check() == ["_toc.yml lists no executed page."]


def test_the_committed_pages_are_fresh():
    assert committed.check() == []


# command line


def test_a_failing_page_gives_its_sentence_and_a_status(project, capfd):
    (project / "_toc.yml").write_text("root: index\nparts: [{chapters: [{file: pages/mini/one}]}]\n")
    assert publish.main(["stage"]) == 1
    assert "never executed" in capfd.readouterr().err
    assert publish.main(["check"]) == 1
