# %% [markdown]
# # How a unit is read
#
# A layer gives a unit many values for a clip, one at each position. Which *one* number is its activation $u$ the paper does not say {cite}`wu2024and`.
# The released code takes the value at token 0, before any nonlinearity.
# **This page asks** how far [Table 2](4_1_last_layer.ipynb) moves when that choice changes.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
mode: str = "corrected"  # corrected | released | names of released faults

# %%
import pandas as pd

import andlib as al
from andlib.pages import reading_units

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)

# %% [markdown]
# ## What is measured
#
# Three choices make a unit's activation, in this order:
#
# 1. **Readout**: which direction in a layer's channels is a unit. By default each channel is one; a direction (of class means, say) or a sparse autoencoder's latent may be, too.
# 2. **Nonlinearity**: whether the value counts as it leaves the linear layer, or its positive part alone.
# 3. **Pooling**: mean, maximum or the first of all positions.
#
# Every network declares its own: AST reads the class token, BEATs the mean over tokens, and both their classifiers' real logits.
# Here each choice is changed alone; then DB names the units anew, by the similarity function that is best for the default.
# *Moved* is the share of units whose first concept is no longer the default's.
#
# Two readouts leave the classifier: its rows, and the difference of each class's mean from that of all other clips (folds 2–5), are taken as directions in the output of the last block's last linear layer.
#
# ## Table 2 under other readings

# %% tags=["hide-input"]
layers = {name: reading_units.readings_of(run, run.target(name)) for name in run.models}
readings = pd.concat([reading_units.compared(run, name, layers[name]) for name in run.models])
heads = {"top1": "top-1", "top5": "top-5"}
formats = dict.fromkeys(["top-1", "top-5", "moved"], ".1%")
al.tables.keep(**reading_units.words(run, readings))
al.tables.plain(readings, "Table 2 under other readings (DB, all clips)", made, formats, heads)

# %% [markdown]
# On {glue:text}`title`, changing one choice alone changes top-1 by
#
# - {glue:text}`nonlinearity_least:+.0f` to {glue:text}`nonlinearity_most:+.0f` points for the nonlinearity,
# - {glue:text}`readout_least:+.0f` to {glue:text}`readout_most:+.0f` points for the readout,
# - {glue:text}`pooling_least:+.0f` to {glue:text}`pooling_most:+.0f` points for the pooling: with the first token alone, as released, DB names {glue:text}`first`.
#
# AST's classifier gives one vector a clip, so pooling has nothing to change there.
# Token 0 of BEATs is its first patch: 160 ms of the lowest 16 mel bands. What the released code describes as BEATs' units is what that patch did.
#
# ## As released
#
# The released code also records BEATs from samples at 48 kHz that it takes for 16 kHz, three times longer and a third of the pitch, and then ablates on 16 kHz.
# Both are switches: `-p mode first_token`, `-p mode beats_48k_as_16k`, or `-p mode first_token,beats_48k_as_16k` for both.
#
# ## What differs from the paper, and why
#
# - Readouts by direction have no counterpart in the paper. They say whether what DB names is the unit or merely the direction that the network reads out later.
#
# ## Try it yourself
#
# ```python
# target = run.target("beats_frozen").read(pooling="max", nonlinearity="gelu")
# al.neurons(run, target, layers=("block3.fc1",))
# ```
