"""Sounds on a page: a player that can be withheld, and a picture of any sound."""

import numpy as np

from andlib.report import sounds

TONE = 0.3 * np.sin(np.arange(16_000) / 5).astype(np.float32)


def test_players_can_be_withheld(monkeypatch):
    assert "<audio" in sounds.sound_figure(TONE, "name", "title", "text")
    monkeypatch.setenv(sounds.WITHHOLD_AUDIO, "1")
    html = sounds.sound_figure(TONE, "name", "title", "text")
    assert "<audio" not in html and "<img" in html


def test_a_player_holds_its_sound_and_an_escaped_name():
    player = sounds.player(TONE, 'a "tone"')
    assert 'aria-label="a &quot;tone&quot;"' in player and 'src="data:audio/mpeg;base64,' in player
    assert 2_000 < len(sounds.mp3(TONE)) < 2 * len(TONE) / 4


def test_a_silent_clip_has_a_spectrogram():
    assert sounds.spectrogram_image(np.zeros(8000, np.float32)).startswith(b"\xff\xd8")
