# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own network
#
# The paper dissects two transformers {cite}`wu2024and`.
# Nothing in the method asks for one: a unit needs one number a clip, and no more.
# **Its claim** to be tested here is that of generality: that the method describes the units of acoustic networks, whatever they were built and trained for.
# So this page takes a network that others built and trained, without any change to this package: a convolutional network that learnt to index sound-effects libraries (from the Python package `aisfx`) {cite}`ma2022aisfx`.
# The last section shows the same for recurrent networks, transformers, sparse autoencoders and models of the Hugging Face hub.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # has no effect here: the network is the page's own
profile: str = "mini"  # what is probed: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # has no effect here
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
folds: int = 1  # how many folds of the probing set are played to the network, 1 to 5

# %%
import pandas as pd

import andlib as al
from andlib.networks import aisfx
from andlib.report.tables import keep, plain

run = al.open_run(globals(), folds=[1, 2, 3, 4, 5])
run = run.in_folds(tuple(range(1, folds + 1)))  # a large network: fewer clips

# %% [markdown]
# ## A network trained by others
#
# The network hears at 44.1 kHz: 96 mel bands up to 22 kHz, frames of 46 ms every 23 ms.
# Four blocks of two convolutions with 64, 128, 256 and 512 channels follow; then an average over bands and the maximum over time make its *embedding*, 512 numbers.
# It learnt from several commercial libraries of sound effects at once, with a classifier for each; their classes come without names, so the classifiers are left out.
# Only the weights of the package are read, without running its pickle; its Python is never run.
#
# To dissect a network, say which modules hold units, what the axes of their outputs mean, how positions become one number, and what the network wants to hear:

# %%
reading = dict(
    layers=["block?.relu?", "embedding"],  # names or patterns of modules
    axes=("clips", "channels", "frames", "mels"),  # of their outputs
    pooling="max",  # over frames and mels
    sample_rate=44_100,
    seconds=run.profile.seconds,
    features=aisfx.log_mel,  # waveforms -> the network's input
)
target = al.wrap(aisfx.network(), name="aisfx", **reading)
neurons = al.neurons(run, target)

# %% [markdown]
# A unit is one channel of a convolution, after batch normalisation and rectification; its activation is the largest value anywhere in the clip.
# The maximum is what the network itself keeps, between blocks and, of its embedding, over time; a mean would count the silence around a short sound against it.
#
# ## What is measured
#
# Summaries, calibration and concepts are those of [every other network](probe_one_neuron.ipynb).
# Nobody knows what these units stand for, so there is no true name to compare with.
# What can be checked is whether a name is *borne out*: the share of the unit's $K$ highest clips whose own class, which no description has seen, is the concept that DB puts first.
# Three numbers stand beside it: the same with *captions shuffled* among clips, the same for an *untrained* network (equal architecture, random weights), and the most that *any name* could reach, which is the share of the commonest class.
#
# ## Described units, layer by layer

# %% tags=["hide-input"]
classes = [clip.label for clip in run.probing_set.clips]


def borne_out(neurons):
    """For each unit, the share of its highest clips whose class is DB's first concept, and is any one class at most."""
    heard = [[classes[i] for i in highest] for highest in neurons["highest"]]
    named = [labels.count(db[0]) / len(labels) for labels, db in zip(heard, neurons["db"], strict=True)]
    return named, [max(map(labels.count, labels)) / len(labels) for labels in heard]


untrained = al.neurons(run, al.wrap(aisfx.network(untrained_seed=0), name="untrained", **reading))
shuffled = al.neurons(run, target, control="shuffled captions")
neurons["borne out"], neurons["any name"] = borne_out(neurons)
neurons["shuffled captions"], neurons["untrained"] = borne_out(shuffled)[0], borne_out(untrained)[0]
neurons["points"] = neurons["high"].map(len)
neurons["with adjective"] = neurons["adjectives"].map(len) > 0
neurons["with noun"] = neurons["nouns"].map(len) > 0
shares = ["with adjective", "with noun", "borne out", "shuffled captions", "untrained", "any name"]
by_layer = neurons.groupby("layer", sort=False)
layers = by_layer.agg(units=("unit", "size"), dead=("dead", "sum")).join(by_layer[["points", *shares]].mean()).reset_index()
made_by = run.made_by(*run.caption_parts)
plain(layers, f"Units of the sound-effects network, described from {len(classes)} clips", made_by, dict.fromkeys(shares, ".0%") | {"points": ".1f"})

# %% tags=["remove-cell"]
known = run.probing_set.classes
last = neurons[neurons["layer"] == "embedding"]
first_concepts = last["db"].str[0]
first_shuffled = shuffled.loc[last.index, "db"].str[0]
keep(layers=layers, title=run.profile.title, clips=len(classes), units=len(neurons), probed_folds=folds)
keep(dead=int(neurons["dead"].sum()), **{name.replace(" ", "_"): float(last[name].mean()) for name in shares})
keep(in_set=float(first_concepts.isin(known).mean()), in_set_shuffled=float(first_shuffled.isin(known).mean()))
keep(earliest=layers["borne out"].iloc[0], earliest_untrained=layers["untrained"].iloc[0])
keep(classes=len(known), covered=first_concepts[first_concepts.isin(known)].nunique())
keep(covered_shuffled=first_shuffled[first_shuffled.isin(known)].nunique())

# %% [markdown]
# On {glue:text}`clips` clips of {glue:text}`title`, {glue:text}`dead` of {glue:text}`units` units are dead, which is to say that every clip activates them alike.
# Of the embedding's units, {glue:text}`with_noun:.0%` hold a noun and {glue:text}`with_adjective:.0%` an adjective in their open concepts.
#
# The concept that DB gives a unit of the embedding is the class of {glue:text}`borne_out:.0%` of its highest clips on average; with captions shuffled, of {glue:text}`shuffled_captions:.0%`; for the untrained network, of {glue:text}`untrained:.0%`.
# No names could have reached more than {glue:text}`any_name:.0%`.
# In the first convolution the trained network reaches {glue:text}`earliest:.0%` and the untrained {glue:text}`earliest_untrained:.0%`.
#
# So descriptions say something about the clips; how much of it is about learning, only the untrained network tells.
# A random convolution, too, is fond of loud, high or steady sounds, and sounds of one class are alike in that.
#
# That a concept *occurs among* the classes of the probing set says little, on the other hand.
# It does for {glue:text}`in_set:.0%` of the embedding's units, and for {glue:text}`in_set_shuffled:.0%` with captions shuffled; their concepts cover {glue:text}`covered` of the {glue:text}`classes` classes, and {glue:text}`covered_shuffled` with captions shuffled: whatever is played, descriptions speak of it.
#
# ## Five units of the embedding
#
# Sorted by how far their concept is borne out (ties: more calibrated points first, then the lower number), these stand first, at each quarter, and last.

# %% tags=["hide-input"]
ranked = last.assign(left=last["calibrated"].map(len)).sort_values(["borne out", "left", "index"], ascending=[False, False, True])
examples = ranked.iloc[[round(share * (len(ranked) - 1)) for share in (0, 0.25, 0.5, 0.75, 1)]]
shown = pd.DataFrame(
    {
        "unit": examples["unit"],
        "DB": examples["db"].str[0],
        "borne out": examples["borne out"],
        "classes of its highest clips": [", ".join(classes[i] for i in highest) for highest in examples["highest"]],
        "calibrated summary": [" ".join(points) or "nothing is left" for points in examples["calibrated"]],
    }
)
plain(shown, "Five units of the embedding, by rank", made_by, {"borne out": ".0%"})

# %% [markdown]
# The first of them in full:

# %% tags=["hide-input"]
first = examples.iloc[0]
u = al.unit_activations(run, target)["embedding"][:, first["index"]]
al.cards.neuron_card(first, run.probing_set, u, al.clip_descriptions(run), run.profile.seconds)

# %% [markdown]
# ## Compared with the paper
#
# The paper dissects no convolutional network and none of others' making, so there is no number to compare.
# Its claim of generality holds as far as this goes: the method runs unchanged, and its descriptions rest on what the clips are.
# The paper sets no untrained network beside its own.
#
# ## Any other network
#
# Each of these gives a target for `al.neurons`, `al.unit_activations` and every other page's functions.
# The networks are small and random: put your own in their place.
# What does not fit is refused with a sentence: a module that does not exist, axes that its output does not have, a network in training mode.
#
# **Convolutional**, on waveforms:

# %%
from torch import nn

parts = nn.Conv1d(1, 16, 400, 160), nn.ReLU(), nn.Conv1d(16, 32, 5), nn.ReLU()
network = nn.Sequential(nn.Unflatten(1, (1, -1)), *parts).eval()
axes = ("clips", "channels", "time")
convolutional = al.wrap(network, layers=["2", "4"], axes=axes, sample_rate=16_000, seconds=run.profile.seconds, name="convolutional")

# %% [markdown]
# **Recurrent**, on log-mel frames; of what a layer returns, the first output counts, here the hidden state at every frame:

# %%
heard = dict(sample_rate=44_100, seconds=run.profile.seconds, features=aisfx.log_mel)
network = nn.Sequential(nn.GRU(input_size=96, hidden_size=24, batch_first=True)).eval()
recurrent = al.wrap(network, layers="0", axes=("clips", "time", "channels"), pooling="mean", name="recurrent", **heard)

# %% [markdown]
# **A transformer**; the hidden linear layer of each block, after the nonlinearity that follows it:

# %%
block = nn.TransformerEncoderLayer(d_model=96, nhead=4, dim_feedforward=192, batch_first=True)
network = nn.TransformerEncoder(block, num_layers=2).eval()
tokens = ("clips", "tokens", "channels")
transformer = al.wrap(network, layers="layers.*.linear1", axes=tokens, nonlinearity="relu", name="transformer", **heard)

# %% [markdown]
# **Directions instead of units**: `readout` takes a sparse autoencoder's encoder, or an array [channels, directions] such as probes; its outputs are then the units:

# %%
encoder = nn.Sequential(nn.Linear(96, 400), nn.ReLU()).eval()
sparse = al.wrap(network, layers="layers.1", axes=tokens, readout=encoder, pooling="max", name="sparse", **heard)

# %% [markdown]
# **A model of the Hugging Face hub**, or a folder made by `save_pretrained` (AST, wav2vec2, HuBERT, WavLM, Whisper's encoder, CLAP's audio tower); layers, input and sampling rate are known:

# %%
location = al.PROFILES["mini"].networks["ast"]  # or an id, such as "facebook/wav2vec2-base-960h"
published = al.load_target(location, seconds=run.profile.seconds, name="published")

# %% tags=["hide-input"]
targets = [convolutional, recurrent, transformer, sparse, published]
rows = [{"target": made.name, "layers": len(made.layers), "units": sum(layer.units for layer in made.layers), "last layer": made.layers[-1].name} for made in targets]
al.tables.plain(rows, "Targets made above", run.made_by())

# %% [markdown]
# ## What differs from the paper, and why
#
# - **Units.** The paper's are outputs of linear layers before any nonlinearity; here they are rectified channels, as the convolutional literature has them, and their maximum stands for the clip.
# - **Input.** The network was trained on blocks of 100 frames (2.3 s) of the package Essentia's log-mel. The log-mel is rewritten here and agrees with Essentia's own within 0.0001. Clips are given whole: the network is convolutional, and its maximum over time covers any length. The maximum over blocks would be similar, not equal.
# - **Twice the last convolution.** The embedding holds the channels of `block4.relu2` once more, averaged over bands before the maximum, as the network itself reads them.
# - **Fewer clips.** The network is large for a page that is made on a CPU, so it hears {glue:text}`probed_folds` of the probing set's five folds. It learnt from none of them; any is as good as another.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/your_own_network.ipynb out.ipynb -p folds 5
# papermill notebooks/your_own_network.ipynb out.ipynb -p profile esc10 -p data_dir path/to/ESC-10
# ```
#
# Next: [look at a single neuron](probe_one_neuron.ipynb) of the paper's networks, or [silence some](4_3_unlearning.ipynb).
