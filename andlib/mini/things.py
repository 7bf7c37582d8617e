"""Recipes of things: what is handled indoors, machines, and what is heard in the street (see `nature`)."""

import numpy as np

from andlib.mini.physics import (  # isort: skip
    SECONDS, Sound, band, bout, fading, formants, log_uniform, modes, noise, patter, place, regular, swell, times,
    unit_power, voice, wander,
)  # fmt: skip


def door_wood_knock(source, take):
    wood = log_uniform(source, 180, 500) * np.array([1, 1.6, 2.4, 3.7])
    onsets = bout(take, take.integers(3, 7), source.uniform(0.13, 0.28), 0.2)
    knocks = []
    for _ in onsets:
        panel = modes(0.2, wood, source.uniform(0.015, 0.03), [1, 0.8, 0.5, 0.3])
        knocks.append((panel + 0.3 * noise(take, 0.2) * fading(0.2, 0.003)) * take.uniform(0.6, 1))
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
    pieces = [noise(take, 0.4) * fading(0.4, 0.025)]
    for _ in fall:
        tones = brittle * take.uniform(0.8, 2.4, 3)
        pieces.append(modes(0.25, tones, take.uniform(0.02, 0.06)) * take.uniform(0.15, 0.6))
    return Sound(place(pieces, [onset, *fall]), onsets=np.array([onset]))


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
