# %% [markdown]
# # How a unit is read
#
# At the first token, which the released code reads, DB names this share of the classifier's units rightly: {glue:text}`first`.
# The paper does not say which one of a unit's many values for a clip is its [activation](../../glossary.md) {cite}`wu2024and`.
# This page changes that choice on {glue:text}`title` and shows how far [Table 2](4_1_last_layer.ipynb) moves.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
mode: str = "corrected"  # corrected | released | names of released faults

# %%
import andlib as al
from andlib.pages import reading_units

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)

# %% [markdown]
# ## Table 2 under other readings
#
# Each row changes one choice, its *axis*. Whisper's networks take long and are read only on request (`-p model whisper_frozen`).
# *Moved* is the share of units whose first concept is no longer the default's.

# %% tags=["hide-input"]
readings = reading_units.compared(run)
heads = {"top1": "top-1", "top5": "top-5"}
formats = dict.fromkeys(["top-1", "top-5", "moved"], ".1%")
al.tables.keep(**reading_units.words(run, readings))
al.tables.plain(readings, "Table 2 under other readings (DB, all clips)", made, formats, heads)

# %% [markdown]
# Over all networks, one change moves top-1 by {glue:text}`nonlinearity_least:+.0f` to {glue:text}`nonlinearity_most:+.0f` points (nonlinearity), {glue:text}`readout_least:+.0f` to {glue:text}`readout_most:+.0f` (readout) or {glue:text}`pooling_least:+.0f` to {glue:text}`pooling_most:+.0f` (pooling).
# AST's classifier gives one vector a clip, so it has no pooling to change.
# Token 0 of BEATs is its first patch: 160 ms of the lowest 16 mel bands.
# The released code describes a BEATs unit from that token alone.
#
# ## How it is measured
#
# Three choices make a unit's activation, in this order:
#
# 1. **Readout**: which direction in a layer's channels is a unit. By default each channel is one. A direction, such as that of class means, or a sparse autoencoder's latent may be one, too.
# 2. **Nonlinearity**: whether the value counts as it leaves the linear layer, before any nonlinearity, or after relu or gelu.
# 3. **Pooling**: the mean, the maximum or the first of all positions.
#
# By default AST is read at its class token and BEATs by the mean over tokens; both classifiers give their real logits.
# DB names the units anew after each change, by the [similarity function](../../glossary.md) that is best for the default.
# Two readouts are directions in the output of the last block's last linear layer: the classifier's rows, and each class's mean less all other clips' (folds 2–5).
#
# ## What differs from the paper, and why
#
# - The released code takes the value at token 0, before any nonlinearity: `-p mode first_token`.
# - It also records BEATs from samples at 48 kHz that it takes for 16 kHz, three times longer and a third of the pitch. It then ablates on 16 kHz: `-p mode beats_48k_as_16k`, or both faults by `-p mode first_token,beats_48k_as_16k`.
# - Readouts by direction have no counterpart in the paper. They tell whether DB names the unit or merely the direction that the network reads out later.
#
# ## Try it yourself
#
# ```python
# target = run.target("beats_frozen").read(pooling="max", nonlinearity="gelu")
# al.neurons(run, target, layers=("block3.fc1",))
# ```
