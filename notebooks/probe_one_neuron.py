# %% [markdown]
# # Probe one neuron
#
# Choose a neuron, hear what it responds to, and try what you like: every cell below can be changed and run again by itself.
# [One neuron in full](one_neuron_in_full.ipynb) shows the rest: every similarity function, every layer, other summarisers and concept sets.

# %% tags=["parameters", "hide-input"]
unit: str = "ast/block1.output/65"  # network/layer/number, counted from 0
words: str = "high-pitched animal"  # what to search the descriptions for
wav: str = ""  # a sound file of your own; empty takes a tone that rises from 100 Hz to 7 kHz
factor: float = 2.0  # what the unit's output is multiplied by
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
k: int = 5  # highest / lowest activated clips per neuron

# %% [markdown]
# ## Pick
#
# {glue:text}`unit` is one output of one linear layer, before any nonlinearity.
# Its *activation* $u$ on a clip is one number: {glue:text}`pooled`.
# White frames show where in a clip it fires; clips that we may pass on can be played.

# %%
import andlib as al
from andlib.pages import probe_one_neuron

run = al.open_run(globals())
al.show(run, unit)

# %% [markdown]
# ## Compare
#
# A description rests on three choices: how many clips $K$ stand for the unit, above which cosine $t$ a point of its summary counts as the lowest clips' own, and how the values at all places of a clip become one number.
# Each row changes one of them.

# %%
otherwise = probe_one_neuron.otherwise(run, unit, k=10, t=0.5, pooling="max")
al.tables.plain(otherwise, f"{unit}, read in other ways", run.made_by(*run.caption_parts))

# %% [markdown]
# ## Play it a sound of your own
#
# You hear {glue:text}`heard`. The frame shows where it excites the unit; below stands how that compares with the probing set.

# %%
al.cards.own_sound(run, unit, wav)

# %% [markdown]
# ## Silence it, or make it louder
#
# The unit's output is set to zero, or else multiplied by {glue:text}`factor:g`, at every token. It is one of {glue:text}`units` units, so the class scores move little.

# %%
changed = probe_one_neuron.multiplied(run, unit, factor)
formats = {"before": ".2f", "silenced": "+.4f", "scaled": "+.4f"}
al.tables.plain(changed, "The classes that it matters to most: change of their own logit", run.made_by(), formats)

# %% [markdown]
# ## Find another by words
#
# Descriptions are compared with the words by meaning. Put one of these ids into the cell above.

# %%
al.tables.keep(**probe_one_neuron.words(run))
found = probe_one_neuron.found(run, words)
al.tables.plain(found, f"Neurons nearest to “{words}”", run.made_by(*run.caption_parts), {"similarity": ".2f"})

# %% [markdown]
# ## Compared with the paper
#
# Figures 1, 2 and 7 of the paper walk one neuron through the method but do not say which, where in a clip it fires or what the network loses without it {cite}`wu2024and`; so there is no number to compare.
#
# ## Try it yourself
#
# `make lab` opens this notebook. From the command line:
#
# ```bash
# papermill notebooks/probe_one_neuron.ipynb out.ipynb -p unit ast/block3.intermediate/322
# papermill notebooks/probe_one_neuron.ipynb out.ipynb -p unit beats_frozen/block2.fc2/17 -p wav path/to/sound.wav
# ```
