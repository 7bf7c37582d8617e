# %% [markdown]
# # Your own network
#
# On {glue:text}`title`, the first name that DB gives a unit of {glue:text}`model` is the class of {glue:text}`borne_out:.0%` of the unit's highest recordings on average, against {glue:text}`untrained_network:.0%` for an untrained twin's units.
# {glue:text}`beside`
#
# The paper dissects transformers {cite}`wu2024and`.
# Its method asks a network for one number a recording and unit only, so it should describe the units of any acoustic network.
# This page dissects networks that others built and trained: aisfx, a convolutional network for sound effects {cite}`ma2022aisfx`; Whisper's encoder {cite}`radford2023whisper`; and CREPE, which hears pitch {cite}`kim2018crepe`.
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
from andlib.pages import your_own_network
from andlib.report import dissection, opening

run, notes, asked = opening.on_page(globals())

# %% tags=["hide-input"]
units, trained = dissection.borne_out(run, asked), your_own_network.others(run)
al.tables.keep(**your_own_network.words(run, units, trained))
if len(trained):
    percent = dict.fromkeys(your_own_network.SHARES, ".0%")
    display(al.tables.plain(trained, "Networks that others trained, on fold 1 (means over units)", run.made_by(*run.caption_parts), percent))

# %% [markdown]
# {glue:text}`nouns`
# Nouns alone say little of training, for an untrained network's units hold them, too, and a share that is *borne out* must be read beside the untrained twin's.
# An untrained network is fond of loud, high or steady sounds, and sounds of one class are alike in that.
#
# A network is declared once: its modules that hold units, what the axes of their outputs mean, how positions become one number, and what it hears.
# `weights` names a function that does so; this is aisfx's:

# %%
import inspect

print(inspect.getsource(your_own_network.sound_effects))

# %% [markdown]
# ## The parts of the report
#
# What needs a classifier says so without one, but `andlib report` trains a linear one on folds 2 to 5 (`al.with_head`).

# %% tags=["hide-input"]
for title, make in dissection.sections(run, notes, asked).items():
    display(al.cards.Card(f"<h3>{title}</h3>"), make())

# %% [markdown]
# [Your own network and sounds](../../your_own.md) declares networks of other kinds, recurrent ones and latents of a sparse autoencoder among them, and shows how CREPE is declared, outside the package.
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
