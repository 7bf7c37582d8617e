# %% [markdown]
# # The target networks
#
# The paper dissects three networks that differ in how they learnt: AST, pre-trained and fine-tuned with labels; BEATs, pre-trained without labels and fine-tuned whole; and the same BEATs with all but a linear classifier frozen {cite}`gong2021ast,chen2023beats,wu2024and`.
# **Its claim** (Table 1): they classify ESC-50's test clips right in {glue:text}`paper_ast:.1%`, {glue:text}`paper_finetuned:.2%` and {glue:text}`paper_frozen:.2%` of all cases.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
precision: str = "float32"  # of networks: float32 | bf16
mode: str = "corrected"  # corrected | released | names of released faults

# %%
import andlib as al
from andlib.pages import section_2, section_4_0

run = al.open_run(globals())
made = run.made_by()

# %% [markdown]
# ## What is measured
#
# The share of clips whose largest logit is that of their own class: on fold 1, which no network learnt from, and on folds 2–5, which all did.
# Three floors say what the numbers are worth:
#
# - **log-mel statistics + linear**: mean and deviation of each of 128 frequency bands, and a linear classifier. No network at all.
# - **random features, trained classifier** (`beats_untrained`; `whisper_untrained` where there is one): the same BEATs, or Whisper's encoder, with random weights, frozen, under a linear classifier that is trained on its tokens of folds 2–5. It is no *untrained network*, whose classifier is random, too.
# - **chance**.
#
# ## Table 1

# %% tags=["hide-input"]
accuracy = section_4_0.target_accuracy(run, run.beside(*section_4_0.FLOORS))
floors = section_2.difficulty(run)
floors = floors[floors["set"] == run.probing_set.name]
al.tables.keep(**section_4_0.words(run, accuracy, floors))
al.tables.table1(accuracy, floors, made)

# %% [markdown]
# On {glue:text}`title`, fold 1: {glue:text}`reading`. The order is {glue:text}`order`.
# Pre-training without labels is worth {glue:text}`gain:.0f` points to the frozen network: that is how far it lies above random features under a trained classifier.
# It reads {glue:text}`frozen_against` from the sound than log-mel statistics with a linear classifier do ({glue:text}`statistics:.1%`).
#
# ## Units
#
# A neuron is one output of one linear layer: in AST a block's `attention_output`, `intermediate` and `output`, in BEATs its `fc1` and `fc2`, in Whisper's encoder its `self_attn.out_proj`, `fc1` and `fc2`, and in all of them the classifier's outputs.

# %% tags=["hide-input"]
al.tables.plain(section_4_0.units(run), "Units of the target networks", made)

# %% [markdown]
# At full size AST has 55,346 units and BEATs 46,130; the code that counts them here counts those, too.
#
# ## What differs from the paper, and why
#
# - **Size and training data.** The paper's networks have 86 to 90 million parameters and were pre-trained on AudioSet's two million clips. The small ones here have half a million, were pre-trained for minutes on synthesised clips (those for ESC-50 also on its own folds 2–5), and never saw AudioSet. Whisper's encoder, where there is one, has 20 million and was trained by others on transcribed speech: it is pre-trained for real, but with supervision of another kind. A record of the training lies beside each network's weights.
# - **AST's pre-training.** On `mini` it has none: it learns from the labels of folds 2–5 alone. That for ESC-50 begins with the weights of `mini`'s, and half of what it learns from is what Whisper's classifier says of clips that this did not learn from; its record has its accuracy without that teacher beside it.
# - **Strategy and architecture.** The paper's supervised network is an AST and its self-supervised ones are BEATs, so the two change together. [The clean comparison](training_strategies.ipynb) holds the architecture still.
#
# ## Try it yourself
#
# `papermill notebooks/4_1_last_layer.ipynb out.ipynb -p profile esc50 -p model beats_finetuned -p weights path/to/checkpoint.pt`
