"""The rating page, in a real browser where there is one."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pytest

from andlib.pages import section_4_2
from andlib.report.cards import rating_page

HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>{{data}}{{players}}"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HEARD = 'a dog, "barking"\nfar away'

# what a rater does: name, text, descriptions, ratings, a wrong one corrected, another neuron; then the page is reloaded
RATER = """<script>
const press = (key, target = document.body, more = {}) =>
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
const enter = (id, words) => { $(id).value = words; $(id).dispatchEvent(new Event("input")); };
(async () => {
  if (!localStorage.getItem("reloaded")) {
    press("4"); // no description is shown yet: nothing to rate
    enter("rater", "A. B.");
    enter("text", HEARD);
    press("3", $("text")); // typed, not rated
    press("Enter", $("text"), { ctrlKey: true });
    press("5"); press("2"); press("ArrowUp"); press("3"); press("ArrowRight");
    localStorage.setItem("reloaded", "yes");
    return location.reload();
  }
  const seconds = await new Promise((done) => {
    players[0].onloadedmetadata = () => done(players[0].duration);
    players[0].preload = "auto";
    players[0].load();
  });
  const shown = [$("rating").hidden, $("title").textContent, $("rater").value];
  press("ArrowLeft"); press(" ");
  const found = { csv: csv(), shown, seconds, playing, readOnly: $("text").readOnly, hacked: window.hacked ?? 0,
    texts: [...document.querySelectorAll(".text")].map((text) => text.textContent), wide: document.body.scrollWidth,
    pressed: document.querySelectorAll("[aria-pressed=true]").length, images: document.images.length };
  document.body.append(element("pre", JSON.stringify(found), { id: "found" }));
})();
</script></body>"""


@pytest.fixture(scope="module")
def neurons(run):
    return section_4_2.sampled_neurons(run, per_block=2)


def browsed(page, script: str, folder) -> dict:
    """What a browser found after it ran `script` at the end of the page."""
    if not CHROMIUM:
        pytest.skip("needs chromium")
    driven = folder / "driven.html"
    driven.write_text(page.read_text(encoding="utf-8").replace("</body>", script), encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += [f"--user-data-dir={folder / 'profile'}", "--autoplay-policy=no-user-gesture-required"]
    flags += ["--virtual-time-budget=8000", "--window-size=500,900", "--dump-dom", driven.as_uri()]
    dom = subprocess.run([CHROMIUM, *flags], capture_output=True, text=True, timeout=120).stdout
    found = re.search(r'<pre id="found">(.*?)</pre>', dom, re.S)
    assert found, f"the script did not end: {dom[:200]!r}"
    return json.loads(unescape(found[1]))


def test_a_rater_with_a_keyboard_rates_neurons_and_finds_them_again(run, neurons, tmp_path):
    hostile = neurons.assign(calibrated=[np.array([HOSTILE, "2. clear"], object), *neurons["calibrated"][1:]])
    page = rating_page(run, hostile, tmp_path / "page.html")
    found = browsed(page, RATER.replace("HEARD", json.dumps(HEARD)), tmp_path)
    assert found["shown"] == [True, "Neuron 2 of 4", "A. B."]  # after the reload
    assert found["hacked"] == 0 and found["images"] == 0 and f"{HOSTILE}\n2. clear" in found["texts"]
    assert found["readOnly"] and found["pressed"] == 2 and found["playing"] == 0 and found["wide"] <= 500
    assert found["seconds"] == pytest.approx(0.5, abs=0.1)
    (tmp_path / "returned").mkdir()
    (tmp_path / "returned/a.csv").write_text(found["csv"], encoding="utf-8", newline="")
    rated = section_4_2.read_ratings(run, hostile, tmp_path / "returned")
    assert sorted(rated["rating"]) == [3, 5] and set(rated["text"]) == {HEARD} and set(rated["rater"]) == {"A. B."}
    assert set(rated["neuron"]) == {neurons["unit"][0]}


def test_a_page_has_each_clip_once_and_the_same_bytes_again(run, neurons, tmp_path):
    page = rating_page(run, neurons, tmp_path / "one.html")
    html = page.read_text(encoding="utf-8")
    assert html.count("<audio") == len({i for clips in neurons["highest"] for i in clips})
    assert not re.search(r'(?:src|href)="(?!data:)', html)  # needs no other file
    clips = run.probing_set.clips
    assert not any(clips[i].name in html for highest in neurons["highest"] for i in highest)  # names tell the class
    assert html == rating_page(run, neurons, tmp_path / "two.html").read_text(encoding="utf-8")


def test_the_order_of_descriptions_tells_no_method(run, tmp_path):
    table = section_4_2.sampled_neurons(run, 20)
    html = rating_page(run, table, tmp_path / "page.html").read_text(encoding="utf-8")
    asked = json.loads(re.search(r'type="application/json">(.*?)</script>', html)[1])["neurons"]
    first = [neuron["descriptions"][0]["method"] for neuron in asked]
    assert {"TAB", "DB", "SUM"} == set(first)
    silent = [unit for unit, points in zip(table["unit"], table["calibrated"], strict=True) if not len(points)]
    for neuron in asked:  # a method without a description is not asked about
        assert len(neuron["descriptions"]) == (2 if neuron["neuron"] in silent else 3)
