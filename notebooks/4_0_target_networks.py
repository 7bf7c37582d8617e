# %% [markdown]
# # The target networks
#
# The paper dissects three networks that differ in how they learnt: AST, pre-trained and fine-tuned with labels; BEATs, pre-trained without labels and fine-tuned whole; and the same BEATs with all but a linear classifier frozen {cite}`gong2021ast,chen2023beats,wu2024and`.
# **Its claim** (Table 1): they classify ESC-50's test clips right in {glue:text}`paper_ast:.1%`, {glue:text}`paper_finetuned:.2%` and {glue:text}`paper_frozen:.2%` of all cases.

# %% tags=["parameters", "hide-input"]
model: str = "all"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | all
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron

# %%
import andlib as al
from andlib.report.tables import keep, table1

run = al.open_run(globals())
al.figures.style()

# %% [markdown]
# ## What is measured
#
# The share of clips whose largest logit is that of their own class: on fold 1, which no network learnt from, and on folds 2–5, which all did.
# Three floors say what the numbers are worth:
#
# - **log-mel statistics + linear**: mean and deviation of each of 128 frequency bands, and a linear classifier. No network at all.
# - **untrained + linear**: the same BEATs with random weights, frozen, and a linear classifier on its tokens.
# - **chance**.
#
# ## Table 1

# %% tags=["hide-input"]
accuracy = al.target_accuracy(run, al.with_floor(run))
floors = al.difficulty(run)
table1(accuracy, floors[floors["set"] == run.probing_set.name], run.made_by())

# %% tags=["remove-cell"]
printed = al.paper.table1().set_index("model")["accuracy"]
keep(paper_ast=printed["ast"], paper_finetuned=printed["beats_finetuned"], paper_frozen=printed["beats_frozen"])
keep(accuracy=accuracy, floors=floors, title=run.profile.title)
tested = accuracy[accuracy["clips"] == "fold 1"].set_index("model")["accuracy"]
floor = floors[floors["set"] == run.probing_set.name].set_index("method")["accuracy"]
statistics = floor["log-mel statistics + linear"]
order = [name for name in printed.index if name in tested]
ours = [tested[name] for name in order]
frozen = tested.get("beats_frozen", float("nan"))
untrained = tested.get("beats_untrained", float("nan"))
keep(
    order="not the paper's" if ours != sorted(ours, reverse=True) else "the paper's" if len(set(ours)) == len(ours) else "the paper's but for a tie",
    reading=", ".join(f"{name} {value:.1%}" for name, value in zip(order, ours, strict=True)),
    statistics=statistics,
    gain=100 * (frozen - untrained),
    frozen_against="more" if frozen > statistics else "no more",
)

# %% [markdown]
# On {glue:text}`title`, fold 1: {glue:text}`reading`. The order is {glue:text}`order`.
# Pre-training without labels is worth {glue:text}`gain:.0f` points to the frozen network: that is how far it lies above the same network with random weights.
# It reads {glue:text}`frozen_against` from the sound than log-mel statistics with a linear classifier do ({glue:text}`statistics:.1%`).
#
# ## Units
#
# A neuron is one output of one linear layer: in AST a block's `attention_output`, `intermediate` and `output`, in BEATs its `fc1` and `fc2`, and in both the classifier's outputs.

# %% tags=["hide-input"]
networks = [run.target(name) for name in run.models]
rows = [
    {
        "model": network.name,
        "layers": len(network.layers),
        "units": sum(layer.units for layer in network.layers),
        "that ablation may silence": sum(layer.units for layer in network.layers if layer.hidden),
        "one number a clip": network.layers[0].pooling,
        "sampling rate (Hz)": network.sample_rate,
    }
    for network in networks
]
al.tables.plain(rows, "Units of the target networks", run.made_by())

# %% [markdown]
# At full size AST has 55,346 units and BEATs 46,130; the code that counts them here counts those, too.
#
# ## What differs from the paper, and why
#
# - **Size and training data.** The paper's networks have 86 to 90 million parameters and were pre-trained on AudioSet's two million clips. On `mini` and `esc10` they have half a million, were pre-trained for minutes on synthesised clips (on `esc10` also on its own folds 2–5), and never saw AudioSet. A record of the training lies beside each network's weights.
# - **AST's pre-training.** Ours has none: it learns from the labels of folds 2–5 alone.
# - **Strategy and architecture.** The paper's supervised network is an AST and its self-supervised ones are BEATs, so the two change together. [The clean comparison](training_strategies.ipynb) holds the architecture still.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/4_0_target_networks.ipynb out.ipynb -p profile esc10 -p data_dir path/to/ESC-10
# papermill notebooks/4_1_last_layer.ipynb out.ipynb -p profile esc50 -p model beats_finetuned -p weights path/to/checkpoint.pt
# ```
#
# Next: [naming the classes of the last layer](4_1_last_layer.ipynb).
