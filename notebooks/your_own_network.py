# %% [markdown]
# # Your own network
#
# On {glue:text}`title`, the first name that DB gives a unit of {glue:text}`model` is the class of {glue:text}`borne_out:.0%` of the unit's highest recordings on average, against {glue:text}`untrained_network:.0%` for an untrained twin's units.
#
# The paper dissects transformers {cite}`wu2024and`.
# Its method asks a network for one number a recording and unit only, so it should describe the units of any acoustic network.
# This page dissects a convolutional network that others built and trained: that of the package `aisfx`, which indexes libraries of sound effects {cite}`ma2022aisfx`.
# The same parts make a report on *your* network and *your* sounds, by one command:
#
# ```bash
# andlib check openai/whisper-base --data sounds/                  # what it would be, in seconds
# andlib report openai/whisper-base --data sounds/ --out report/   # report/index.html, with sound, offline
# ```

# %% tags=["parameters", "hide-input"]
weights: str = "andlib.pages.your_own_network:sound_effects"  # the network: hub id, folder, checkpoint, or module:function
data_dir: str = ""  # a folder of recordings, with labels or without; empty takes the profile's
profile: str = "mini"  # what is probed where data_dir does not say: mini | esc50
captions: str = ""  # caption file (CSV or JSON); empty takes the one beside the recordings
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
k: int = 5  # highest / lowest activated clips per neuron
folds: int = 1  # how many folds of a profile are played to the network, 1 to 5

# %%
import andlib as al
from andlib.networks import aisfx
from andlib.pages import your_own_network
from andlib.report import dissection, opening

run, notes, asked = opening.on_page(globals())

# %% [markdown]
# A network is declared once: its modules that hold units, what the axes of their outputs mean, how positions become one number, and what it hears.
# `weights` names a function that declares this one:

# %%
target = al.wrap(
    aisfx.network(),
    name="aisfx",
    layers=["block?.relu?", "embedding"],  # names or patterns of modules
    axes=("clips", "channels", "frames", "mels"),  # of their outputs
    pooling="max",  # over frames and mels
    sample_rate=44_100,
    seconds=run.profile.seconds,
    features=aisfx.log_mel,  # waveforms -> the network's input
)

# %% [markdown]
# ## The parts of the report
#
# What needs a classifier says so without one, but `andlib report` trains a linear one on folds 2 to 5 (`al.with_head`).

# %% tags=["hide-input"]
al.tables.keep(**your_own_network.words(run, dissection.borne_out(run, asked)))
for title, make in dissection.sections(run, notes, asked).items():
    display(al.cards.Card(f"<h3>{title}</h3>"), make())

# %% [markdown]
# ## Any other network
#
# Each of these is a target for every function of the package, and for `andlib report module:function`: a **recurrent** network on log-mel frames (of what a layer returns, the first output counts); a **transformer's** hidden layers after their nonlinearity; and **latents of a sparse autoencoder** (`readout`, which takes an array [channels, directions], too).

# %%
from torch import nn

heard = dict(sample_rate=44_100, seconds=run.profile.seconds, features=aisfx.log_mel)
network = nn.Sequential(nn.GRU(input_size=96, hidden_size=24, batch_first=True)).eval()
recurrent = al.wrap(network, layers="0", axes=("clips", "time", "channels"), pooling="mean", name="recurrent", **heard)
block = nn.TransformerEncoderLayer(d_model=96, nhead=4, dim_feedforward=192, batch_first=True)
network, tokens = nn.TransformerEncoder(block, num_layers=2).eval(), ("clips", "tokens", "channels")
transformer = al.wrap(network, layers="layers.*.linear1", axes=tokens, nonlinearity="relu", name="transformer", **heard)
latents = nn.Sequential(nn.Linear(96, 400), nn.ReLU()).eval()
sparse = al.wrap(network, layers="layers.1", axes=tokens, readout=latents, pooling="max", name="sparse", **heard)

# %% [markdown]
# A network that cuts clips into **windows** and folds them into the batch has `"windows"` in place of `"clips"` among its axes.
# `al.load_target` knows models of the Hugging Face hub (AST, wav2vec2, HuBERT, WavLM, Whisper's encoder, CLAP's audio tower), `al.with_head` puts a linear classifier on an encoder, and `run.using(models=[target])` gives a target to every page's functions.
#
# ## What differs from the paper, and why
#
# - **Units.** The paper's are outputs of linear layers before any nonlinearity. Here they are rectified channels, as the convolutional literature has them. Their maximum stands for the clip, as it does in the network itself.
# - **Input.** The network was trained on blocks of 2.3 s of Essentia's log-mel, at 44.1 kHz; clips are given whole here. The log-mel agrees with Essentia's within 0.0001. The package's classifiers are left out, for their classes have no names.
# - **Fewer clips.** The network is large for a page that is made on a CPU, so it hears {glue:text}`probed_folds` of the probing set's five folds. It learnt from none of them.
#
# ## Try it yourself
#
# `papermill notebooks/your_own_network.ipynb out.ipynb -p weights openai/whisper-base -p data_dir path/to/sounds`
