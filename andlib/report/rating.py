"""The page on which people rate descriptions of neurons (Section 4.2), as one HTML file."""

import json
from pathlib import Path

import pandas as pd

from andlib import paths
from andlib.pages.section_4_2 import questionnaire
from andlib.report.sounds import heard, player
from andlib.run import Run
from andlib.store import write_atomically


def rating_page(run: Run, neurons: pd.DataFrame, path: str | Path) -> Path:
    """Writes one HTML file on which people hear each neuron's highest clips, write what they share, and then rate its
    descriptions from 1 to 5, in random order and without their methods' names; returns its path. It needs no other file
    and no connection, and saves a CSV that `section_4_2.score_ratings` reads. neurons: rows of
    `section_4_2.sampled_neurons`."""
    asked, path = questionnaire(run, neurons), Path(path)
    clips = sorted({i for row in asked["neurons"] for i in row["clips"]})
    for row in asked["neurons"]:
        row["clips"] = [clips.index(i) for i in row["clips"]]  # each clip is in the file once
    sounds = (heard(run.probing_set, run.probing_set.clips[i], run.profile.seconds) for i in clips)
    html = (paths.PACKAGE / "rating_page.html").read_text(encoding="utf-8")
    html = html.replace("{{players}}", "".join(player(sound, "clip") for sound in sounds))
    # last, so that no placeholder is sought in text of models; < could end the script that holds it
    html = html.replace("{{data}}", json.dumps(asked, ensure_ascii=False).replace("<", "\\u003c"))
    write_atomically(path, lambda temporary: temporary.write_text(html, encoding="utf-8"))
    return path
