"""Recipes of sounds: animals, weather, voices, hands and feet; what is handled indoors, machines, and the street.

Every function makes two seconds of the ESC-50 class whose name it bears, from two generators (see `physics.Sound`).
Where one iterator is made of another, events take their random numbers in turn: a list would give other sounds."""

import numpy as np

from andlib.mini.physics import (  # isort: skip
    SECONDS, Sound, band, bout, fading, formants, glide, log_uniform, modes, noise, patter, place, regular,
    scattered, swell, times, unit_power, voice, wander,
)  # fmt: skip


def dog(source, take):
    pitch, length, hoarse = log_uniform(source, 250, 900), source.uniform(0.1, 0.25), source.uniform(0.2, 0.7)
    throat = source.uniform([500, 1300, 2500], [900, 2000, 3500])
    onsets = bout(take, take.integers(1, 5), source.uniform(0.28, 0.5), length)
    tracks = (glide(length, *pitch * take.uniform(0.95, 1.05) * np.array([0.65, 1.1, 1, 0.5])) for _ in onsets)
    tones = (formants(voice(track, 5) + hoarse * noise(take, length, 3), throat, 0.3) for track in tracks)
    barks = [tone * swell(length, 0.012, 0.6 * length) * take.uniform(0.6, 1) for tone in tones]
    return Sound(place(barks, onsets), pitch, onsets)


def rooster(source, take):
    pitch, pace, rasp = log_uniform(source, 450, 950), source.uniform(0.85, 1.1), source.uniform(0.05, 0.3)
    throat = source.uniform([900, 2000], [1400, 3200])
    starts, lengths = np.array([0, 0.2, 0.37, 0.62]) * pace, np.array([0.15, 0.12, 0.2, 0.85]) * pace
    contours = [(0.7, 0.85), (0.85, 0.95), (0.9, 1.25), (1.0, 1.35, 1.3, 1.2, 0.65)]
    onsets = starts + take.uniform(0, SECONDS - 1.5 * pace)
    cries = []
    for length, contour in zip(lengths, contours, strict=True):
        tone = voice(glide(length, *pitch * np.array(contour)), 4) + rasp * noise(take, length, 2)
        cries.append(formants(tone, throat, 0.35) * swell(length, 0.03, 0.25 * length))
    return Sound(place(cries, onsets), pitch, onsets)


def frog(source, take):
    pulses, tone, length = log_uniform(source, 25, 70), log_uniform(source, 450, 1800), source.uniform(0.18, 0.5)
    onsets = bout(take, take.integers(2, 5), length * source.uniform(1.3, 1.8), length)
    grain = modes(0.05, [tone, 2.1 * tone, 3.2 * tone], [0.012, 0.007, 0.004], [1, 0.6, 0.3])
    beats = [start + np.cumsum(1 / (pulses * glide(length, 0.8, 1.1, 1)[:: 16_000 // 50])) for start in onsets]
    croaks = np.concatenate([b[b < min(start + length, SECONDS)] for b, start in zip(beats, onsets, strict=True)])
    return Sound(patter(croaks, take.uniform(0.6, 1, len(croaks)), grain), tone, onsets)


def cat(source, take):
    pitch, length = log_uniform(source, 380, 800), source.uniform(0.6, 1.1)
    closed, wide = source.uniform([500, 1800], [700, 2600]), source.uniform([1000, 2600], [1400, 3400])
    onsets = bout(take, 1 if length > 0.8 else take.integers(1, 3), 0.95, length)
    track = glide(length, *pitch * np.array([0.75, 1.1, 1.12, 1.0, 0.7]))
    opening = swell(length, 0.35 * length, 0.5 * length)
    tones = [voice(track, 4) + 0.08 * noise(take, length) for _ in onsets]
    mouths = [formants(tone, closed, 0.2) * (1 - opening) * 0.6 + formants(tone, wide, 0.2) * opening for tone in tones]
    return Sound(place([mouth * swell(length, 0.12, 0.3 * length) for mouth in mouths], onsets), pitch, onsets)


def insects(source, take):
    pitch, softness = log_uniform(source, 120, 330), source.uniform(4, 10)
    track = pitch * wander(take, 5, 0.12)
    near = wander(take, 3, 0.9)
    return Sound(formants(voice(track, softness), [pitch * 3, pitch * 9], 0.6) * near, pitch)


def crickets(source, take):
    pitch, pulses, count = log_uniform(source, 2600, 6000), source.uniform(22, 45), source.integers(2, 6)
    rate, length = source.uniform(1.5, 4), 0.7 / pulses
    onsets = regular(take, min(rate, 0.75 * pulses / count), 0.03)
    strokes = (onsets[:, None] + np.arange(count) / pulses).ravel()
    t = times(length)
    stroke = np.sin(2 * np.pi * pitch * (t - 0.6 * t**2)) * swell(length, 0.4 * length, 0.5 * length)
    gains = np.tile(np.linspace(0.6, 1, count), len(onsets))
    return Sound(patter(strokes[strokes < SECONDS], gains[strokes < SECONDS], stroke), pitch, onsets)


def chirping_birds(source, take):
    pitch, length = log_uniform(source, 2000, 4500), source.uniform(0.06, 0.16)
    figures = source.uniform(0.7, 1.5, (source.integers(2, 4), 4))
    onsets = bout(take, take.integers(4, 11), length * source.uniform(1.3, 2), length, 0.3)
    chosen = (figures[take.integers(len(figures))] for _ in onsets)
    chirps = [voice(glide(length, *pitch * figure), 30) * swell(length, 0.01, 0.03) for figure in chosen]
    return Sound(place(chirps, onsets), pitch, onsets)


def rain(source, take):
    density, slope, drop = log_uniform(source, 60, 1500), source.uniform(-1, 4), log_uniform(source, 1500, 5000)
    onsets = scattered(take, density)
    drops = patter(onsets, take.gamma(0.6, 1, len(onsets)), modes(0.01, [drop, 1.7 * drop], 0.0015))
    return Sound(unit_power(drops) + source.uniform(0.4, 1.2) * noise(take, SECONDS, slope))


def sea_waves(source, take):
    period, slope = source.uniform(1.1, 2.4), source.uniform(2, 5)
    crests = np.arange(take.uniform(-1, 0) * period, SECONDS + period, period)
    t = times(SECONDS)[:, None] - crests
    swash = np.where(t < 0, np.exp(t / (0.16 * period)), np.exp(-t / (0.3 * period))).sum(1)
    spray = np.where(t < 0, np.exp(t / (0.08 * period)), np.exp(-t / (0.2 * period))).sum(1)
    hiss = band(noise(take, SECONDS), 1500, 7000) * spray**1.5
    onsets = crests[(crests >= 0) & (crests < SECONDS)]
    return Sound(noise(take, SECONDS, slope) * (0.08 + swash) + source.uniform(0.2, 0.6) * hiss, onsets=onsets)


def crackling_fire(source, take):
    onsets = scattered(take, log_uniform(source, 12, 60))
    snaps = []
    for _ in onsets:
        take.uniform()  # of no use, but with a draw less every sample after it were another
        length = log_uniform(take, 0.002, 0.012)
        snaps.append(noise(take, 0.04) * fading(0.04, length) * take.pareto(1.3))
    roar = noise(take, SECONDS, 5) * wander(take, 8, 0.3)
    return Sound(unit_power(np.tanh(place(snaps, onsets))) + source.uniform(0.1, 0.5) * roar, onsets=onsets)


def water_drops(source, take):
    pitch, rate, rise = log_uniform(source, 500, 2200), source.uniform(1.5, 6), source.uniform(1.2, 2.2)
    onsets = regular(take, rate, source.uniform(0.03, 0.3))
    bubbles, rises = (pitch * log_uniform(take, 0.85, 1.2) for _ in onsets), np.array([1, rise, rise**1.3])
    plinks = (voice(glide(0.18, *bubble * rises), 40) * fading(0.18, 0.035) for bubble in bubbles)
    drops = [(plink + modes(0.18, [5500], 0.001, 0.6)) * take.uniform(0.5, 1) for plink in plinks]
    return Sound(place(drops, onsets), pitch, onsets)


def wind(source, take):
    howl, slope = log_uniform(source, 250, 1000), source.uniform(4, 8)
    gust = wander(take, 1.5, 0.5)
    centre = howl * wander(take, 2, 0.25)
    whistle = band(noise(take, SECONDS), 5, 40)
    carrier = np.cos(2 * np.pi * np.cumsum(centre) / 16_000)
    return Sound((noise(take, SECONDS, slope) + source.uniform(0.3, 1) * unit_power(whistle * carrier)) * gust)


def thunderstorm(source, take):
    near, last = source.uniform(0.1, 1), source.uniform(0.5, 1.1)
    onset = take.uniform(0.05, 0.7)
    length = SECONDS - onset
    rumble = noise(take, length, 7) * swell(length, 0.05, 0.2) * np.exp(-times(length) / last)
    rumble = rumble * wander(take, 9, 0.5)[: len(rumble)]
    crack = noise(take, length, 1.5) * fading(length, 0.05 + 0.1 * near) * near * 0.7
    shower = source.uniform(0, 0.06) * noise(take, SECONDS)
    return Sound(place([rumble + crack], [onset]) + shower, onsets=np.array([onset]))


def crying_baby(source, take):
    pitch, length, strain = log_uniform(source, 350, 650), source.uniform(0.45, 0.75), source.uniform(0.05, 0.4)
    throat = source.uniform([900, 2600], [1300, 3800])
    onsets = bout(take, 3, length + source.uniform(0.15, 0.3), length)
    course = glide(length, *pitch * np.array([0.8, 1.15, 1.1, 1.05, 0.75]))
    tracks = [course * (1 + 0.03 * np.sin(2 * np.pi * take.uniform(5, 9) * times(length))) for _ in onsets]
    tones = [voice(track, 3) * (1 - strain * (np.sin(np.pi * np.cumsum(track) / 16_000) > 0)) for track in tracks]
    cries = [formants(tone, throat, 0.2) * swell(length, 0.06, 0.15) for tone in tones]
    return Sound(place(cries, onsets), pitch, onsets)


def clapping(source, take):
    hands, rate = source.uniform([700, 1400], [1300, 2600]), source.uniform(2.2, 4.5)
    people = source.integers(1, 4)
    onsets = np.sort(np.concatenate([regular(take, rate * take.uniform(0.97, 1.03), 0.04) for _ in range(people)]))
    slaps = (formants(noise(take, 0.15), hands * take.uniform(0.9, 1.1), 0.5) for _ in onsets)
    claps = [slap * fading(0.15, 0.014) * take.uniform(0.5, 1) for slap in slaps]
    return Sound(place(claps, onsets), onsets=onsets)


def footsteps(source, take):
    rate, floor, hard = source.uniform(1.4, 2.6), log_uniform(source, 70, 200), source.uniform(0.1, 0.6)
    roll = source.uniform(0.06, 0.12)
    onsets = regular(take, rate, 0.03)
    steps = []
    for _ in onsets:
        heel = modes(0.25, [floor, 2.3 * floor], 0.03) + hard * noise(take, 0.25, 2) * fading(0.25, 0.012)
        scuff = 0.3 * noise(take, 0.12, 0) * swell(0.12, 0.03, 0.08)
        steps.append(place([heel, hard * scuff], [0, roll])[:8000] * take.uniform(0.7, 1))
    return Sound(place(steps, onsets), onsets=onsets)


def door_wood_knock(source, take):
    wood = log_uniform(source, 180, 500) * np.array([1, 1.6, 2.4, 3.7])
    onsets = bout(take, take.integers(3, 7), source.uniform(0.13, 0.28), 0.2)
    panels = [modes(0.2, wood, source.uniform(0.015, 0.03), [1, 0.8, 0.5, 0.3]) for _ in onsets]
    knocks = [(panel + 0.3 * noise(take, 0.2) * fading(0.2, 0.003)) * take.uniform(0.6, 1) for panel in panels]
    return Sound(place(knocks, onsets), onsets=onsets)


def mouse_click(source, take):
    shell, travel = log_uniform(source, 1500, 4000) * np.array([1, 1.5, 2.1]), source.uniform(0.07, 0.14)
    press = modes(0.03, shell, 0.0025) + 0.5 * noise(take, 0.03) * fading(0.03, 0.001)
    release = modes(0.03, 1.2 * shell, 0.002) * 0.6
    onsets = bout(take, take.integers(1, 3), source.uniform(0.25, 0.35), 0.3)
    return Sound(place([place([press, release], [0, travel])[:4000] for _ in onsets], onsets), onsets=onsets)


def keyboard_typing(source, take):
    case, rate = log_uniform(source, 700, 2000), source.uniform(5, 10)
    onsets = regular(take, rate, 0.25)
    keys = []
    for _ in onsets:
        body = case * take.uniform(0.7, 1.5) * np.array([1, 2.3, 3.1])
        key = modes(0.05, body, 0.005, [1, 0.7, 0.5]) + 0.5 * noise(take, 0.05) * fading(0.05, 0.002)
        up = 0.35 * modes(0.05, 1.3 * body, 0.003)
        keys.append(place([key, up], [0, take.uniform(0.05, 0.09)])[:3000] * take.uniform(0.3, 1))
    return Sound(place(keys, onsets), onsets=onsets)


def clock_alarm(source, take):
    pitch, rate, group = log_uniform(source, 800, 2800), source.uniform(6, 12), source.integers(2, 5)
    length, phase = 0.55 / rate, take.uniform(0, 1)
    slots = np.arange(int(rate * SECONDS))
    onsets = (slots[slots % (group + 3) < group] + phase) / rate
    beep = (voice(np.full(len(times(length)), pitch), 8)) * swell(length, 0.003, 0.003)
    return Sound(place([beep] * len(onsets), onsets), pitch, onsets)


def clock_tick(source, take):
    case, rate = log_uniform(source, 1500, 4000) * np.array([1, 1.4, 2.2]), log_uniform(source, 1.8, 6)
    onsets = regular(take, rate, 0.004)
    tick, tock = modes(0.04, case, 0.004), 0.8 * modes(0.04, 0.8 * case, 0.004)
    return Sound(place([(tick, tock)[i % 2] for i in range(len(onsets))], onsets), onsets=onsets)


def glass_breaking(source, take):
    brittle, shards = log_uniform(source, 2000, 4000), source.integers(12, 30)
    onset = take.uniform(0.05, 0.9)
    fall = onset + take.exponential(0.22, shards)
    fall = np.sort(fall[fall < SECONDS])
    crash, tones = noise(take, 0.4) * fading(0.4, 0.025), (brittle * take.uniform(0.8, 2.4, 3) for _ in fall)
    pieces = [modes(0.25, tone, take.uniform(0.02, 0.06)) * take.uniform(0.15, 0.6) for tone in tones]
    return Sound(place([crash, *pieces], [onset, *fall]), onsets=np.array([onset]))


def helicopter(source, take):
    rate, whine = source.uniform(9, 18), log_uniform(source, 300, 900)
    onsets = regular(take, rate, 0.005)
    slap = noise(take, 0.12, source.uniform(3, 6)) * swell(0.12, 0.015, 0.09)
    blades = unit_power(place([slap * take.uniform(0.8, 1) for _ in onsets], onsets))
    turbine = 0.2 * voice(np.full(32_000, whine), 15) + 0.25 * noise(take, SECONDS, 3)
    return Sound(blades * wander(take, 1, 0.2) + source.uniform(0.3, 1) * turbine, rate, onsets)


def chainsaw(source, take):
    pitch, depth = log_uniform(source, 70, 180), source.uniform(0.15, 0.35)
    revs = pitch * np.exp(depth * np.sin(2 * np.pi * (source.uniform(0.4, 1.2) * times(SECONDS) + take.uniform())))
    buzz = formants(voice(revs, 3), source.uniform([500, 1800, 3500], [1000, 2800, 5500]), 0.4)
    teeth = band(noise(take, SECONDS), 1500, 6500) * (1 + np.sin(2 * np.pi * np.cumsum(revs) / 16_000))
    return Sound(unit_power(buzz) + source.uniform(0.15, 0.5) * teeth, pitch)


def siren(source, take):
    low, ratio, rate = log_uniform(source, 450, 800), source.uniform(1.35, 2.2), log_uniform(source, 0.6, 3.5)
    cycle = (rate * times(SECONDS) + take.uniform()) % 1
    yelp = low * ratio ** (1 - np.abs(2 * cycle - 1))
    two_tone = np.where(cycle < 0.5, low, low * ratio**0.5)
    track = yelp if source.uniform() < 0.65 else two_tone
    return Sound(formants(voice(track, 6), [1000, 2500], 0.6), low * ratio**0.5)


def car_horn(source, take):
    pitch, ratio, length = log_uniform(source, 280, 520), source.uniform(1.18, 1.27), source.uniform(0.15, 0.9)
    onsets = bout(take, 1 if length > 0.55 else take.integers(1, 4), length + 0.2, length)
    tone = sum(voice(np.full(len(times(length)), p), 4) for p in (pitch, ratio * pitch))
    honk = formants(tone, source.uniform([1200, 2500], [1800, 3500]), 0.5) * swell(length, 0.015, 0.03)
    return Sound(place([honk] * len(onsets), onsets), pitch, onsets)


def engine(source, take):
    firing = log_uniform(source, 18, 45)
    onsets = regular(take, firing, 0.02)
    pipe = log_uniform(source, 70, 220) * np.array([1, 2.2, 3.9, 7])
    stroke = modes(0.08, pipe, [0.02, 0.012, 0.008, 0.004], [1, 0.8, 0.6, 0.5])
    limp = np.where(np.arange(len(onsets)) % 4 == 0, source.uniform(1, 1.8), 1) * take.uniform(0.8, 1, len(onsets))
    clatter = source.uniform(0.1, 0.4) * noise(take, SECONDS, 3)
    return Sound(unit_power(patter(onsets, limp, stroke)) + clatter, firing, onsets)


def church_bells(source, take):
    strike, bells = log_uniform(source, 250, 800), source.uniform(0.5, 1.5)
    partials, decays = np.array([0.5, 1, 1.19, 1.5, 2, 2.52, 3.0, 4.1]), np.array([2, 1.2, 1, 0.8, 0.7, 0.4, 0.3, 0.2])
    onsets = regular(take, source.uniform(0.8, 2.2), 0.03)
    scale = [1, bells if bells > 1.1 else 1.125]
    rings = [modes(2.0, strike * scale[i % 2] * partials, decays, 1 / (0.5 + partials)) for i in range(len(onsets))]
    return Sound(place(rings, onsets), strike, onsets)
