"""What can be measured of a clip from its waveform alone.

Only level depends on gain, only duration on silence added at the end; every threshold is a constant with its reason."""

from dataclasses import dataclass

import numpy as np
import soxr
from scipy import fft, signal
from scipy.ndimage import uniform_filter1d

from andlib.errors import InputError

RATE = 16_000  # Hz; one rate for every clip, so that a word means the same for a 44.1 kHz recording
PITCH_WINDOW, FINER = 1024, 4  # samples: four periods of 60 Hz; steps of lag per sample: 3 % at 2 kHz
HOP = 160  # 10 ms: twenty events a second are still apart
SILENT_BELOW = -70.0  # dBFS; under the noise of any 16-bit recording played at a normal volume
SHORTEST = 0.02  # s; a shorter clip has no frame to measure and is heard at most as a tick of the player
TRIM = 1e-3  # of the peak sample: 60 dB below is padding or its coding noise, not content
ACTIVE_RANGE = 25.0  # dB below the loudest frame; what lies lower is masked, or the room's decay
EVENT_DIP = 10.0  # dB between two events: noise in 20-ms frames stays within 3, syllables of one cry within 9
PITCHED_FRAME = 0.7  # periodicity; noise a few hundred Hz wide reaches 0.5 by chance in 64 ms
RIPPLE = 0.3  # rise over the dip before it; a bass with a little treble has smaller summits at treble lags
FUNDAMENTAL = 0.05  # of the power below 2.5 times the pitch: a chord's or a bell's common divisor has none there
PITCHED_SHARE = 0.4  # of the active time: less is a passing note in something else
REGULAR = 0.5  # correlation of the level with itself one period later
FASTEST_SLOW = 25  # frames, a quarter of a second: above 4 Hz a repetition is heard as a beat, not as events
MULTIPLE = 0.7  # a period is preferred to its multiples if it matches at least this well beside the best of them
BEAT_DEPTH = 0.7  # dB, deviation; white noise in 20-ms frames has 0.35

HIGH_PASS = signal.butter(2, 50, "highpass", fs=RATE, output="sos")
EAR_WEIGHT = signal.butter(1, 500, "highpass", fs=RATE, output="sos")  # the ear's own loss of bass, near A-weighting


@dataclass(frozen=True)
class Measurements:
    """Numbers of one clip; frames are active where their level is within 25 dB of the loudest."""

    level: float  # dBFS, root mean square of the active frames; -inf for a silent clip
    pitch: float | None = None  # Hz, median over the periodic frames; None where too few are periodic
    periodicity: float = 0.0  # mean over the active time, 0-1
    centroid: float = 0.0  # Hz, centre of the active frames' power spectrum
    events: int = 0  # rises of the level by at least 10 dB
    rate: float | None = None  # repetitions a second where they are regular
    attack: float | None = None  # s, median rise time of the events that begin within the clip; None if none does
    variation: float = 0.0  # dB, deviation of the active level smoothed over 100 ms
    active_seconds: float = 0.0
    active_share: float = 0.0  # of the whole clip, 0-1
    gaps: float = 0.0  # share of silence between first and last sound, 0-1

    @property
    def span(self) -> float:
        """Time from the first sound to the last, in s."""
        return self.active_seconds / (1 - self.gaps)

    @property
    def silent(self) -> bool:
        """Whether the clip holds nothing to hear."""
        return self.level == -np.inf


def measure(samples: np.ndarray, sample_rate: int) -> Measurements:
    """What is measured of one clip. samples: mono, [samples], full scale at +-1; zeros at the end count as silence.
    sample_rate: Hz. Raises InputError unless the samples are a finite vector and the rate is positive."""
    content = hearable(samples, sample_rate)
    if content is None:
        return Measurements(level=-np.inf)
    audible = signal.sosfilt(EAR_WEIGHT, content)
    level = frame_levels(audible)
    active = level >= level.max() - ACTIVE_RANGE
    floored = np.maximum(level, level.max() - ACTIVE_RANGE)
    periodicity, pitches = frame_pitches(content, active)
    pitches = pitches[(periodicity >= PITCHED_FRAME) & np.isfinite(pitches)]
    walled = np.pad(floored, 1, constant_values=floored.min() - EVENT_DIP)  # a clip may begin or end in an event
    peaks = signal.find_peaks(walled, prominence=EVENT_DIP)[0] - 1  # frames where an event is loudest
    inside = slice(active.argmax(), len(active) - active[::-1].argmax())
    active_seconds = active.sum() * HOP / RATE
    return Measurements(
        level=float(10 * np.log10(np.mean(10 ** (frame_levels(content)[active] / 10)))),
        pitch=float(np.median(pitches)) if len(pitches) >= PITCHED_SHARE * len(periodicity) else None,
        periodicity=float(periodicity.mean()),
        centroid=centroid(audible, active),
        events=len(peaks),
        rate=regular_rate(floored, len(peaks)),
        attack=attack_time(floored, peaks),
        variation=variation(floored[inside]),
        active_seconds=float(active_seconds),
        active_share=float(min(1.0, active_seconds * sample_rate / len(samples))),
        gaps=float(1 - active[inside].mean()),
    )


def hearable(samples: np.ndarray, sample_rate: int) -> np.ndarray | None:
    """The clip at 16 kHz without DC, rumble under 50 Hz and padding at the end, [samples]; None for a silent clip."""
    samples = np.asarray(samples, np.float64)
    if samples.ndim != 1 or sample_rate <= 0:
        given = f"an array of shape {samples.shape} at {sample_rate} Hz"
        remedy = "Mix the channels to one and name the sampling rate in Hz."
        raise InputError(f"The ear needs mono samples and a positive rate, but was given {given}. {remedy}")
    if not np.isfinite(samples).all():
        raise InputError("The clip's samples hold NaN or infinity where finite numbers were expected. Check its file.")
    if len(samples) < SHORTEST * sample_rate:
        return None
    loud_enough = np.flatnonzero(np.abs(samples) > TRIM * np.abs(samples).max())
    end = max(loud_enough.max(initial=0) + 1, round(SHORTEST * sample_rate))
    content = samples[:end] - samples[:end].mean()
    content = soxr.resample(content, sample_rate, RATE) if sample_rate != RATE else content
    content = signal.sosfilt(HIGH_PASS, content)
    return content if frame_levels(content).max() >= SILENT_BELOW else None


def frames(content: np.ndarray, length: int, hop: int = HOP) -> np.ndarray:
    """Overlapping stretches of the clip, centred every `hop` samples; a view, [frames, length]."""
    padded = np.pad(content, length // 2)
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::hop]


def frame_levels(content: np.ndarray) -> np.ndarray:
    """Level of every 20-ms frame, in dBFS; [frames]."""
    return 10 * np.log10(np.mean(frames(content, 2 * HOP) ** 2, axis=1) + 1e-12)


def frame_pitches(content: np.ndarray, active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Periodicity (0-1) and pitch (Hz, NaN for a chord) of every third active 64-ms frame; each [frames].
    Autocorrelation divided by the window's own (Boersma 1993), on a fourfold finer grid of lags. The shortest lag
    within a tenth of the best is taken, since every multiple of a period is a period too."""
    single = (content / np.abs(content).max()).astype(np.float32)  # twice as fast, and as good here
    chosen = frames(single, PITCH_WINDOW)[active][::3]
    window = np.hanning(PITCH_WINDOW).astype(np.float32)
    power = np.abs(fft.rfft((chosen - chosen.mean(1, keepdims=True)) * window, 2 * PITCH_WINDOW)) ** 2
    lags = np.arange(FINER * RATE // 5000, FINER * RATE // 60)
    own = autocorrelation(np.abs(fft.rfft(window, 2 * PITCH_WINDOW)) ** 2)
    correlation = autocorrelation(power)[:, : lags[-1] + 2] / own[: lags[-1] + 2]
    here = correlation[:, lags]
    dip = np.minimum.accumulate(correlation, axis=1)[:, lags]
    summit = (here > correlation[:, lags - 1]) & (here >= correlation[:, lags + 1]) & (here - dip > RIPPLE)
    peak = np.where(summit, here, 0)
    best = peak.max(1)
    pitch = FINER * RATE / lags[(peak >= 0.9 * best[:, None]).argmax(1)]
    hertz = fft.rfftfreq(2 * PITCH_WINDOW, 1 / RATE)
    fundamental = (power * (hertz < 2.5 * pitch[:, None])).sum(1) / np.maximum(power.sum(1), 1e-30)
    return np.clip(best, 0, 1), np.where(fundamental >= FUNDAMENTAL, pitch, np.nan)


def autocorrelation(power: np.ndarray) -> np.ndarray:
    """Autocorrelation at lags of a quarter sample, 1 at lag 0, from power spectra; [..., lags]."""
    correlation = fft.irfft(power, 2 * PITCH_WINDOW * FINER)
    return correlation / np.maximum(correlation[..., :1], 1e-30)


def centroid(content: np.ndarray, active: np.ndarray) -> float:
    """Centre of gravity of the active frames' mean power spectrum, in Hz."""
    power = (np.abs(fft.rfft(frames(content, 512)[active] * np.hanning(512))) ** 2).mean(0)
    return float(power @ fft.rfftfreq(512, 1 / RATE) / max(power.sum(), 1e-30))


def regular_rate(level: np.ndarray, events: int) -> float | None:
    """Repetitions a second where the level repeats itself at least three times, else None: above 4 Hz less its course
    over a quarter of a second, for a rotor's shallow beat counts where the whole swells; below, of distinct events."""
    beat = level - uniform_filter1d(level, FASTEST_SLOW)
    period, strength = best_period(beat, 4, FASTEST_SLOW) if beat.std() >= BEAT_DEPTH else (0, 0.0)
    if events >= 3:
        slow, slow_strength = best_period(level - level.mean(), FASTEST_SLOW, len(level) // 3)
        counted = events * slow / len(level)  # of the events that the period foretells
        if MULTIPLE * slow_strength > strength and 0.4 < counted < 2.5:
            period, strength = slow, slow_strength
    return RATE / HOP / period if strength >= REGULAR else None


def best_period(course: np.ndarray, shortest: int, longest: int) -> tuple[int, float]:
    """The shortest of the best periods of a course, in frames, and its correlation with itself a period later."""
    course = uniform_filter1d(course, 3)  # a period of twelve and a half frames matches itself at neither 12 nor 13
    size = len(course)
    raw = signal.correlate(course, course, method="fft")[size - 1 :]
    correlation = raw / max(raw[0], 1e-30) * size / np.arange(size, 0, -1)
    periods, _ = signal.find_peaks(correlation[: longest + 2])
    periods = periods[periods >= shortest]
    best = correlation[periods].max(initial=0.0)
    if best <= 0:
        return 0, 0.0
    chosen = periods[correlation[periods] >= MULTIPLE * best][0]
    return int(chosen), float(correlation[chosen])


def attack_time(level: np.ndarray, peaks: np.ndarray) -> float | None:
    """Median time from 15 to 3 dB below an event's peak, in s; None if every event is cut off at the start."""
    below = [(peak, np.flatnonzero(level[:peak] < level[peak] - 15)) for peak in peaks]
    rises = [(level[low[-1] :] >= level[peak] - 3).argmax() * HOP / RATE for peak, low in below if len(low)]
    return float(np.median(rises)) if rises else None


def variation(level: np.ndarray) -> float:
    """Deviation of the level smoothed over 100 ms, in dB. level: from the first active frame to the last."""
    width = min(10, len(level))
    return float(np.convolve(level, np.ones(width) / width, "valid").std())
