# %% [markdown]
# # The target networks
#
# On {glue:text}`title`, these shares of the clips that no network learnt from (fold 1) are classified right: {glue:text}`reading`.
# **The paper's claim** (Table 1) is {glue:text}`paper_ast:.1%`, {glue:text}`paper_finetuned:.2%` and {glue:text}`paper_frozen:.2%` on ESC-50's test clips; the order here is {glue:text}`order`.
# The paper's [target networks](../../glossary.md) differ in training {cite}`gong2021ast,chen2023beats,wu2024and`.
# AST was pre-trained and fine-tuned with labels; BEATs was pre-trained without labels and fine-tuned whole, or frozen but for a linear classifier.

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

# %% mystnb={"figure": {"name": "accuracies", "caption": "Accuracy on clips that no network learnt from. Intervals draw recordings anew."}, "image": {"alt": "Dots with intervals: each network's accuracy on fold 1, beside the paper's; lines for chance and for a linear classifier on log-mel statistics"}} tags=["hide-input"]
accuracy = section_4_0.target_accuracy(run, run.beside(*section_4_0.FLOORS))
floors = section_2.difficulty(run)
floors = floors[floors["set"] == run.probing_set.name]
al.tables.keep(**section_4_0.words(run, accuracy, floors))
al.figures.accuracies(accuracy, floors);

# %% tags=["hide-input"]
al.tables.table1(accuracy, floors, made)

# %% [markdown]
# A clip is right if its largest logit is that of its own class; every network learnt from folds 2–5.
# The floors are chance, a linear classifier on the mean and deviation of each of 128 log-mel bands, and a trained classifier on random features.
# The last is BEATs (`beats_untrained`), or Whisper's encoder (`whisper_untrained`), frozen at random weights; in an *untrained network*, the classifier is random, too.
#
# Pre-training without labels is worth {glue:text}`gain:.0f` points to the frozen network, which is how far it lies above random features.
# The network reads {glue:text}`frozen_against` from the sound than the log-mel classifier does ({glue:text}`statistics:.1%`).
#
# ## Units
#
# A [unit](../../glossary.md) is one output of one linear layer: of AST's `attention_output`, `intermediate` and `output`, of BEATs' `fc1` and `fc2`, of Whisper's `self_attn.out_proj`, `fc1` and `fc2`, or of the classifier.
# At full size AST has 55,346 units and BEATs 46,130, by the code that counts them here.

# %% tags=["hide-input"]
al.tables.plain(section_4_0.units(run), "Units of the target networks", made)

# %% [markdown]
# ## What differs from the paper, and why
#
# - **Size and training data.** The paper's networks have 86 to 90 million parameters and were pre-trained on AudioSet's two million clips. The small ones have half a million and were pre-trained for minutes on synthesised clips (those for ESC-50 also on its own folds 2–5), never on AudioSet. Whisper's encoder, where there is one, has 20 million and was trained by others on transcribed speech: real pre-training, with supervision of another kind. A record of the training lies beside each network's weights.
# - **AST's pre-training.** On `mini` AST learns from the labels of folds 2–5 alone. For ESC-50 it begins with `mini`'s weights. Half of its targets are then the answers of a classifier on Whisper, for clips new to it; AST's record has its accuracy without that teacher.
# - **Strategy and architecture.** The paper's supervised network is an AST and its self-supervised ones are BEATs, so both change together. [The clean comparison](training_strategies.ipynb) holds the architecture still.
#
# ## Try it yourself
#
# `papermill notebooks/4_0_target_networks.ipynb out.ipynb -p profile esc50 -p model beats_finetuned -p weights path/to/checkpoint.pt`
