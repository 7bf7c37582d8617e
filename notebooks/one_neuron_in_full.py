# %% [markdown]
# # One neuron in full
#
# Figures 1, 2 and 7 of the paper walk one neuron through the method: the clips that activate it most and least, what is said of them, what their descriptions share, what calibration removes and which concepts remain {cite}`wu2024and`.
# Its **claim** is that such a description tells what the neuron responds to.
# Here the neuron is yours to choose, by its number or by words, and so is everything that decides its description: change a parameter below, or on the command line, and run the page again.
# To look at one neuron after the other, [the short page](probe_one_neuron.ipynb) is quicker.

# %% tags=["parameters", "hide-input"]
model: str = "ast"  # target network: ast | beats_finetuned | beats_frozen | beats_supervised | beats_untrained | whisper_frozen | whisper_finetuned
unit: str = ""  # layer/number, counted from 0, like block0.output/17; empty takes unit 17 of the first block's output
words: str = ""  # where no unit is named: what its description should speak of, like "high-pitched animal"
other_k: int = 10  # another number of clips, for comparison
t: float = 0.5  # another threshold of calibration, for comparison: points as like the lowest clips' as this are removed
pooling: str = "max"  # another way to make one number a clip, for comparison: mean | max | first | cls
factor: float = 2.0  # what the unit's output is multiplied by
wav: str = ""  # a sound file of your own; empty takes a tone that rises from 100 Hz to 7 kHz
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
from andlib import firing
from andlib.pages import one_neuron_in_full, section_4_1, wording

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)
target = run.target(run.models[0])
nearest = one_neuron_in_full.nearest(run, target, words)
address = one_neuron_in_full.address(target, unit, words, nearest)

# %% [markdown]
# ## The neuron
#
# {glue:text}`unit` is one output of one linear layer, before any nonlinearity.
# Its *activation* $u$ on a clip is one number made of its values at all places of the clip: {glue:text}`pooled`.
# This is all that is known of it, at one look.

# %% tags=["hide-input"]
al.show(run, address)

# %% [markdown]
# ## Which concept, by which function
#
# TAB compares concepts with sounds, DB with descriptions.
# The five similarity functions often disagree on a unit of a block: it has no concept that anyone trained it for.

# %% tags=["hide-input"]
al.tables.plain(section_4_1.closed_concepts(run, address), f"The three best of {len(run.concepts)} concepts", made)

# %% [markdown]
# ## What if we had looked otherwise?
#
# Three choices decide a description: how many clips $K$ stand for the unit, above which cosine $t$ a point of $S_h$ counts as the lowest clips' own, and how the values at all places become one number.
# Each row changes one of them.

# %% tags=["hide-input"]
chosen = one_neuron_in_full.reading(run, target, address)
with_k = one_neuron_in_full.reading(run, target, address, k=other_k)
with_t = one_neuron_in_full.reading(run, target, address, t=t)
with_pooling = one_neuron_in_full.reading(run, target, address, pooling=pooling)
otherwise = one_neuron_in_full.compared(run, [chosen, with_k, with_t, with_pooling])
al.tables.plain(otherwise, f"{address.id}, read in other ways", made)

# %% [markdown]
# Under the pooling {glue:text}`pooling`, {glue:text}`shared_pooling` of the {glue:text}`k` highest clips stay the same.
# How much a whole network moves with such choices is counted in [how units are read](reading_units.ipynb).
#
# ## Silence it, or make it louder
#
# The card says what silencing the unit does to each class.
# Here its output is multiplied by {glue:text}`factor`, at every token; the change is that of a class's mean logit on its own clips of fold 1, which is small for one unit among {glue:text}`units`.

# %% tags=["hide-input"]
silenced = firing.effect(run, target, address)
scaled = firing.effect(run, target, address, factor)
most, louder = one_neuron_in_full.most_changed(silenced, scaled), f"times {factor:g}"
formats = {"before": ".2f", "silenced": "+.4f", louder: "+.4f"}
title = "The classes that the unit matters to most: change of their own logit"
al.tables.plain(most, title, run.made_by(), formats, {"scaled": louder})

# %% [markdown]
# ## Your own sound
#
# Any sound file can be played to the network (`-p wav path/to/sound.wav`).
# It is cut into parts as long as the network takes; the frame shows where each part excites the unit, and below it stands how the unit's activation compares with the probing set's.
# {glue:text}`heard`

# %% tags=["hide-input"]
al.cards.own_sound(run, address, wav)

# %% [markdown]
# ## Find a neuron by words
#
# Summaries and concepts are searched by meaning: each neuron by the cosine of its sentence vectors with the words, here “{glue:text}`words`”.
# With `-p words "..."` and no unit named, this page probes the nearest.

# %% tags=["hide-input"]
title = f"Neurons of {target.name} nearest to “{words or one_neuron_in_full.EXAMPLE}”"
al.tables.plain(wording.described(nearest, "similarity"), title, made, {"similarity": ".2f"})

# %% [markdown]
# All of them are named by layer and number:

# %% tags=["hide-input"]
layers = one_neuron_in_full.layers(target)
al.tables.keep(**one_neuron_in_full.words(run, target, address, otherwise))
al.tables.plain(layers, f"Layers of {address.model}: {layers['units'].sum()} units", run.made_by())

# %% [markdown]
# ## Compared with the paper
#
# The paper shows one neuron of its networks, without saying which (Figure 7), and neither where in a clip it fires nor what the network loses without it; so there is no number to compare.
#
# ## What differs from the paper, and why
#
# - **Where it fires.** The paper keeps one number a clip. A description of a whole clip speaks of whatever is in it; the frame shows which part excited the unit, and the card's players play it alone.
# - **What to make of it.** A description says what the clips at the top of one ranking share. It does not say that the unit is *for* that, nor that other clips lack it: read the lowest clips and those drawn at random, too.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/one_neuron_in_full.ipynb out.ipynb -p unit block3.intermediate/5 -p factor 10.0
# papermill notebooks/one_neuron_in_full.ipynb out.ipynb -p words "something that clicks" -p wav path/to/sound.wav
# papermill notebooks/one_neuron_in_full.ipynb out.ipynb -p summariser llm -p llm smollm2     # after make llm
# ```
