# %% [markdown]
# # Your own network
#
# The paper dissects two transformers {cite}`wu2024and`.
# Nothing in the method asks for one: a unit needs one number a clip, and no more.
# **Its claim** to be tested here is that of generality: that the method describes the units of acoustic networks, whatever they were built and trained for.
# So this page takes a network that others built and trained, without any change to this package: a convolutional network that learnt to index sound-effects libraries (from the Python package `aisfx`) {cite}`ma2022aisfx`.
# The last section shows the same for recurrent networks, transformers, sparse autoencoders and models of the Hugging Face hub.

# %% tags=["parameters", "hide-input"]
profile: str = "mini"  # what is probed: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
folds: int = 1  # how many folds of the probing set are played to the network, 1 to 5

# %%
import andlib as al
from andlib.networks import aisfx
from andlib.pages import your_own_network

run = your_own_network.first_folds(al.open_run(globals()), folds)  # a large network: fewer clips
made = run.made_by(*run.caption_parts)

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
# Three numbers stand beside it: the same with *captions shuffled* among clips, the same for an *untrained network* (equal architecture, random weights throughout; neither has a classifier), and the most that *any name* could reach, which is the share of the commonest class.
#
# ## Described units, layer by layer

# %%
shuffled = al.neurons(run, target, control="shuffled captions")
untrained = al.neurons(run, al.wrap(aisfx.network(untrained_seed=0), name="untrained", **reading))
units = your_own_network.borne_out(run, neurons, shuffled, untrained)

# %% tags=["hide-input"]
layers = your_own_network.by_layer(units)
title = f"Units of the sound-effects network, described from {len(run.probing_set)} clips"
al.tables.keep(**your_own_network.words(run, units))
al.tables.plain(layers, title, made, dict.fromkeys(your_own_network.SHARES, ".0%") | {"points": ".1f"})

# %% [markdown]
# On {glue:text}`clips` clips of {glue:text}`title`, {glue:text}`dead` of {glue:text}`units` units are dead, which is to say that every clip activates them alike.
#
# The concept that DB gives a unit of the embedding is the class of {glue:text}`borne_out:.0%` of its highest clips on average; with captions shuffled, of {glue:text}`shuffled_captions:.0%`; for the untrained network, of {glue:text}`untrained_network:.0%`.
# No names could have reached more than {glue:text}`any_name:.0%`.
#
# So descriptions say something about the clips; how much of it is about learning, only the untrained network tells.
# A random convolution, too, is fond of loud, high or steady sounds, and sounds of one class are alike in that.
#
# ## Five units of the embedding
#
# Sorted by how far their concept is borne out (ties: more calibrated points first, then the lower number), these stand first, at each quarter, and last.

# %% tags=["hide-input"]
examples = your_own_network.ranked(units)
al.tables.plain(your_own_network.in_words(run, examples), "Five units of the embedding, by rank", made, {"borne out": ".0%"})

# %% [markdown]
# The first of them in full:

# %% tags=["hide-input"]
first = examples.iloc[0]
u = al.unit_activations(run, target)["embedding"][:, first["index"]]
al.cards.neuron_card(first, run.probing_set, u, al.clip_descriptions(run), run.profile.seconds)

# %% [markdown]
# ## Any other network
#
# Each of these gives a target for `al.neurons`, `al.unit_activations` and every other page's functions.
# The networks are small and random: put your own in their place; what does not fit is refused with a sentence.
#
# **Recurrent**, on log-mel frames; of what a layer returns, the first output counts, here the hidden state at every frame:

# %%
from torch import nn

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
# `papermill notebooks/your_own_network.ipynb out.ipynb -p folds 5`
