"""Sounds as a page shows them: player and spectrogram, with the place where a unit fires."""

import base64
import io
import os
from collections.abc import Iterable
from html import escape

import numpy as np

from andlib.firing import Firing
from andlib.frontend import mel
from andlib.records import Clip, ProbingSet
from andlib.report.look import OURS

Ends = tuple[float, float]  # lowest and highest value
PLAYER_RATE = 16_000  # Hz, of all sounds below
# set when pages with recordings of others are made for publication: a picture stands for the player
WITHHOLD_AUDIO = "ANDLIB_WITHHOLD_AUDIO"


def heard(probing_set: ProbingSet, clip: Clip, seconds: float) -> np.ndarray:
    """What is played of a clip: its beginning, as long as networks are given."""
    return probing_set.read(clip, PLAYER_RATE)[: round(seconds * PLAYER_RATE)]


def mp3(samples: np.ndarray) -> bytes:
    """The encoded sound, a tenth as large as a WAV."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, PLAYER_RATE, format="MP3")
    return buffer.getvalue()


def player(samples: np.ndarray, label: str) -> str:
    """An audio element with the sound inside it, so that a page needs no other file."""
    data = base64.b64encode(mp3(samples)).decode()
    return f'<audio controls preload="none" aria-label="{escape(label)}" src="data:audio/mpeg;base64,{data}"></audio>'


def spectrogram_image(samples: np.ndarray) -> bytes:
    """A clip's log-mel spectrogram as a JPEG of 200 x 80 points, time to the right and frequency upwards. Frequencies
    run from 0 to half the sampling rate on the mel scale; the colour range is the clip's loudest 80 dB."""
    import matplotlib
    from PIL import Image
    from scipy.signal import stft

    window = round(0.025 * PLAYER_RATE)
    frequencies, _, spectrum = stft(samples, PLAYER_RATE, nperseg=window, noverlap=window - round(0.010 * PLAYER_RATE))
    bands = mel(frequencies)
    grid = np.linspace(0, bands[-1], 80)
    level = 20 * np.log10(np.maximum(np.abs(spectrum), 1e-10))
    rows = np.stack([np.interp(grid, bands, column) for column in level.T], 1)[::-1]
    loudest = max(rows.max(), -100.0)  # silence stays dark
    pixels = matplotlib.colormaps["magma"](np.clip((rows - loudest) / 80 + 1, 0, 1), bytes=True)[..., :3]
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((200, 80), Image.Resampling.BOX).save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def sound_figure(
    samples: np.ndarray, name: str, title: str, text: str, fired: Firing | None = None, scale: Ends = (0.0, 1.0)
) -> str:
    """One sound: spectrogram with where a unit fires, its course on a scale, player, and title and text of HTML."""
    length = len(samples) / PLAYER_RATE
    alt, place, frame, course, button = f"Spectrogram of {escape(name)}, {length:.1f} s, 0 to 8 kHz", "", "", "", ""
    if fired:
        (start, end), (low, high) = fired.interval, fired.band
        alt += f"; the unit fires from {start:.2f} to {end:.2f} s, {low:.0f} to {high:.0f} Hz"
        place = f"<br><small>fires {start:.2f}–{end:.2f} s, {low / 1000:.1f}–{high / 1000:.1f} kHz</small>"
        frame, course = _frame(fired, length), _course(fired, length, scale)
        play = f"let a=this.previousElementSibling;a.currentTime={start:.3f};a.play();clearTimeout(a.t);"
        stop = f"a.t=setTimeout(function(){{a.pause()}},{1000 * (end - start):.0f})"
        button = f'<button type="button" onclick="{play}{stop}">Play where it fires</button>'
    sound = "" if os.environ.get(WITHHOLD_AUDIO) else player(samples, f"clip {name}") + button
    picture = base64.b64encode(spectrogram_image(samples)).decode()
    image = f'<img alt="{alt}" src="data:image/jpeg;base64,{picture}">'
    caption = f"<figcaption>{title}{place}{text}</figcaption>"
    return f'<figure class="clip"><div class="sound">{image}{frame}</div>{course}{sound}{caption}</figure>'


def common_scale(places: Iterable[Firing]) -> Ends:
    """Lowest and highest value of all courses, so that they can be compared."""
    courses = [fired.map.max(1) for fired in places] or [np.array([0.0, 1.0])]
    return min(map(np.min, courses)), max(map(np.max, courses))


def _frame(fired: Firing, length: float) -> str:
    """A rectangle over the spectrogram, around time and band."""
    start, end = fired.interval
    low, high = np.clip(100 * mel(fired.band) / mel(PLAYER_RATE / 2), 0, 100)
    box = f'x="{100 * start / length:.1f}" y="{100 - high:.1f}" width="{100 * (end - start) / length:.1f}"'
    look = 'fill="none" stroke="#fff" stroke-width="2" vector-effect="non-scaling-stroke"'
    rectangle = f'<rect {box} height="{high - low:.1f}" {look}/>'
    return f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{rectangle}</svg>'


def _course(fired: Firing, length: float, scale: Ends) -> str:
    """The highest value over bands, moment by moment, as a filled curve."""
    low, high = scale
    heights = 20 * (fired.map.max(1) - low) / ((high - low) or 1)
    times = np.clip(100 * fired.seconds / length, 0, 100)
    steps = "".join(f"L{a:.1f} {20 - h:.1f}H{b:.1f}" for a, b, h in zip(times, times[1:], heights, strict=False))
    path = f'<path d="M{times[0]:.1f} 20{steps}V20Z" fill="{OURS}"/>'
    return f'<svg class="course" viewBox="0 0 100 20" preserveAspectRatio="none" aria-hidden="true">{path}</svg>'
