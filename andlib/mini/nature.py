"""Recipes of nature and people: animals, weather, water and fire, voices, hands and feet.

A recipe makes two seconds of the ESC-50 class whose name it bears, from two generators (see `physics.Sound`). Every
function here is one."""

import numpy as np

from andlib.mini.physics import (  # isort: skip
    SECONDS, Sound, band, bout, fading, formants, glide, log_uniform, modes, noise, patter, place, regular,
    scattered, swell, times, unit_power, voice, wander,
)  # fmt: skip


def dog(source, take):
    pitch, length, hoarse = log_uniform(source, 250, 900), source.uniform(0.1, 0.25), source.uniform(0.2, 0.7)
    throat = source.uniform([500, 1300, 2500], [900, 2000, 3500])
    onsets = bout(take, take.integers(1, 5), source.uniform(0.28, 0.5), length)
    barks = []
    for _ in onsets:
        track = glide(length, *pitch * take.uniform(0.95, 1.05) * np.array([0.65, 1.1, 1, 0.5]))
        bark = voice(track, 5) + hoarse * noise(take, length, 3)
        barks.append(formants(bark, throat, 0.3) * swell(length, 0.012, 0.6 * length) * take.uniform(0.6, 1))
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
    meows = []
    for _ in onsets:
        tone = voice(glide(length, *pitch * np.array([0.75, 1.1, 1.12, 1.0, 0.7])), 4) + 0.08 * noise(take, length)
        opening = swell(length, 0.35 * length, 0.5 * length)
        mouth = formants(tone, closed, 0.2) * (1 - opening) * 0.6 + formants(tone, wide, 0.2) * opening
        meows.append(mouth * swell(length, 0.12, 0.3 * length))
    return Sound(place(meows, onsets), pitch, onsets)


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
    chirps = [
        voice(glide(length, *pitch * figures[take.integers(len(figures))]), 30) * swell(length, 0.01, 0.03)
        for _ in onsets
    ]
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
    drops = []
    for _ in onsets:
        length, bubble = 0.18, pitch * log_uniform(take, 0.85, 1.2)
        plink = voice(glide(length, bubble, bubble * rise, bubble * rise**1.3), 40) * fading(length, 0.035)
        drops.append((plink + modes(length, [5500], 0.001, 0.6)) * take.uniform(0.5, 1))
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
    t = times(length)
    cries = []
    for _ in onsets:
        quaver = 1 + 0.03 * np.sin(2 * np.pi * take.uniform(5, 9) * t)
        track = glide(length, *pitch * np.array([0.8, 1.15, 1.1, 1.05, 0.75])) * quaver
        cry = voice(track, 3) * (1 - strain * (np.sin(np.pi * np.cumsum(track) / 16_000) > 0))
        cries.append(formants(cry, throat, 0.2) * swell(length, 0.06, 0.15))
    return Sound(place(cries, onsets), pitch, onsets)


def clapping(source, take):
    hands, rate = source.uniform([700, 1400], [1300, 2600]), source.uniform(2.2, 4.5)
    people = source.integers(1, 4)
    onsets = np.sort(np.concatenate([regular(take, rate * take.uniform(0.97, 1.03), 0.04) for _ in range(people)]))
    claps = [
        formants(noise(take, 0.15), hands * take.uniform(0.9, 1.1), 0.5) * fading(0.15, 0.014) * take.uniform(0.5, 1)
        for _ in onsets
    ]
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
