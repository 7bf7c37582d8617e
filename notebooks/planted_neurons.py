# %% [markdown]
# # Planted neurons: middle layers with a known truth
#
# Of a classifier's units one knows what they stand for; of units in the middle of a network nobody does.
# So Section 4.2 of the paper asks its authors' ears {cite}`wu2024and`.
# **Its claim** (Table 3): the calibrated summary is rated {glue:text}`paper_sum:.2f` of 5, above DB's concept with {glue:text}`paper_db:.2f` and TAB's with {glue:text}`paper_tab:.2f`.
#
# A rating says what pleases a listener, not what is so.
# This page plants neurons whose truth is known, for they are made of it, and counts how often each method finds that truth, through how much noise, and what it says of a neuron that means nothing.

# %% tags=["parameters", "hide-input"]
profile: str = "mini"  # what is probed and with which models: mini | esc10 | esc50
data_dir: str = ""  # folder with the recordings, for profiles that need one
captions: str = ""  # caption file (CSV or JSON); empty takes the profile's
mode: str = "corrected"  # corrected | released | names of released faults
k: int = 5  # highest / lowest activated clips per neuron
encoder: str = "all-MiniLM-L6-v2"  # DB's text encoder: all-MiniLM-L6-v2 | all-MiniLM-L12-v2 | clip-vit-b-32 | folder or hub id
audio_encoder: str = ""  # TAB's encoders: embedded | whisper | laion_clap | folder or hub id of transformers' CLAP; empty takes the profile's
llm: str = ""  # ICL's language model: smollm2 | transformers:MODEL | openai:MODEL | vllm:MODEL; empty leaves ICL out

# %%
import andlib as al
from andlib.pages import planted_neurons as planted

run = al.open_run(globals())
made = run.made_by(*run.caption_parts)

# %% [markdown]
# ## What is planted
#
# A planted neuron's activation on a clip is $u = z + \sigma\varepsilon$: what is true of the clip, in standard deviations over clips, plus noise.
# $\sigma$ runs from 0, where chance only orders clips of equal truth, to infinity, where noise alone is left: that is each method's chance level.
# Known of each clip are its class and, of synthesised sounds, what they were made with; recordings are measured.
#
# - **class**: 1 for clips of one class, 0 for others.
# - **pitch, level, brightness, repetition, noisiness**: 1 where the attribute holds. A graded one (level, brightness, noisiness) holds for the tenth of the clips it is truest of.
# - **in no caption**: the same for what no caption has a word for, such as the moment at which a clip's energy lies, or a synthesised room.
# - **conjunction**: a class, but only loud or only quiet clips of it (the lesser of the two truths).
# - **polysemantic pair**: two unrelated classes (the greater of the two).
# - **dead**: 0 for every clip.
#
# Each layer holds {glue:text}`layer` such neurons, and each noise {glue:text}`seeds` layers drawn anew: {glue:text}`units` neurons in all.
#
# ## What counts as found
#
# A **closed** method (DB, TAB, ICL) finds a truth if it is the concept that it ranks first; two truths, if both are among its three best.
# It chooses either from the names or attributes that a truth of its kind is one of (*own*: ESC-50's {glue:text}`names` names, or {glue:text}`attributes` attributes), or from both together (*joint*), as it must where the kind of a neuron is unknown.
# A **summary** and the **open concepts** find what they say, wherever they say it, by the synonyms in the table below.
# These words were fixed by meaning before any neuron was planted. That closed methods are given the set of the own kind, too, was added after the joint set had been seen to hide attributes; and graded attributes, planted by degree at first, were made to hold or not, because by degree every seed had chosen the same five clips.

# %% tags=["hide-input"]
table = planted.planted_neurons(run)  # every planted neuron, described as a network's are
in_captions = planted.captioned(run)  # how often captions say each truth
every = planted.judged(table)  # which truths each method finds
rows = planted.by_best_function(every, in_captions)

# %% [markdown]
# ## What each method finds
#
# Without noise, and in brackets with noise alone. TAB and DB by the similarity function that finds most ({glue:text}`functions`).

# %% tags=["hide-input"]
al.tables.plain(planted.with_and_without_noise(rows), "Planted truths found, in %: without noise (by chance)", made)

# %% mystnb={"figure": {"name": "planted", "caption": "Planted truths found against the noise they are planted in, in deviations of the truth; at infinity, chance."}, "image": {"alt": "A panel for each kind of planted neuron: share found by TAB, DB, summary and open concepts, falling with noise to nearly nothing"}} tags=["hide-input"]
al.figures.planted(planted.curves(rows));

# %% [markdown]
# ## By similarity function
#
# Without noise: single truths that captions state, from the set of their own kind and from both; both truths of conjunctions and pairs.

# %% tags=["hide-input"]
functions = planted.by_function(every, in_captions)
caption = "Planted truths found without noise, by similarity function and concept set"
al.tables.plain(functions, caption, made, dict.fromkeys(functions.columns[2:], ".0%"))

# %% [markdown]
# ## Truths of sound, one by one
#
# *Said* is the share of the clips it holds for whose caption says it, *elsewhere* that of all others. A caption is taken to state a truth if at least half do: a summary tells what half of its captions share.
# *Found by*: in more than half of the layers without noise.

# %% tags=["hide-input"]
sounds = planted.attributes_found(rows, in_captions)
caption = "Attributes planted, the words that say them, and who finds them"
al.tables.keep(**planted.words(run, table, rows, in_captions))
al.tables.plain(sounds, caption, made, dict.fromkeys(["said", "elsewhere"], ".0%"), {"by": "found by"})

# %% [markdown]
# ## What this says
#
# On {glue:text}`title`, captions state {glue:text}`stated` of the {glue:text}`truths` single truths that they have words for. ICL {glue:text}`icl`.
#
# - **Stated single truths**, no noise: the best method is {glue:text}`best_method` with {glue:text}`best_share:.0%` of the neurons ({glue:text}`best_truths` truths in most layers: layers repeat truths, so the number of truths is what counts). All: {glue:text}`every`.
# - **Classes** among them: {glue:text}`classes`. **Attributes**: {glue:text}`sounds`. With class names beside them in the concept set: {glue:text}`joint`.
# - Stated, but found by no method in most layers: {glue:text}`lost`. Captions vary their words ("loud", "strong"), and the summariser counts those apart that do not mean the same of any sound: a truth that most captions state may be told by no word of the summary.
# - **In no caption**: no method that reads captions can find what none says; what it names instead looks no less sure. TAB hears the clip, but knows only what its training captions said.
# - **Polysemantic pairs**, both truths: a summary tells what at least half of K clips share, so two classes that share the clips cannot both be told. DB and TAB see all clips; which function they use decides, as the table by function says.
# - **Noise alone**: open concepts still name something for {glue:text}`false:.0%` of such neurons, and a closed method always names a concept. An explanation by itself is no evidence that there is anything to explain.
# - **Dead** neurons explained: {glue:text}`dead_named` of {glue:text}`dead`. No clip lies above their commonest activation, so none describes them.
#
# ## What differs from the paper, and why
#
# - **A planted neuron is not a trained one.** Real units are graded, correlated and mix more than two things: what fails here will fail there, what works here need not.
# - **Circularity.** Measured captions state level, pitch and pace by rule, and recordings are measured by the same rule to plant them; a synthesised sound's attributes come from its recipe instead. The embedded encoder of TAB was trained on synthesised sounds of the same classes, and hears no level: it sees each clip relative to its loudest moment.
# - **The best function** is chosen on the neurons it is judged on, among five.
#
# ## Try it yourself
#
# ```bash
# papermill notebooks/planted_neurons.ipynb out.ipynb -p k 10
# papermill notebooks/planted_neurons.ipynb out.ipynb -p llm openai:Qwen/Qwen3-8B    # ICL, a question a neuron
# ```
