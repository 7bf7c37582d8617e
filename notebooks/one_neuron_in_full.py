# %% [markdown]
# # One neuron in full
#
# Of {glue:text}`ways` ways to rank concepts for the unit {glue:text}`unit`, {glue:text}`agreeing` put *{glue:text}`first`* first.
# Figures 1, 2 and 7 of the paper walk one neuron through the same steps, to show that such a description tells what the neuron responds to {cite}`wu2024and`.
# [Probe one neuron](probe_one_neuron.ipynb) has the short form, and tries other clips, thresholds and poolings. This page shows what the description rests on.

# %% tags=["parameters", "hide-input"]
unit: str = "ast/block1.output/65"  # network/layer/number, counted from 0
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
weights: str = ""  # folder or hub id of the network; empty takes the profile's
device: str = "auto"  # where networks run: auto | cpu | cuda | cuda:1 | mps
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
concepts: str = "esc50"  # concept set: esc50 | classes (the probing set's) | acoustic | a file with one concept a line
summariser: str = "rules"  # who writes the summaries: rules | llm
llm: str = ""  # the summariser's language model: smollm2 | transformers:MODEL | openai:MODEL | vllm:MODEL

# %%
import andlib as al
from andlib.pages import probe_one_neuron, section_4_1

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)
al.show(run, unit)

# %% [markdown]
# ## Which concept, by which function
#
# [TAB](../../glossary.md) compares concepts with sounds, DB with descriptions.
# The five similarity functions often disagree on a unit of a block, which nobody trained for a concept.

# %% tags=["hide-input"]
network, address = run.unit(unit)
closed = section_4_1.closed_concepts(run, address, network)
first = closed["1."].mode()[0]
al.tables.keep(unit=address.id, ways=len(closed), first=first, agreeing=(closed["1."] == first).sum())
al.tables.plain(closed, f"The three best of {len(run.concepts)} concepts", made)

# %% [markdown]
# ## What differs from the paper, and why
#
# - **Which neuron.** The paper does not say which neuron of its networks it shows (Figure 7), so there is no number to compare.
# - **Where it fires.** The paper keeps one number a clip. A description of a whole clip speaks of whatever is in it; the frame shows which part excited the unit, and the card's players play it alone.
# - **What to make of it.** A description says what the clips at the top of one ranking share. It does not say that the unit is *for* that, nor that other clips lack it: read the lowest clips and those drawn at random, too.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/one_neuron_in_full.ipynb out.ipynb -p unit ast/block3.intermediate/5 -p concepts acoustic
# papermill notebooks/one_neuron_in_full.ipynb out.ipynb -p summariser llm -p llm smollm2     # after make llm
# ```
#
# A neuron is named by its network, layer and number; these are the layers of this network.

# %% tags=["hide-input"]
al.tables.plain(probe_one_neuron.layers(run, address), f"Layers of {address.model}", run.made_by())
