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
# # Probe one neuron
#
# Figures 1, 2 and 7 of the paper walk one neuron through the method: the clips that activate it most and least, what is said of them, what their descriptions share, what calibration removes and which concepts remain {cite}`wu2024and`.
# Here the neuron is yours to choose: change `unit` below, or on the command line, and run the page again.

# %% tags=["parameters", "hide-input"]
model: str = "ast"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained
unit: str = ""  # layer/number, counted from 0, like block0.output/17; empty takes unit 17 of the first block's output
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
concepts: str = "esc50"  # concept set: esc50 | classes (the probing set's) | acoustic | a file with one concept a line
summariser: str = "rules"  # who writes the summaries: rules | llm
llm: str = ""  # the summariser's language model: smollm2 | transformers:MODEL | openai:MODEL | vllm:MODEL

# %%
import andlib as al
from andlib.tables import keep

run = al.open_run(globals(), unit=str)
al.figures.style()
target = al.target(run, run.models[0])
address = al.chosen_unit(target, run.extra["unit"])

# %% [markdown]
# ## The neuron
#
# {glue:text}`unit` is one output of one linear layer, before any nonlinearity.
# Its *activation* $u_i$ on a clip is its output pooled over tokens, as the last table says.

# %% tags=["hide-input"]
neurons = al.neurons(run, address.model, layers=(address.layer,))
neuron = neurons.iloc[address.index]
keep(unit=address.id)
u = al.unit_activations(run, address.model)[address.layer][:, address.index]
al.cards.neuron_card(neuron, run.probing_set, u, al.clip_descriptions(run), run.profile.seconds)

# %% mystnb={"figure": {"name": "activations", "caption": "Where the highest and lowest clips lie among all clips."}, "image": {"alt": "Histogram of the neuron's activation over all clips, with ticks at its highest and lowest clips"}} tags=["hide-input"]
al.figures.activation_histogram(u, neuron["highest"], neuron["lowest"], address.id);

# %% [markdown]
# ## Which concept, by which function
#
# TAB compares concepts with sounds, DB with descriptions.
# The five similarity functions often disagree on a unit of a block: it has no concept that anyone trained it for.

# %% tags=["hide-input"]
al.tables.listing(al.closed_concepts(run, address), f"The three best of {len(run.concepts)} concepts", run.made_by(*al.caption_parts(run)))

# %% [markdown]
# ## Other neurons

# %% tags=["hide-input"]
layers = [{"layer": layer.name, "units": layer.units, "one number a clip": layer.pooling} for layer in target.layers]
keep(units=sum(layer.units for layer in target.layers))
al.tables.listing(layers, f"Layers of {address.model}: {sum(layer.units for layer in target.layers)} units", run.made_by())

# %% [markdown]
# ## What to make of it
#
# A description says what the clips at the top of one ranking share. It does not say that the unit is *for* that, nor that other clips lack it: read the lowest clips, too.
# Words about sound come from sentences of origin `measured`, which state what is measurably so; names of sources come from a captioner that errs (see [the probing set](2_probing_set.ipynb)).
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/probe_one_neuron.ipynb out.ipynb -p unit block3.intermediate/5
# papermill notebooks/probe_one_neuron.ipynb out.ipynb -p concepts acoustic
# papermill notebooks/probe_one_neuron.ipynb out.ipynb -p summariser llm -p llm smollm2     # after make llm
# ```
